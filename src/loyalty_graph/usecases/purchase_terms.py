"""What purchases are decided by: the version, rules and tiers in force when each was made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.earning import service as earning
from loyalty_graph.earning.rule_book import RuleBook
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.tiers import service as tiers
from loyalty_graph.tiers.standing import Scheme


@dataclass(frozen=True, slots=True)
class Terms:
    """What a purchase is decided by: the version in force when it was made.

    How old it may be is for the `present` settings to say. `scheme` are its tiers, if it has any.
    """

    version: programs.Version
    present: ProgramSettings
    book: RuleBook
    scheme: Scheme | None

    def local(self, at: datetime) -> datetime:
        """Return a moment in the programme's time zone."""
        return at.astimezone(self.version.settings.zone)


async def terms_at(
    program_id: UUID, times: Sequence[datetime], now: datetime
) -> dict[datetime, Terms]:
    """Return the terms at each instant; instants of one version share them."""
    made: dict[int, Terms] = {}
    found: dict[datetime, Terms] = {}
    for at in times:
        version = await programs.in_force(program_id, at, now=now)
        if version.number not in made:
            made[version.number] = await terms_of(program_id, at, now)
        found[at] = made[version.number]
    return found


async def terms_of(program_id: UUID, at: datetime, now: datetime) -> Terms:
    """Return the terms of a purchase made `at` a time."""
    version = await programs.in_force(program_id, at, now=now)
    present = await programs.in_force(program_id, now, now=now)
    book = await earning.rule_book(version)
    return Terms(version, present.settings, book, await tiers.scheme(version))
