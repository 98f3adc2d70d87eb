"""Leases: what one process at a time may do, held as a row that is taken and renewed.

The clocks of several machines differ, and a holder may sleep through the end of its lease. So the
clock only decides when another may try; what a holder writes, it writes in a transaction that
locks the row and finds its own fence in it (`lock`).
"""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F, Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from loyalty_graph.db import assert_in_transaction, transaction

NAME_CHARACTERS_MAX = 60
PROCESS_CHARACTERS_MAX = 100
LIFE = timedelta(seconds=10)
RENEWED_AT = LIFE / 2


class LeaseRow(Model):
    """Who holds a lease until when. It belongs to the database, not to a programme."""

    name = fields.CharField(max_length=NAME_CHARACTERS_MAX, primary_key=True)
    holder: UUID = fields.UUIDField()
    # Host and process id, for those who look for it.
    process = fields.CharField(max_length=PROCESS_CHARACTERS_MAX)
    fence: int = fields.BigIntField()
    until: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "lease"


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was taken; `fence` grows with each new holder."""

    name: str
    holder: UUID
    fence: int
    until: datetime


async def take(name: str, holder: UUID, *, now: datetime, life: timedelta) -> Lease | None:
    """Take a lease that nobody holds any more, for `life`; None while somebody does.

    One that is held for longer than twice as long was taken by a clock that was ahead. It is free:
    a holder whose clock still is will find that it is not his any more.

    Args:
        name: What may be done under it.
        holder: An id of the caller's own, new for each process.
        now: The moment.
        life: How long it is held unless renewed; far more than clocks may differ.
    """
    try:
        return await _take(name, holder, now, life)
    except IntegrityError:
        return None  # Another one made the row a moment before.


@transaction
async def _take(name: str, holder: UUID, now: datetime, life: timedelta) -> Lease | None:
    until = now + life
    is_over, is_misdated = Q(until__lte=now), Q(until__gt=until + life)
    free = LeaseRow.filter(is_over | is_misdated, name=name)
    process = this_process()
    taken = await free.update(holder=holder, process=process, until=until, fence=F("fence") + 1)
    row = await LeaseRow.get_or_none(name=name)
    if row is None:
        row = await LeaseRow.create(name=name, holder=holder, process=process, fence=1, until=until)
    elif not taken:
        return None
    return Lease(name, holder, row.fence, until)


@transaction
async def renew(lease: Lease, *, now: datetime, life: timedelta) -> Lease | None:
    """Hold a lease for `life` from now on; None when another one has taken it meanwhile."""
    until = now + life
    if not await _own(lease).update(until=until):
        return None
    return Lease(lease.name, lease.holder, lease.fence, until)


@transaction
async def release(lease: Lease, *, now: datetime) -> None:
    """Let the next one take it at once."""
    await _own(lease).update(until=now)


async def lock(lease: Lease) -> bool:
    """Keep a lease from changing hands until the transaction ends; False when it has already."""
    assert_in_transaction()
    return await _own(lease).select_for_update().get_or_none() is not None


def this_process() -> str:
    """Return what operators know this process by: its host and its process id."""
    ending = f":{os.getpid()}"
    return f"{socket.gethostname()[: PROCESS_CHARACTERS_MAX - len(ending)]}{ending}"


def _own(lease: Lease) -> QuerySet[LeaseRow]:
    return LeaseRow.filter(name=lease.name, holder=lease.holder, fence=lease.fence)


class Tenure:
    """A lease that one holder takes when it is free, and keeps for as long as it goes on asking.

    Args:
        name: What may be done under it.
        clock: Tells the moment.
    """

    def __init__(self, name: str, *, clock: Callable[[], datetime]) -> None:
        self._name, self._clock = name, clock
        self._holder = uuid4()
        self._lease: Lease | None = None

    async def held(self) -> Lease | None:
        """Return the lease, good for a while; None while another one has it."""
        now, lease = self._clock(), self._lease
        if lease is None:
            self._lease = await take(self._name, self._holder, now=now, life=LIFE)
        elif lease.until - now <= RENEWED_AT:
            self._lease = await renew(lease, now=now, life=LIFE)
        return self._lease

    def lost(self) -> None:
        """Say that another one has taken it, as was seen in a transaction."""
        self._lease = None

    async def end(self) -> None:
        """Give the lease back, so that another one goes on at once."""
        if self._lease is not None:
            await release(self._lease, now=self._clock())
            self._lease = None
