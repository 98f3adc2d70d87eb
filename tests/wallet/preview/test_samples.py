"""Samples of every template, drawn in the languages that cards come in."""

import pytest

from loyalty_graph.config import Settings
from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.apple.signing import Signer
from loyalty_graph.wallet.desk import all_templates
from loyalty_graph.wallet.preview.drawing import Side, preview
from loyalty_graph.wallet.preview.samples import in_tier, sample_face
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.templates import Template
from loyalty_graph.wallet.words import LANGUAGES
from tests.wallet.making import NOW
from tests.wallet.preview.drawn import pictures, scanned, texts
from tests.wallet.preview.test_drawing import SIDES

TEMPLATES = all_templates(Settings())
OF_ALL = pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)


@OF_ALL
@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_template_can_be_looked_at_in_its_languages(
    template: Template, signer: Signer, locale: str
):
    printer = CardPrinter(template, signer)
    face = sample_face(template, locale=locale, now=NOW)

    fronts = [preview(face, printer, platform=platform, side=Side.FRONT) for platform in Platform]

    assert [scanned(svg) for svg in fronts] == ["482109371153"] * 2
    for svg in fronts:
        assert len(pictures(svg)) == 2, "a logo, and a strip or hero"


@OF_ALL
@pytest.mark.parametrize(("platform", "side"), SIDES)
def test_a_phone_shows_its_own_language(
    template: Template, signer: Signer, platform: Platform, side: Side
):
    printer = CardPrinter(template, signer)
    faces = [sample_face(template, locale=locale, now=NOW) for locale in ("en", "de")]

    english, german = [
        texts(preview(face, printer, platform=platform, side=side)) for face in faces
    ]

    words = {word for word in english if word.isalpha()}
    assert words & set(german) <= {"Gold", "Status", "STATUS"}, "they are the same word"


def test_a_stamp_card_shows_as_many_stamps_as_there_are(signer: Signer):
    template = TEMPLATES["stamp-card"]
    face = sample_face(template, now=NOW)

    svg = preview(face, CardPrinter(template, signer), platform=Platform.APPLE, side=Side.FRONT)

    assert template.images["strip.7@2x.png"] in pictures(svg)
    assert "7 / 10" in texts(svg)


@pytest.mark.parametrize(
    ("platform", "art"),
    [(Platform.APPLE, "strip.SILVER@2x.png"), (Platform.GOOGLE, "hero.SILVER.png")],
)
def test_a_card_looks_like_its_tier(signer: Signer, platform: Platform, art: str):
    template = TEMPLATES["vip-tier"]
    face = in_tier(sample_face(template, now=NOW), "silver")

    svg = preview(face, CardPrinter(template, signer), platform=platform, side=Side.FRONT)

    assert "Silver" in texts(svg)
    assert template.images[art] in pictures(svg)
    assert f'fill="{template.look.tiers["SILVER"].background}"' in svg
