"""Reads and writes in sets, on tables that hold every kind of column."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from tortoise.exceptions import IntegrityError

from loyalty_graph.db import connection, set_sqlite, transaction
from loyalty_graph.db.sets import (
    Insert,
    Lookup,
    Row,
    Update,
    Upsert,
    Write,
    fetch,
    fetch_unique,
    keys_below,
    store,
)
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.models import AccountRow, LotRow, TransferRow
from loyalty_graph.members.models import Consent, Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.models import MemberSummary, PurchaseLine

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PROGRAM, OTHER, ADA, BOB, CARL = sorted(new_id(NOON + timedelta(seconds=n)) for n in range(5))
LOT = ("member_id", "sequence", "points", "remaining_points", "expires_at", "is_pending")
FACT = ("id", "kind", "member_id", "at", "payload")


@transaction
async def write(*writes: Write, program_id: UUID = PROGRAM) -> None:
    await store(program_id, writes)


@transaction
async def read(*lookups: Lookup, program_id: UUID = PROGRAM) -> list[list[list[Row]]]:
    return await fetch(program_id, *lookups)


def lots(*rows: tuple[UUID, int, int]) -> Insert:
    """Return lots of 10 points, given as (member, sequence, days to live)."""
    return Insert(
        LotRow,
        LOT,
        [
            (who, sequence, 10, 10, NOON + timedelta(days=days), False)
            for who, sequence, days in rows
        ],
    )


def marks(*rows: tuple[UUID, datetime]) -> Upsert:
    merge = (("marked_at", "excluded.marked_at"),)
    return Upsert(CardMark, ("member_id",), ("member_id", "marked_at"), rows, merge)


def of_members(*members: UUID, columns: tuple[str, ...] = ("sequence",), **more: Any) -> Lookup:
    return Lookup(LotRow, ("member_id",), [(one,) for one in members], columns, **more)


async def same_again(model: Any, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Assert that rows come back as they were written, by a look-up and by Tortoise."""
    await write(Insert(model, columns, rows))

    keys = [(row[0],) for row in rows]
    [found] = await read(Lookup(model, (columns[0],), keys, columns))
    assert found == [[row] for row in rows]
    for [row], written in zip(found, rows, strict=True):
        for value, given in zip(row, written, strict=True):
            assert isinstance(value, type(given))
    for row in rows:
        stored = await model.get(**{columns[0]: row[0]})
        assert tuple(getattr(stored, column) for column in columns) == row


async def test_identifiers_texts_booleans_and_times_come_back(database: object):
    columns = ("id", "member_id", "purpose", "granted", "at", "source")
    rows = [
        (ADA, BOB, "TERMS", True, NOON, "till"),
        (BOB, BOB, "é 😂 '\"\\ \n", False, NOON + timedelta(microseconds=1), ""),
    ]

    await same_again(Consent, columns, rows)


async def test_a_value_of_its_own_finds_its_row_in_any_programme(database: object):
    columns = ("id", "member_id", "purpose", "granted", "at", "source")
    row = (ADA, BOB, "TERMS", True, NOON, "till")
    await write(Insert(Consent, columns, [row]), program_id=OTHER)

    found = await fetch_unique(Consent, "id", [CARL, ADA], ("program_id", *columns))
    assert found == [None, (OTHER, *row)]
    assert await fetch_unique(Consent, "id", [CARL], columns) == [None]


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ([(ADA, 3)], [[(2,), (1,)]]),
        ([(ADA, 1)], [[]]),
        ([(BOB, 2), (ADA, 4), (CARL, 9)], [[(1,)], [(3,), (2,)], []]),
    ],
    ids=["one key", "nothing below", "a bound for each key"],
)
async def test_only_rows_below_a_bound_are_found(
    database: object, bounds: list[Row], found: list[list[Row]]
):
    await write(lots((ADA, 1, 1), (ADA, 2, 1), (ADA, 3, 1), (BOB, 1, 1), (BOB, 2, 1)))

    newest = replace(of_members(), below="sequence", order_by="sequence DESC", limit=2)

    assert await read(replace(newest, keys=bounds)) == [found]


def test_a_bound_is_a_part_of_the_key():
    assert keys_below([ADA, BOB], 3) == [(ADA, 3), (BOB, 3)]
    assert keys_below([ADA, BOB], None) == [(ADA,), (BOB,)]


