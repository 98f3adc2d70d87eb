"""Draw docs/cards.svg: a sample card of every template side by side, as README shows them.

Usage: python tools/draw_cards.py [--check]
"""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from loyalty_graph.config import Settings
from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.apple.development_ca import development_signer
from loyalty_graph.wallet.apple.signing import Signer
from loyalty_graph.wallet.desk import all_templates
from loyalty_graph.wallet.preview import apple
from loyalty_graph.wallet.preview.drawing import Side, preview
from loyalty_graph.wallet.preview.samples import sample_face
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.templates import Template

PICTURE = Path(__file__).parents[1] / "docs" / "cards.svg"
DAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORDER = ("store-card", "stamp-card", "vip-tier", "paid-membership", "stored-value")
GAP = 28


def picture() -> str:
    """Return the picture; it is the same on every run."""
    templates = all_templates(Settings())
    assert set(ORDER) == set(templates), "the picture shows every template"
    with TemporaryDirectory() as folder:
        signer = development_signer(Path(folder), now=DAY)
    cards = [_card(templates[name], signer) for name in ORDER]
    placed = "".join(
        f'<g transform="translate({index * (apple.WIDTH + GAP)} 0)">{card}</g>\n'
        for index, card in enumerate(cards)
    )
    width = len(cards) * (apple.WIDTH + GAP) - GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {apple.HEIGHT}" '
        f'width="{width}" height="{apple.HEIGHT}">\n{placed}</svg>\n'
    )


def _card(template: Template, signer: Signer) -> str:
    """Return the front of a sample; small images do, since it is shown smaller than on a phone."""
    small = {name: data for name, data in template.images.items() if "@" not in name}
    printer = CardPrinter(replace(template, images=small), signer)
    face = sample_face(template, now=DAY)
    return preview(face, printer, platform=Platform.APPLE, side=Side.FRONT).rstrip()


def main(arguments: list[str]) -> int:
    """Write the picture, or compare it; return 1 when it is stale."""
    if arguments != ["--check"]:
        PICTURE.write_text(picture(), encoding="utf-8")
    elif not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != picture():
        print("docs/cards.svg is not how the templates look: run `make cards`, commit the change.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
