"""The card on a terminal: its colours, its fields, and a code that a scanner reads."""

import re
from io import StringIO

from PIL import Image
from rich.console import Console
from zxingcpp import read_barcode

from loyalty_graph.cli.card_drawing import draw_pass
from loyalty_graph.sandbox.device_passes import HeldPass
from tests.sandbox.phoning import card
from tests.wallet.making import NOW

HALVES = {" ": (255, 255), "▀": (0, 255), "▄": (255, 0), "█": (0, 0)}


def held(**changes: object) -> HeldPass:
    made = card(**changes)
    return HeldPass(
        serial=made["serialNumber"],
        pass_type=made["passTypeIdentifier"],
        service_url=None,
        token=None,
        card=made,
        last_modified=None,
        added_at=NOW,
        updated_at=NOW,
    )


def drawn(one: HeldPass, *, colours: bool = False) -> list[str]:
    out = StringIO()
    console = Console(
        file=out,
        width=100,
        highlight=False,
        force_terminal=colours,
        color_system="truecolor" if colours else None,
    )
    draw_pass(one, console)
    return out.getvalue().splitlines()


def test_the_front_shows_name_fields_and_number_and_the_back_the_rest():
    lines = [line.strip() for line in drawn(held(balance="1,878"))]

    assert [re.sub(" {2,}", " | ", line) for line in lines[1:7]] == [
        "TIER",
        "Bean Club | Silver",
        "",
        "BEANS",
        "1,878",
        "",
    ]
    assert "4711 0815 2342 1234" in lines
    assert "Last change    +40" in lines
    assert lines[-1] == "c7nJ2vXq8LwPz4Rt, as it was added, 2026-11-22 12:30:05 UTC"


def test_the_code_on_the_terminal_can_be_scanned():
    lines = [line for line in drawn(held()) if re.fullmatch(r"[ ▀▄█]{52}", line.ljust(52)[:52])]
    pixels = [HALVES[half] for line in lines for half in line.ljust(52)]
    rows = [pixels[start : start + 52] for start in range(0, len(pixels), 52)]
    image = Image.new("L", (52, 2 * len(rows)))
    image.putdata([pair[half] for row in rows for half in (0, 1) for pair in row])

    code = read_barcode(image.resize((52 * 8, 16 * len(rows))))

    assert code is not None
    assert code.text == "4711081523421234"


def test_every_line_of_the_front_has_the_colour_of_the_card():
    lines = drawn(held(), colours=True)
    front = lines[: next(place for place, line in enumerate(lines) if not line.strip())]

    assert len(front) > 20
    assert all("48;2;18;54;42m" in line for line in front)


def test_texts_too_long_for_the_card_are_cut_and_wide_ones_fit():
    one = held(balance="9" * 90, tier="最高級会員" * 3, logoText="A very long name " * 5)

    lines = drawn(one)

    assert all(len(line.rstrip()) <= 50 for line in lines[:6])
    assert any("9" * 43 + "…" in line for line in lines)


def test_a_void_card_says_so():
    assert any("VOID" in line for line in drawn(held(voided=True)))
