"""Alarms: what is wrong until somebody mends it, such as a certificate that is refused.

They belong to the database: whichever process finds out raises one, and every process tells of it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model

from loyalty_graph.db import transaction

NAME_CHARACTERS_MAX = 255
PRESENT_MAX = 100
PROBE = "storage.probe"
PROBE_BYTES = 256 << 10

logger = logging.getLogger(__name__)


class AlarmRow(Model):
    """Something that is wrong since then."""

    name = fields.CharField(max_length=NAME_CHARACTERS_MAX, primary_key=True)
    message: str = fields.TextField()
    since: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "alarm"


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is wrong, in one sentence without secrets, and since when."""

    name: str
    message: str
    since: datetime


async def raise_alarm(name: str, message: str, now: datetime) -> None:
    """Say that something is wrong, and log it unless it was known; the message may be a new one."""
    known = await AlarmRow.get_or_none(name=name)
    if known is None:
        await _raise_first(name, message, now)
    elif known.message != message:
        await AlarmRow.filter(name=name).update(message=message)


async def clear(name: str) -> None:
    """Say that something is right again; it may never have been wrong."""
    if await AlarmRow.filter(name=name).exists() and await AlarmRow.filter(name=name).delete():
        logger.info("Alarm %s is over.", name)


async def present() -> list[Alarm]:
    """Return what is wrong now, by name; the first hundred."""
    rows = await AlarmRow.exclude(name=PROBE).order_by("name").limit(PRESENT_MAX)
    return [Alarm(row.name, row.message, row.since) for row in rows]


async def try_space(now: datetime) -> None:
    """Write and take back 256 KiB: who is asked whether there is space should not guess.

    Raises:
        StorageError: there is none.
    """
    await AlarmRow.filter(name=PROBE).delete()
    # Two transactions: what one writes and takes back need never reach the disk.
    await AlarmRow.create(name=PROBE, message=token_hex(PROBE_BYTES // 2), since=now)
    await AlarmRow.filter(name=PROBE).delete()


async def _raise_first(name: str, message: str, now: datetime) -> None:
    try:
        await _create(name, message, now)
    except IntegrityError:
        return  # Another one raised it a moment before.
    logger.error("Alarm %s: %s", name, message)


@transaction
async def _create(name: str, message: str, now: datetime) -> None:
    await AlarmRow.create(name=name, message=message, since=now)
