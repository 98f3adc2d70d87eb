"""A card to look at where nobody's is wanted: it belongs to a member who does not exist."""

from datetime import datetime, timedelta

from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.locales import known_locale

MEMBER_FOR = timedelta(days=800)
EXPIRES_IN = timedelta(days=40)
LOCALES = ("en", "de", "tr", "ar")
SPOKEN = {
    "en": ("Ada Lovelace", "points"),
    "de": ("Clara Schumann", "Punkte"),
    "tr": ("Ayşe Öztürk", "puan"),
    "ar": ("ليلى الهاشمي", "نقطة"),
}
"""Name and points in the languages that templates come in."""


def sample_face(template: str, *, locale: str = "en", now: datetime) -> CardFace:
    """Return what a card laid out by a template shows of a member who does not exist."""
    known = known_locale(locale)
    name, unit = SPOKEN.get(known.partition("_")[0], SPOKEN["en"])
    return CardFace(
        program_name="Corner Grocer",
        member_name=name,
        member_number="482109371153",
        member_since=now - MEMBER_FOR,
        points_balance=1_878,
        points_unit=unit,
        time_zone="UTC",
        locale=known,
        expiring_points=120,
        expires_at=now + EXPIRES_IN,
        tier_name="Gold",
        message="Double points on coffee, this week.",
        last_change="+61 points earned",
        terms="Points are good for a year. 100 points are worth 1.00.",
        support="Ask at the till, or write to card@corner-grocer.example.",
        template=template,
    )
