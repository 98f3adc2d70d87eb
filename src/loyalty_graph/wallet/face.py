"""What a card shows at one moment, and the names under which templates ask for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.wallet.colours import Colours
from loyalty_graph.wallet.placeholders import Kind, Name

MOMENT = timedelta.resolution

PROGRAM: Mapping[str, Name] = {
    "program.name": Name(Kind.TEXT),
    "program.terms": Name(Kind.TEXT, optional=True),
    "program.support": Name(Kind.TEXT, optional=True),
}
"""What is the same on every card of a programme."""

VOCABULARY: Mapping[str, Name] = {
    **PROGRAM,
    "member.name": Name(Kind.TEXT),
    "member.number": Name(Kind.TEXT),
    "member.since": Name(Kind.DATE),
    "member.tier": Name(Kind.TEXT, optional=True),
    "points.balance": Name(Kind.NUMBER),
    "points.unit": Name(Kind.TEXT),
    "points.expiring": Name(Kind.NUMBER, optional=True),
    "points.expires_on": Name(Kind.DATE, optional=True),
    "card.last_change": Name(Kind.TEXT, optional=True),
    "card.message": Name(Kind.TEXT, optional=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFace:
    """What one member's card shows; instants become dates in the programme's time zone.

    `expiring_points` of 0 means nothing expires soon, and the card says nothing about it.
    `last_change` and `message` are ready sentences. `colours` replace those of the template.
    A `void` card is shown greyed out: it is good for nothing any more. `template` is its layout.
    """

    program_name: str
    member_name: str
    member_number: str
    member_since: datetime
    points_balance: int
    points_unit: str
    time_zone: str
    locale: str
    expiring_points: int = 0
    expires_at: datetime | None = None
    tier_name: str | None = None
    last_change: str | None = None
    message: str | None = None
    terms: str | None = None
    support: str | None = None
    colours: Colours | None = None
    void: bool = False
    template: str = "store-card"

    def values(self) -> dict[str, str | int | date | None]:
        """Return the value of every name of `VOCABULARY`; None and "" where there is none."""
        zone = ZoneInfo(self.time_zone)
        # They can be spent up to this instant, so the last day is the one before it.
        last = self.expires_at - MOMENT if self.expires_at and self.expiring_points else None
        return {
            "program.name": self.program_name,
            "program.terms": self.terms,
            "program.support": self.support,
            "member.name": self.member_name,
            "member.number": self.member_number,
            "member.since": self.member_since.astimezone(zone).date(),
            "member.tier": self.tier_name,
            "points.balance": self.points_balance,
            "points.unit": self.points_unit,
            "points.expiring": self.expiring_points if last else None,
            "points.expires_on": last.astimezone(zone).date() if last else None,
            "card.last_change": self.last_change,
            "card.message": self.message,
        }


def program_values(settings: ProgramSettings) -> dict[str, str | None]:
    """Return the value of every name of `PROGRAM`."""
    return {
        "program.name": settings.name,
        "program.terms": settings.branding.terms or None,
        "program.support": settings.branding.support or None,
    }
