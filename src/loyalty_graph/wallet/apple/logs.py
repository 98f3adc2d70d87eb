"""What phones say went wrong with passes: kept for the operator, the newest lines only.

Anybody may send them, so they are bounded in every direction; and phones repeat the requests that
failed, with what was secret in them, so that is taken out before anything is kept.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from loyalty_graph.db import transaction
from loyalty_graph.identifiers import new_id
from loyalty_graph.wallet.apple.models import DeviceLogRow
from loyalty_graph.wallet.models import SERIAL_LENGTH

LINES_OF_A_CALL_MAX = 50
CHARACTERS_MAX = 1_000
ROWS_MAX = 10_000
KEPT_FOR = timedelta(days=30)
REMOVED = "[removed]"

_CREDENTIALS = re.compile(r"\b(ApplePass|Bearer)[\s:=]+[^\s,;\"']+", re.IGNORECASE)
# "Unregister task (for device ..., pass type ...": whoever knows the id may ask what it holds.
_DEVICE = re.compile(r"\b(devices?[\s:=/]+)[A-Za-z0-9._:~+=-]{16,}", re.IGNORECASE)
# Tokens of passes and pushes are at least this long. A serial is too, but nobody's secret.
_LONG_WORD = re.compile(r"[A-Za-z0-9_-]{32,}")
_SERIAL = re.compile(f"[0-9a-f]{{{SERIAL_LENGTH}}}")


@transaction
async def keep(lines: Sequence[str], *, now: datetime) -> None:
    """Keep what a phone sent in one call, without tokens; the oldest lines make room for it."""
    rows = [
        DeviceLogRow(id=new_id(now), logged_at=now, message=cleaned(line))
        for line in lines[:LINES_OF_A_CALL_MAX]
    ]
    if not rows:
        return
    await DeviceLogRow.bulk_create(rows)
    too_old = await DeviceLogRow.all().order_by("-id").offset(ROWS_MAX).limit(1)
    for row in too_old:
        await DeviceLogRow.filter(id__lte=row.id).delete()


async def prune(*, now: datetime) -> None:
    """Remove lines of more than 30 days ago."""
    await DeviceLogRow.filter(logged_at__lt=now - KEPT_FOR).delete()


async def search(text: str, *, limit: int) -> list[DeviceLogRow]:
    """Return the newest lines that hold a text, in letters of any case, oldest first."""
    found = DeviceLogRow.filter(message__icontains=text) if text else DeviceLogRow.all()
    return list(reversed(await found.order_by("-id").limit(limit)))


def cleaned(line: str) -> str:
    """Return a line as it may be kept: without tokens and devices, printable, and not too long."""
    text = "".join(one if one.isprintable() else " " for one in line)
    text = _CREDENTIALS.sub(rf"\1 {REMOVED}", text)
    text = _DEVICE.sub(rf"\1{REMOVED}", text)
    text = _LONG_WORD.sub(lambda word: _shown(word[0]), text)
    return text[:CHARACTERS_MAX]


def _shown(word: str) -> str:
    return word if _SERIAL.fullmatch(word) else REMOVED