async def test_dates_and_what_is_missing_come_back(database: object):
    columns = ("id", "number", "status", "email", "birthday", "locale", "enrolled_at")
    rows = [
        (ADA, "900000000001", "ACTIVE", None, date(1990, 12, 10), "en", NOON),
        (BOB, "900000000002", "ACTIVE", "bob@example.com", None, "de", NOON),
    ]

    await same_again(Member, columns, rows)


async def test_json_comes_back(database: object):
    payloads: list[dict[str, Any]] = [
        {},
        {"list": [1, [None, True]], "text": "é 😂 \"'\\", "nested": {"large": 2**53}},
    ]
    rows = [
        (one, "k", None, NOON, payload) for one, payload in zip((ADA, BOB), payloads, strict=True)
    ]

    await same_again(FactRow, FACT, rows)


async def test_large_numbers_and_bytes_come_back(database: object):
    columns = (
        *("member_id", "status", "balance_points", "held_points", "pending_points"),
        *("qualifying_points", "lifetime_points", "sequence", "head"),
    )
    rows = [
        (ADA, "ACTIVE", -(2**63), 0, 0, 0, 2**63 - 1, 2**31 - 1, b""),
        (BOB, "ACTIVE", 0, 0, 0, 0, 0, 0, bytes(range(256))),
    ]

    await same_again(AccountRow, columns, rows)


async def test_empty_json_is_not_missing_json(database: object):
    columns = (
        *("member_id", "sequence", "kind", "debit", "credit", "points", "balance_after", "at"),
        *(
            "qualifying_points",
            "recorded_at",
            "reference",
            "rule_version",
            "text",
            "actor",
            "explanation",
            "salt",
        ),
        *("details_hash", "hash"),
    )
    filler: tuple[Any, ...] = ("K", "A", "B", 1, 1, NOON, 0, NOON)
    rows = [
        (ADA, 1, *filler, "r", None, "", "", None, b"", b"", b""),
        (BOB, 1, *filler, "r", 1, "", "", {}, b"s", b"", b""),
    ]

    await same_again(TransferRow, columns, rows)


async def test_a_time_of_another_zone_is_the_same_instant(database: object):
    tokyo = (NOON + timedelta(days=1)).astimezone(timezone(timedelta(hours=9)))
    await write(
        Insert(LotRow, LOT, [(ADA, 1, 10, 10, tokyo, False)]), lots((ADA, 2, 2), (ADA, 3, 0))
    )

    [[found]] = await read(
        of_members(ADA, columns=("sequence", "expires_at"), order_by="expires_at")
    )

    assert found == [
        (3, NOON),
        (1, NOON + timedelta(days=1)),
        (2, NOON + timedelta(days=2)),
    ]


async def test_a_time_can_be_a_key(database: object):
    await write(lots((ADA, 1, 1), (ADA, 2, 2)))
    tokyo = (NOON + timedelta(days=2)).astimezone(timezone(timedelta(hours=9)))

    [[found]] = await read(Lookup(LotRow, ("expires_at",), [(tokyo,)], ("sequence",)))

    assert found == [(2,)]


async def test_whole_seconds_sort_before_their_fractions(database: object):
    times = [NOON + timedelta(microseconds=n) for n in (0, 1, 10, 999_999, 1_000_000)]
    rows = [(ADA, n, 10, 10, at, False) for n, at in enumerate(times)]
    await write(Insert(LotRow, LOT, rows))

    [[found]] = await read(of_members(ADA, order_by="expires_at"))

    assert found == [(0,), (1,), (2,), (3,), (4,)]


async def test_each_key_has_its_rows_in_the_order_of_the_keys(database: object):
    await write(lots((ADA, 1, 1), (ADA, 2, 2), (BOB, 1, 3)))

    [found] = await read(of_members(BOB, CARL, ADA, BOB, order_by="sequence"))

    assert found == [[(1,)], [], [(1,), (2,)], [(1,)]]


async def test_several_lookups_are_answered_in_their_order(database: object):
    await write(lots((ADA, 1, 1)), marks((BOB, NOON)))

    found = await read(
        of_members(ADA), Lookup(CardMark, ("member_id",), [(BOB,)], ("marked_at",)), of_members()
    )

    assert found == [[[(1,)]], [[(NOON,)]], []]


async def test_a_key_of_several_columns_finds_one_row(database: object):
    await write(lots((ADA, 1, 1), (ADA, 2, 2), (BOB, 2, 3)))

    [found] = await read(
        Lookup(LotRow, ("member_id", "sequence"), [(ADA, 2), (BOB, 1)], ("points", "sequence"))
    )

    assert found == [[(10, 2)], []]


