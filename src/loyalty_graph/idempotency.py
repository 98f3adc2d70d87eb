"""Once for each (caller, key): a retry gets the first answer, not a second effect.

Callers are `member:<id>`, `partner:<id>`, `staff:<id>` or `cli`: a partner, not one of its tokens,
so that a retry with a rotated token is still a retry. A refused command keeps no key.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db import statements, transaction
from loyalty_graph.db.constraints import PrimaryKey
from loyalty_graph.db.json_text import JSONText
from loyalty_graph.db.sets import Insert, Lookup
from loyalty_graph.errors import IdempotencyMismatchError, InvalidInputError

KEY_LENGTH_MAX = 255
KEPT_FOR = timedelta(days=30)
AT_ONCE = 1_000
Place = tuple[str, str]
"""A caller and a key, in whose order answers are walked through."""
BEGINNING: Place = ("", "")
CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
# Within a text a quotation mark comes with a backslash, so only names of fields are found.
_NULL_AFTER, _NULL_BEFORE = re.compile(rb',"\w+":null'), re.compile(rb'"\w+":null,?')

_PAGE = "where program_id = $1 and (caller, key) > ($2, $3) order by caller, key limit $4"
_REMOVE = (
    "delete from idempotency where program_id = $1 and (caller, key) > ($2, $3)"
    " and (caller, key) <= ($4, $5) and created_at < $6"
)


class IdempotencyRow(Model):
    """What was answered to a caller's key."""

    key = fields.CharField(max_length=KEY_LENGTH_MAX, primary_key=True)
    program_id: UUID = fields.UUIDField()
    caller = fields.CharField(max_length=80)
    input_hash: bytes = fields.BinaryField()
    result: dict[str, Any] = JSONText()
    created_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "idempotency"
        constraints = [PrimaryKey("program_id", "caller", "key")]


@dataclass(frozen=True, slots=True)
class Claim:
    """A caller's wish that this input counts once under this key."""

    caller: str
    key: str
    input_hash: bytes


def claim(caller: str, key: str, given: dict[str, Any]) -> Claim:
    """Return the claim of a command; `given` is its whole input as JSON values.

    What is null counts as not given: a retry may meet another version of the code, which knows
    more fields or fewer.

    Raises:
        InvalidInputError: The key or something in the input cannot be kept.
    """
    check_key(key)
    try:
        canonical = orjson.dumps(given, default=_plain, option=CANONICAL)
    except orjson.JSONEncodeError as error:
        raise InvalidInputError(f"The input cannot be kept: {error}.") from error
    if b"u0000" in canonical and _NUL.search(canonical):
        raise InvalidInputError("The input cannot be kept: it holds the character NUL.")
    if b":null" in canonical:
        canonical = _NULL_BEFORE.sub(b"", _NULL_AFTER.sub(b"", canonical))
    return Claim(caller, key, hashlib.sha256(canonical).digest())


def _plain(value: object) -> str:
    """Return an instant or an id as one text, however it was spelled or read.

    asyncpg's kind of UUID is strange to orjson.
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    assert isinstance(value, UUID), "what is given holds JSON values, instants and ids"
    return str(value)


def check_key(key: str) -> None:
    """Refuse a key that cannot be kept.

    Raises:
        InvalidInputError: It is empty, longer than 255 characters, or cannot be printed.
    """
    if not (0 < len(key) <= KEY_LENGTH_MAX and key.isprintable()):
        raise InvalidInputError(
            f"The idempotency key needs 1 to {KEY_LENGTH_MAX} characters that can be printed.",
            field="idempotencyKey",
        )


def answers(claims: Sequence[Claim]) -> Lookup:
    """Return the look-up of what was answered before, one key for each claim."""
    return Lookup(
        IdempotencyRow,
        ("caller", "key"),
        [(one.caller, one.key) for one in claims],
        ("input_hash", "result"),
    )


class Answered:
    """The answers given under the claims of a batch, before it and in it."""

    def __init__(self, claims: Sequence[Claim], found: Sequence[Sequence[tuple[Any, ...]]]) -> None:
        self._known: dict[tuple[str, str], tuple[bytes, dict[str, Any]]] = {
            (one.caller, one.key): (rows[0][0], rows[0][1])
            for one, rows in zip(claims, found, strict=True)
            if rows
        }
        self._new: list[tuple[Claim, dict[str, Any]]] = []

    def earlier(self, claim: Claim) -> dict[str, Any] | None:
        """Return the first answer under this claim, or None when it is new.

        Raises:
            IdempotencyMismatchError: The key was used with other input.
        """
        known = self._known.get((claim.caller, claim.key))
        if known is None:
            return None
        if known[0] != claim.input_hash:
            raise IdempotencyMismatchError(claim.key)
        return known[1]

    def keep(self, claim: Claim, result: dict[str, Any]) -> None:
        """Remember an answer for retries; `result` holds JSON values."""
        self._known[claim.caller, claim.key] = (claim.input_hash, result)
        self._new.append((claim, result))

    def write(self, *, now: datetime) -> Insert:
        """Return the write that stores the answers of this batch."""
        return Insert(
            IdempotencyRow,
            ("caller", "key", "input_hash", "result", "created_at"),
            [(one.caller, one.key, one.input_hash, result, now) for one, result in self._new],
        )


async def prune(
    program_id: UUID, *, after: Place, now: datetime, limit: int = AT_ONCE
) -> Place | None:
    """Forget the answers of more than 30 days ago among the next so many keys.

    Returns:
        The place to go on after; None when these were the last.
    """
    # Keys have no index by age, which every command would pay for; once a day all are looked at.
    rows = await statements.select(
        IdempotencyRow, ("caller", "key", "created_at"), _PAGE, program_id, *after, limit
    )
    if not rows:
        return None
    *last, _ = rows[-1]
    if any(created_at < now - KEPT_FOR for _, _, created_at in rows):
        await _remove(program_id, after, (last[0], last[1]), now - KEPT_FOR)
    return (last[0], last[1]) if len(rows) == limit else None


@transaction
async def _remove(program_id: UUID, after: Place, last: Place, before: datetime) -> None:
    await statements.execute(_REMOVE, program_id, *after, *last, before)


async def forget(program_id: UUID, member_id: UUID) -> None:
    """Remove every answer that a member got or that names him, with the hash of what was asked.

    A retry of one is decided anew.
    """
    await statements.execute(
        "delete from idempotency where program_id = $1 and (caller = $2 or result::text like $3)",
        program_id,
        f"member:{member_id}",
        f"%{member_id}%",
    )
