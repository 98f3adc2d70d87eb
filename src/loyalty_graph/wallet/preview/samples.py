"""A card to look at where nobody's is wanted: it belongs to a member who does not exist."""

from dataclasses import replace
from datetime import datetime, timedelta

from loyalty_graph.money import Money
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.wallet.face import CardFace, PlanFace, TierFace, ValueFace
from loyalty_graph.wallet.locales import known_locale
from loyalty_graph.wallet.templates import Template
from loyalty_graph.wallet.words import FALLBACK, LANGUAGES, language, word

MEMBER_FOR, SOON, LATER = timedelta(days=800), timedelta(days=40), timedelta(days=300)
POINTS = 1_878
STAMPED = 1.7
"""One full card, and seven tenths of the next one."""
MISSING, VALUE = Money(21_750, "EUR"), Money(4_250, "EUR")
TIER = "Gold"
SPOKEN = {
    "en": ("Ada Lovelace", "points"),
    "de": ("Clara Schumann", "Punkte"),
    "tr": ("Ayşe Öztürk", "puan"),
    "ar": ("ليلى الهاشمي", "نقطة"),
}
"""Name and points in the languages that templates come in."""


def sample_face(template: Template, *, locale: str = FALLBACK, now: datetime) -> CardFace:
    """Return what a card laid out by a template shows of a member who does not exist."""
    known = known_locale(locale)
    name, unit = SPOKEN[language(known, LANGUAGES)]
    stamps = template.look.stamps
    face = CardFace(
        program_name="Corner Grocer",
        member_name=name,
        member_number="482109371153",
        member_since=now - MEMBER_FOR,
        points_balance=int(stamps.points * stamps.of * STAMPED) if stamps else POINTS,
        points_unit=unit,
        time_zone="UTC",
        locale=known,
        expiring_points=120,
        expires_at=now + SOON,
        tier=TierFace(until=now + LATER, next_name="Platinum", missing=MISSING),
        plan=PlanFace(
            name="Coffee Club",
            status=word(Status.ACTIVE, known),
            renews=True,
            valid_until=now + SOON,
            ends_at=None,
        ),
        value=ValueFace(balance=VALUE, vouchers=2, expires_at=now + LATER),
        message="Double points on coffee, this week.",
        last_change="+61 points earned",
        terms="Points are good for a year. 100 points are worth 1.00.",
        support="Ask at the till, or write to card@corner-grocer.example.",
        template=template.name,
    )
    return in_tier(face, TIER)


def in_tier(face: CardFace, tier: str) -> CardFace:
    """Return a card as it looks in a tier, given by its code: its name is taken to be alike."""
    of_tier = replace(face.tier or TierFace(), code=tier.upper())
    return replace(face, tier=of_tier, tier_name=tier.title())
