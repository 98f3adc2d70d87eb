"""Daily caps on what partners' calls issue: looked up with a batch, kept to, and taken last."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from loyalty_graph.db.sets import Lookup, Row, fetch
from loyalty_graph.earning import tallies
from loyalty_graph.identity import issuance
from loyalty_graph.identity.issuance import DayKey
from loyalty_graph.identity.rules import Issuer
from loyalty_graph.ledger.errors import IssuanceCapError
from loyalty_graph.programs import service as programs

Found = list[list[list[Row]]]


class Issuance(Protocol):
    """What every command that may issue points says of whoever asks for it."""

    @property
    def issuer(self) -> Issuer | None:
        """The partner, if a daily cap limits it."""


class Issuing:
    """What capped partners issued today, as a batch goes on; without any it does nothing.

    `lock` keeps others from issuing for these partners until the batch is stored.
    """

    def __init__(self, caps: Mapping[UUID, int], day: str, *, lock: bool) -> None:
        self._caps, self._day, self._lock = caps, day, lock
        self._before: dict[UUID, int] = {}
        self._more: dict[UUID, int] = {}

    @classmethod
    async def of(
        cls, program_id: UUID, commands: Iterable[Issuance], *, now: datetime, lock: bool
    ) -> "Issuing":
        """Return the caps that these commands keep to; days are those of the programme's zone."""
        issuers = [one.issuer for one in commands if one.issuer is not None]
        caps = {one.partner_id: one.daily_points for one in issuers}
        if not caps:
            return cls({}, "", lock=lock)
        version = await programs.in_force(program_id, now, now=now)
        day = now.astimezone(version.settings.zone).date().isoformat()
        issuing = cls(caps, day, lock=lock)
        if lock:
            await issuance.open_days(program_id, issuing._keys)
        return issuing

    @property
    def _keys(self) -> list[DayKey]:
        return [DayKey(partner_id, self._day) for partner_id in sorted(self._caps)]

    @property
    def lookups(self) -> list[Lookup]:
        """Return what is to be looked up, last of all: what these partners issued today."""
        return [issuance.counted(self._keys, lock=self._lock)] if self._caps else []

    def take(self, found: Sequence[list[list[Row]]]) -> Found:
        """Take what was looked up last, and return the rest."""
        if not self._caps:
            return list(found)
        *rest, mine = found
        self._before = {partner_id: issued for rows in mine for partner_id, issued in rows}
        return rest

    async def read(self, program_id: UUID) -> None:
        """Read by itself what was issued today."""
        if self._caps:
            self.take(await fetch(program_id, *self.lookups))

    def check(self, command: Issuance, points: int) -> None:
        """Refuse points that would exceed the cap of whoever asks.

        Raises:
            IssuanceCapError: They would.
        """
        if points > 0 and (issuer := command.issuer) is not None:
            partner_id = issuer.partner_id
            used = self._before.get(partner_id, 0) + self._more.get(partner_id, 0)
            if used + points > self._caps[partner_id]:
                raise IssuanceCapError(cap=self._caps[partner_id], used=used, asked=points)

    def count(self, command: Issuance, points: int) -> None:
        """Count points that are issued, once they are certain; fewer than none are not."""
        if points > 0 and (issuer := command.issuer) is not None:
            self._more[issuer.partner_id] = self._more.get(issuer.partner_id, 0) + points

    async def settle(self, program_id: UUID) -> None:
        """Take what was issued from the caps: the last thing a transaction does.

        Raises:
            BudgetTakenMeanwhileError: Others issued since it was read.
        """
        for partner_id, points in sorted(self._more.items()):
            key, limit = DayKey(partner_id, self._day), self._caps[partner_id]
            if not await issuance.take(program_id, key, points, limit=limit):
                raise tallies.BudgetTakenMeanwhileError(*key)
