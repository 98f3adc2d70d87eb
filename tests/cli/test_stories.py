"""The command that plays the story of a preset."""

from pathlib import Path

import pytest

from loyalty_graph.sandbox.stories import story_of
from tests.cli.conftest import CommandLine


@pytest.mark.sqlite
def test_a_story_is_told_step_by_step_and_leaves_nothing_behind(call: CommandLine, data_dir: Path):
    done = call("story", "notes-vouchers")

    lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert lines[0] == "Points become a note, and the note is spent in parts"
    assert lines[3:5] == ["   2  A coat and shoes", "      earned 629, points 629, rewards NOTE_5"]
    assert lines[-1] == "✓ Every figure is as the story says."
    assert not data_dir.exists()


@pytest.mark.sqlite
def test_a_figure_that_differs_ends_it(call: CommandLine, tmp_path: Path):
    file = tmp_path / "other.toml"
    text = story_of("notes-vouchers").read_text()
    assert text.count("earned = 629") == 1
    file.write_text(text.replace("earned = 629", "earned = 630"))

    done = call("story", "notes-vouchers", "--file", file)

    assert done.code == 1
    assert done.err == "STORY Step 2 (A coat and shoes): earned: expected 630, came 629.\n"
    assert "✓" not in done.out


def test_a_preset_that_is_not_there_is_named_with_those_that_are(call: CommandLine):
    done = call("story", "coupon-book")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("NOT_FOUND There is no preset coupon-book in this version;")
    assert "corner-grocer, " in done.err