async def test_rows_are_filtered_sorted_and_limited_for_each_key(database: object):
    await write(lots((ADA, 1, 3), (ADA, 2, 1), (ADA, 3, 2), (BOB, 1, 9), (BOB, 2, 8)))
    await LotRow.filter(member_id=ADA, sequence=2).update(remaining_points=0)

    [found] = await read(
        of_members(ADA, BOB, where="remaining_points > 0", order_by="expires_at DESC", limit=1)
    )

    assert found == [[(1,)], [(1,)]]


async def test_nothing_equals_a_missing_value(database: object):
    await write(Insert(FactRow, FACT, [(ADA, "k", None, NOON, {})]))

    [found] = await read(Lookup(FactRow, ("member_id",), [(None,)], ("id",)))

    assert found == [[]]


async def test_programmes_do_not_see_each_other(database: object):
    await write(lots((ADA, 1, 1)))
    await write(lots((ADA, 1, 2)), program_id=OTHER)
    by = ("member_id", "sequence")
    await write(Update(LotRow, by, ("remaining_points",), [(ADA, 1, 4)]), program_id=OTHER)

    own = await read(of_members(ADA, columns=("remaining_points",)))
    others = await read(of_members(ADA, columns=("remaining_points",)), program_id=OTHER)

    assert (own, others) == ([[[(10,)]]], [[[(4,)]]])


async def test_an_update_changes_the_rows_it_names(database: object):
    await write(lots((ADA, 1, 1), (ADA, 2, 2), (BOB, 1, 3)))
    changed = NOON + timedelta(days=9)

    await write(
        Update(
            LotRow,
            ("member_id", "sequence"),
            ("remaining_points", "expires_at"),
            [(ADA, 2, 7, changed), (BOB, 1, 0, changed), (CARL, 1, 1, changed)],
        )
    )

    [found] = await read(
        of_members(ADA, BOB, CARL, columns=("remaining_points", "expires_at"), order_by="sequence")
    )
    assert found == [[(10, NOON + timedelta(days=1)), (7, changed)], [(0, changed)], []]


async def test_two_updates_of_one_row_are_a_mistake_on_every_database(database: object):
    by = ("member_id", "sequence")
    await write(lots((ADA, 1, 1), (ADA, 2, 1)))

    await write(
        Update(LotRow, by, ("remaining_points",), [(ADA, 1, 4)]),
        Update(LotRow, by, ("is_pending",), [(ADA, 2, True)]),
    )
    with pytest.raises(AssertionError, match="a row of lot is updated twice"):
        await write(
            Update(LotRow, by, ("remaining_points",), [(ADA, 1, 3)]),
            Update(LotRow, by, ("is_pending",), [(ADA, 1, True)]),
        )

    columns = ("remaining_points", "is_pending")
    [[found]] = await read(of_members(ADA, columns=columns, order_by="sequence"))
    assert found == [(4, False), (10, True)]


async def test_an_upsert_inserts_or_merges(database: object):
    columns = ("member_id", "purchase_count", "spend_minor", "last_purchase_at")
    merge = (
        ("purchase_count", "member_summary.purchase_count + excluded.purchase_count"),
        ("spend_minor", "excluded.spend_minor"),
    )
    one = Upsert(MemberSummary, ("member_id",), columns, [(ADA, 1, 500, NOON)], merge)
    later = NOON + timedelta(days=1)

    await write(one)
    await write(replace(one, rows=[(ADA, 2, 70, later), (BOB, 1, 80, later)]))

    [found] = await read(Lookup(MemberSummary, ("member_id",), [(ADA,), (BOB,)], columns))
    assert found == [[(ADA, 3, 70, NOON)], [(BOB, 1, 80, later)]]


async def test_all_kinds_of_writes_go_in_one_call(database: object):
    await write(lots((ADA, 1, 1)))

    await write(
        lots((BOB, 1, 1)),
        Update(LotRow, ("member_id", "sequence"), ("remaining_points",), [(ADA, 1, 3)]),
        marks((ADA, NOON), (BOB, NOON)),
    )

    [found] = await read(of_members(ADA, BOB, columns=("remaining_points",)))
    assert found == [[(3,)], [(10,)]]
    assert await CardMark.all().count() == 2


async def test_writing_nothing_does_nothing(database: object):
    await write()
    await write(lots(), marks(), Update(LotRow, ("member_id",), ("points",), []))

    assert await LotRow.all().count() == await CardMark.all().count() == 0


