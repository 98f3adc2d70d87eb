"""The programmes to begin with: complete, sound, and to be read on a card."""

from datetime import UTC, datetime

import pytest

from loyalty_graph.config import bundled
from loyalty_graph.errors import NotFoundError
from loyalty_graph.programs import reads
from loyalty_graph.sandbox.presets import USUAL, about, open_preset, preset_file, presets
from loyalty_graph.sandbox.stories import STORIES
from loyalty_graph.usecases import program_file
from loyalty_graph.wallet.colours import CONTRAST_MIN, contrast, parse_colour

NAMES = [
    "benefits-only",
    "coffee-stars",
    "content-membership",
    "corner-grocer",
    "notes-vouchers",
    "paid-membership",
    "points-to-discount",
    "spend-tiers",
    "stamp-card",
]
OPENING = datetime(2026, 3, 2, tzinfo=UTC)


def test_there_are_nine_and_each_has_a_story():
    assert list(presets()) == NAMES
    assert sorted(path.stem for path in bundled(STORIES).glob("*.toml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_makes_it_and_can_be_read_on_a_card(name: str):
    path = preset_file(name)
    program = program_file.read(path).program
    look = program.branding
    ground, *inks = map(parse_colour, (look.background, look.foreground, look.label))

    assert program.slug == name
    assert about(path).startswith(f"{program.name}: ")
    assert path.read_text().count(f"presets/stories/{name}.toml") == 1
    assert look.support
    assert look.terms
    assert ground is not None
    for ink in inks:
        assert ink is not None
        assert contrast(ground, ink) >= CONTRAST_MIN


def test_no_two_look_alike_and_every_template_is_used():
    looks = [program_file.read(path).program.branding for path in presets().values()]

    assert len({look.background for look in looks}) == len(NAMES)
    packed = {path.name for path in bundled("passes/templates").iterdir() if path.is_dir()}
    assert {look.template for look in looks} == packed


@pytest.mark.parametrize("name", [name for name in NAMES if name != USUAL])
def test_each_takes_product_types_it_does_not_know(name: str):
    earning = program_file.read(preset_file(name)).earning

    assert earning.unknown_product_types == "DEFAULT"


async def test_a_preset_is_opened_as_a_sandbox_with_its_text(database: object):
    del database

    version = await open_preset("stamp-card", now=OPENING)

    assert version.settings.sandbox
    assert version.settings.slug == "stamp-card"
    newest = await reads.newest("stamp-card", lock=False)
    assert newest is not None
    assert newest.number == version.number == 1


def test_what_is_no_preset_is_refused_with_those_there_are():
    with pytest.raises(NotFoundError, match=r"no preset coupons in .*; there are benefits-only, "):
        preset_file("coupons")
