"""Drawing cards from the command line."""

import re
from pathlib import Path

import pytest

from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine
from tests.wallet.preview.drawn import scanned, texts


def test_a_template_is_drawn_with_a_sample(
    call: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)

    done = call("pass", "preview", "store-card", "--tier", "Silver", "--locale", "de")

    svg = (tmp_path / "card.svg").read_text()
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"✓ card\.svg, [\d,]+ bytes\n", done.out)
    assert {"Clara Schumann", "1.878", "Silver"} <= set(texts(svg))
    assert scanned(svg) == "482109371153"


def test_a_members_card_is_drawn_with_what_it_shows_now(
    call: CommandLine, ada: Member, tmp_path: Path
):
    path = tmp_path / "ada.svg"

    done = call("pass", "preview", "store-card", "--member", ada.number, "--output", path)

    svg = path.read_text()
    assert done.code == 0
    assert {"Bean Club", "216", "beans"} <= set(texts(svg))
    assert scanned(svg) == ada.number


def test_each_side_of_each_platform_can_be_drawn(call: CommandLine, tmp_path: Path):
    drawn = set()
    for platform in ("apple", "google"):
        for side in ("front", "back"):
            path = tmp_path / f"{platform}-{side}.svg"
            words = ("--platform", platform, "--side", side, "-o", path)
            assert call("pass", "preview", "store-card", *words).code == 0
            drawn.add(path.read_text())

    assert len(drawn) == 4


@pytest.mark.parametrize(
    ("case", "words", "said"),
    [
        ("no such template", ("nothing",), "There is no card template nothing; there are "),
        ("a path for a name", ("../store-card",), "There is no card template ../store-card;"),
        ("no such member", ("store-card", "--member", "482109371153"), "There is no member"),
        ("no such folder", ("store-card", "-o", "absent/card.svg"), "cannot be written"),
        ("no such side", ("store-card", "--side", "inside"), "inside"),
    ],
)
def test_what_cannot_be_drawn_is_said_and_no_file_is_made(
    call: CommandLine, ada: Member, tmp_path: Path, case: str, words: tuple[str, ...], said: str
):
    path = tmp_path / "card.svg"

    done = call("pass", "preview", *words[:1], "-o", path, *words[1:])

    assert done.code in {1, 2}
    assert said in done.err
    assert not path.exists()