async def test_a_broken_rule_undoes_every_write_of_the_call(database: object):
    await write(lots((ADA, 1, 1)))

    with pytest.raises(IntegrityError):
        await write(marks((ADA, NOON)), lots((BOB, 1, 1), (ADA, 1, 1)))

    assert await LotRow.all().count() == 1
    assert await CardMark.all().count() == 0


async def test_a_lookup_needs_no_transaction(database: object):
    await write(lots((ADA, 1, 1)))

    assert await fetch(PROGRAM, of_members(ADA, lock=True)) == [[[(1,)]]]


@pytest.mark.postgres
async def test_a_locked_row_waits_for_the_transaction(database: Any, database_url: str):
    """Another connection cannot lock a row that was looked up with `lock`; its neighbour it can."""
    import asyncpg

    await write(marks((ADA, NOON), (BOB, NOON)))
    other = await asyncpg.connect(database_url)

    @transaction
    async def holding() -> list[bool]:
        by = Lookup(CardMark, ("member_id",), [(ADA,)], ("member_id",), lock=True)
        await fetch(PROGRAM, by)
        free = "SELECT member_id FROM card_mark ORDER BY 1 FOR NO KEY UPDATE SKIP LOCKED"
        return [row["member_id"] == BOB for row in await other.fetch(free)]

    try:
        assert await holding() == [True]
        assert len(await other.fetch("SELECT 1 FROM card_mark FOR NO KEY UPDATE SKIP LOCKED")) == 2
    finally:
        await other.close()


LOOKUPS = [
    of_members(ADA, BOB, where="remaining_points > 0", order_by="expires_at, sequence", limit=64),
    of_members(ADA, BOB, where="remaining_points > 0", order_by="expires_at, sequence"),
    Lookup(LotRow, ("member_id", "sequence"), [(ADA, 1)], ("points",)),
    Lookup(PurchaseLine, ("member_id", "purchase_id"), [(ADA, BOB)], ("number",)),
    Lookup(TransferRow, ("member_id", "kind", "reference"), [(ADA, "EARN", "r")], ("sequence",)),
    Lookup(
        TransferRow,
        ("member_id",),
        [(ADA, 9), (BOB, 7)],
        ("sequence",),
        order_by="sequence DESC",
        limit=10,
        below="sequence",
    ),
    Lookup(AccountRow, ("member_id",), [(ADA,), (BOB,)], ("sequence",), lock=True),
]


@transaction
async def plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return how the server runs each look-up, as text."""
    found: list[str] = []
    client = type(connection())
    run = client.execute_query

    async def explain(self: Any, query: str, values: list[Any]) -> Any:
        _, rows = await run(self, f"EXPLAIN {query}", values)
        found.append("\n".join(row[0] for row in rows))
        return 0, []

    with monkeypatch.context() as patch:
        patch.setattr(client, "execute_query", explain)
        await fetch(PROGRAM, *LOOKUPS)
    return found


@pytest.mark.postgres
async def test_lookups_use_indexes_on_empty_and_on_full_tables(
    database: Any, monkeypatch: pytest.MonkeyPatch
):
    on_empty = await plans(monkeypatch)
    await database.execute_script(FILLING.format(program=PROGRAM))
    await database.execute_script("ANALYZE")
    on_full = await plans(monkeypatch)

    for plan in (*on_empty, *on_full):
        assert "Seq Scan" not in plan, plan
        assert "Index" in plan, plan


FILLING = """
INSERT INTO account SELECT gen_random_uuid(), '{program}', 'ACTIVE', 0, 0, 0, 0, 0, 0, ''
FROM generate_series(1, 2000);
INSERT INTO lot SELECT member_id, program_id, n, 10, 10, now(), NULL, FALSE
FROM account, generate_series(1, 5) n
"""


@pytest.mark.sqlite
async def test_lookups_use_indexes_on_sqlite(database: Any):
    for lookup in LOOKUPS:
        query = set_sqlite.lookup_sql(lookup)
        values = ["x"] * (len(lookup.keyed) + 1)
        rows = await database.execute_query_dict(f"EXPLAIN QUERY PLAN {query}", values)
        plan = " ".join(row["detail"] for row in rows)
        assert f"SEARCH {lookup.model._meta.db_table} USING" in plan, plan
        assert "SCAN" not in plan, plan
        assert "TEMP B-TREE" not in plan, plan
