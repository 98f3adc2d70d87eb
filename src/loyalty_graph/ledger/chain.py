"""The hash chain of a member's transfers: whoever changes one breaks every later link."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

_DOMAIN = b"loyalty-graph ledger 1"


Opened = tuple[int, datetime, datetime | None]
"""A lot that was opened: its points, its expiry, and when they can be spent if not at once."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The parts of a transfer that its hash covers.

    `opened` is the lot it opened, `uses` are (lot sequence, points) pairs, sorted.
    """

    sequence: int
    kind: str
    debit: str
    credit: str
    points: int
    qualifying: int
    at: datetime
    recorded_at: datetime
    reference: str
    rule_version: int | None
    opened: Opened | None
    uses: Sequence[tuple[int, int]]
    details_hash: bytes


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value (RFC 8785).

    Our values hold no floats and only ASCII keys; for those, sorted keys and orjson's compact
    output are the canonical form.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def genesis(program_id: UUID, member_id: UUID) -> bytes:
    """Return what a member's first transfer is linked to, so that no chain fits another member."""
    return hashlib.sha256(_DOMAIN + program_id.bytes + member_id.bytes).digest()


def details_hash(salt: bytes, text: str, actor: str, explanation: dict[str, Any] | None) -> bytes:
    """Return the hash of the parts that may be erased; the salt keeps it from being guessed."""
    return hashlib.sha256(salt + canonical(details(text, actor, explanation))).digest()


def details(text: str, actor: str, explanation: dict[str, Any] | None) -> dict[str, Any]:
    """Return the parts that may be erased, as JSON values."""
    return {"actor": actor, "explanation": explanation, "text": text}


def link(previous: bytes, given: Fields) -> bytes:
    """Return the hash of a transfer whose predecessor has the hash `previous`."""
    return hashlib.sha256(previous + canonical(covered(given))).digest()


def covered(given: Fields) -> dict[str, Any]:
    """Return what a transfer's hash covers, as JSON values."""
    return {
        "at": instant(given.at),
        "credit": given.credit,
        "debit": given.debit,
        "details": given.details_hash.hex(),
        "kind": given.kind,
        "opened": None if given.opened is None else _opened(given.opened),
        "points": given.points,
        "qualifying": given.qualifying,
        "recorded_at": instant(given.recorded_at),
        "reference": given.reference,
        "rule_version": given.rule_version,
        "sequence": given.sequence,
        "uses": [list(use) for use in given.uses],
    }


def _opened(lot: Opened) -> list[int | str]:
    points, *times = lot
    return [points, *(instant(one) for one in times if one is not None)]


def instant(value: datetime) -> str:
    """Return a moment as everything that is hashed or signed has it."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")
