"""What Google was last given of each object, and which states of cards have thereby arrived."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Lookup, Row, Update, Upsert, fetch, store
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.google.budget import Key
from loyalty_graph.wallet.google.models import GoogleClassRow, GoogleObjectRow
from loyalty_graph.wallet.google.rules import Shown
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform

_GIVEN = ("given", "balance", "tier", "points_expire_at")
_PASS = ("member_id", "platform", "serial")


@dataclass(frozen=True, slots=True)
class Given:
    """A digest of each field that Google was given, and what of it members are told of.

    There are no fields while it is only known that Google has the object.
    """

    fields: Mapping[str, str]
    shown: Shown


@dataclass(frozen=True, slots=True)
class Arrived:
    """A state of a pass that Google has now; `tag` is the newest change it holds.

    `read_at` is when it was asked for, `holds_until` when the card shows something else by itself.
    """

    program_id: UUID
    member_id: UUID
    serial: str
    tag: int
    read_at: datetime
    holds_until: datetime | None
    given: Given


async def read(keys: Collection[Key]) -> dict[Key, Given]:
    """Return what Google was given of these passes; absent where that is not known."""
    found: dict[Key, Given] = {}
    for program_id, serials in _by_program(keys).items():
        lookup = Lookup(GoogleObjectRow, ("serial",), [(one,) for one in serials], _GIVEN)
        [rows] = await fetch(program_id, lookup)
        for serial, hits in zip(serials, rows, strict=True):
            for fields, *shown in hits:
                found[program_id, serial] = Given(fields, Shown(*shown))
    return found


async def exist(program_id: UUID, faces: Mapping[str, CardFace]) -> None:
    """Write down that Google has these objects (by serial), unless more is known of them."""
    rows = [
        GoogleObjectRow(
            program_id=program_id,
            serial=serial,
            given={},
            balance=shown.balance,
            tier=shown.tier,
            points_expire_at=shown.points_expire_at,
            notified=[],
        )
        for serial, face in sorted(faces.items())
        for shown in [shown_of(face)]
    ]
    if rows:
        await GoogleObjectRow.bulk_create(rows, ignore_conflicts=True)


async def doubt_everything() -> None:
    """Take it that nobody knows in which state Google has what it has: all is sent anew."""
    await GoogleClassRow.all().delete()
    await GoogleObjectRow.all().update(given={})


async def forget(program_id: UUID) -> None:
    """Forget what Google was given of a programme's passes: it has none of it any more."""
    await GoogleObjectRow.filter(program_id=program_id).delete()


def shown_of(face: CardFace) -> Shown:
    """Return what members are told of when it changes."""
    expire_at = face.expires_at if face.expiring_points else None
    return Shown(face.points_balance, face.tier_name, expire_at)


@transaction
async def keep(arrived: Sequence[Arrived], *, now: datetime) -> None:
    """Write down what Google was given, and up to which change each pass is delivered."""
    by_program: defaultdict[UUID, list[Arrived]] = defaultdict(list)
    for one in arrived:
        by_program[one.program_id].append(one)
    for program_id, ours in sorted(by_program.items()):
        await _keep(program_id, sorted(ours, key=lambda one: (one.member_id, one.serial)), now)


async def _keep(program_id: UUID, arrived: Sequence[Arrived], now: datetime) -> None:
    keys = [(one.member_id, Platform.GOOGLE.value, one.serial) for one in arrived]
    columns = ("delivered_tag", "stale_since")
    [rows] = await fetch(program_id, Lookup(PassRow, _PASS, keys, columns, lock=True))
    # A worker that was held up may come with what another one has overtaken.
    current = [
        (key, tag, stale_since, one)
        for key, hits, one in zip(keys, rows, arrived, strict=True)
        for tag, stale_since in hits
        if tag is None or tag <= one.tag
    ]
    newer = [
        # What changed before it was read is in it.
        (*key, one.tag, now, max(stale_since, one.read_at), one.holds_until)
        for key, tag, stale_since, one in current
        if tag is None or tag < one.tag
    ]
    records: list[Row] = [
        (
            one.serial,
            one.given.fields,
            one.given.shown.balance,
            one.given.shown.tier,
            one.given.shown.points_expire_at,
            [],
        )
        for _, _, _, one in current
    ]
    merge = tuple((column, f"excluded.{column}") for column in _GIVEN)
    written = ("delivered_tag", "delivered_at", "stale_since", "holds_until")
    writes = (
        Update(PassRow, _PASS, written, newer),
        Upsert(GoogleObjectRow, ("serial",), ("serial", *_GIVEN, "notified"), records, merge),
    )
    await store(program_id, writes)


def _by_program(keys: Collection[Key]) -> dict[UUID, list[str]]:
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    for program_id, serial in keys:
        found[program_id].append(serial)
    return found
