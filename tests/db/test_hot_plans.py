"""What is done all day reads no table from end to end that grows, be it empty yet or filled."""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import asyncpg
import pytest

from loyalty_graph import leases
from loyalty_graph.db import open_database, pipelining, postgres
from loyalty_graph.db.pipelining import Statement
from loyalty_graph.jobs import service as jobs
from loyalty_graph.jobs.rules import Handler, Job
from loyalty_graph.ledger import reads
from loyalty_graph.outbox import numbering
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import purchases
from loyalty_graph.wallet import pushes
from loyalty_graph.wallet.pushes import Wanted
from tests.shop import GOLDEN, NOON, giving, open_shop

MINUTE = timedelta(minutes=1)
STATEMENT = re.compile(r"(select|with|insert|update|delete)\b", re.IGNORECASE)
COPIES = 2_000
AT_LEAST = 50
ALWAYS_SMALL = {"program", "program_version", "earning_rules", "lease", "fact_count", "job"}
"""A programme has few of these, however long it runs; of jobs only those still to be done."""


class Said(NamedTuple):
    """A statement as it was sent, with its values, and whether that was in a transaction."""

    sql: str
    values: tuple[Any, ...] = ()
    is_inside: bool = False


async def do_what_is_done_all_day() -> None:
    """Sell, bring back, redeem, read a wallet, number facts, claim pushes and jobs."""
    shop = await open_shop(giving())
    members = [await shop.enrol(external_id=f"member-{number}") for number in range(3)]
    receipts = [shop.receipt(member) for member in members]
    await purchases.record(shop.program_id, receipts, now=shop.now)
    bought = await shop.buy(members[0], (Line("COFFEE", 2, 450), *GOLDEN), pay_points=0)
    await shop.buy(members[0], external_id="of the day")
    await shop.bring_back(bought, {1: 1})
    await shop.give_back(await shop.redeem(members[1], 50))
    await shop.want(members[2])
    ids = [member.id for member in members]
    for some in (ids[:1], ids):
        await reads.balances(shop.program_id, some, now=shop.now)
        await reads.expirations(shop.program_id, some, now=shop.now)
        await reads.newest_entries(shop.program_id, some, limit=10)
        await reads.newest_entries(shop.program_id, some, limit=10, before=2)
    held = await leases.take(numbering.NUMBERING, uuid4(), now=NOON, life=MINUTE)
    assert held is not None
    assert await numbering.waiting()
    assert await numbering.number(held)
    await pushes.want([Wanted("APPLE", "cards", "phone", 1, NOON)], now=NOON)
    assert await pushes.claim("APPLE", "cards", uuid4(), limit=9, now=NOON, until=NOON + MINUTE)
    await jobs.add(shop.program_id, "polish", "cups", due_at=NOON)
    assert await jobs.claim("polish", Handler(nothing), limit=9, now=NOON, until=NOON + MINUTE)


async def nothing(_job: Job) -> None:
    """Do no job."""


@pytest.mark.postgres
async def test_on_postgresql_no_hot_statement_scans_a_table_that_grows(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    said = dict[str, Said]()
    prepare = postgres._prepare

    async def listen(connection: asyncpg.Connection) -> None:
        await prepare(connection)
        connection.add_query_logger(lambda record: note(connection, record))

    def note(connection: asyncpg.Connection, record: Any) -> None:
        if STATEMENT.match(record.query):
            # Of many rows for one statement the first will do.
            values = record.args[0] if isinstance(record.args, list) else record.args
            is_inside = connection.is_in_transaction()
            said.setdefault(record.query, Said(record.query, tuple(values), is_inside))

    async def prepared(connection: Any, ahead: Sequence[Statement], last: Statement) -> bytes:
        for one in ahead:
            if STATEMENT.match(one.text):
                said.setdefault(one.text, Said(one.text, tuple(one.values), is_inside=True))
        return await prepared_really(connection, ahead, last)

    prepared_really = pipelining.prepared
    monkeypatch.setattr(pipelining, "prepared", prepared)
    monkeypatch.setattr(postgres, "_prepare", listen)
    async with open_database(database_url):
        await do_what_is_done_all_day()
    connection = await asyncpg.connect(database_url)
    try:
        # Outside of transactions a few rows may be scanned: with more of them it is planned anew.
        inside = [one for one in said.values() if one.is_inside]
        while_few = await scanned_on_postgres(connection, inside)
        await multiply_on_postgres(connection)
        once_many = await scanned_on_postgres(connection, said.values())
    finally:
        await connection.close()

    assert len(said) > AT_LEAST
    assert (while_few, once_many) == ({}, {})


@pytest.mark.postgres
async def test_on_postgresql_a_scan_is_seen(database_url: str):
    sql = "SELECT * FROM purchase_line WHERE sku = 'x'"
    connection = await asyncpg.connect(database_url)
    try:
        scanned = await scanned_on_postgres(connection, [Said(sql, is_inside=True)])
    finally:
        await connection.close()

    assert scanned == {sql: {"purchase_line"}}


@pytest.mark.sqlite
async def test_on_sqlite_no_hot_statement_scans_a_table_that_grows(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    said = dict[str, Said]()
    connect = sqlite3.connect

    def listen(*given: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*given, **options)
        connection.set_trace_callback(note)
        return connection

    def note(sql: str) -> None:
        if STATEMENT.match(sql):
            said.setdefault(re.sub(r"'[^']*'|\b\d+\b", "?", sql), Said(sql))

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", listen)
        async with open_database(database_url):
            await do_what_is_done_all_day()
    with closing(sqlite3.connect(file_of(database_url))) as connection:
        while_few = scanned_on_sqlite(connection, said.values())
        multiply_on_sqlite(connection)
        once_many = scanned_on_sqlite(connection, said.values())

    assert len(said) > AT_LEAST
    assert (while_few, once_many) == ({}, {})


@pytest.mark.sqlite
def test_on_sqlite_a_scan_is_seen(database_url: str):
    plain = "SELECT * FROM purchase_line WHERE sku = 'x'"
    named = "SELECT t.points FROM purchase_line AS t WHERE t.sku = 'x'"
    with closing(sqlite3.connect(file_of(database_url))) as connection:
        scanned = scanned_on_sqlite(connection, [Said(plain), Said(named)])

    assert scanned == {plain: {"purchase_line"}, named: {"purchase_line"}}


async def scanned_on_postgres(
    connection: asyncpg.Connection, said: Iterable[Said]
) -> dict[str, set[str]]:
    """Return which statements scan which tables that grow."""
    found: dict[str, set[str]] = {}
    for one in said:
        async with connection.transaction():
            if one.is_inside:
                await connection.execute("SET LOCAL enable_seqscan = off")
            rows = await connection.fetch(f"EXPLAIN {one.sql}", *one.values)
        plan = "\n".join(row[0] for row in rows)
        if scanned := set(re.findall(r"Seq Scan on (\w+)", plan)) - ALWAYS_SMALL:
            found[one.sql] = scanned
    return found


def scanned_on_sqlite(connection: sqlite3.Connection, said: Iterable[Said]) -> dict[str, set[str]]:
    """Return which statements scan which tables that grow, or an index of theirs.

    An index of some rows only may be scanned: it holds what is still to be done.
    """
    listed = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
    of_some = {f"INDEX {name}" for (name,) in connection.execute(listed)}
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    found: dict[str, set[str]] = {}
    for one in said:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {one.sql}")]
        scans = [step for step in steps if step.startswith("SCAN ")]
        named = {step.split()[1] for step in scans if not any(map(step.endswith, of_some))}
        called = {
            alias: table
            for table, alias in re.findall(r'"?(\w+)"? (?:AS )?"?(\w+)"?', one.sql)
            if table in tables
        }
        scanned = {called.get(name, name) for name in named} & tables - ALWAYS_SMALL
        if scanned:
            found[one.sql] = scanned
    return found


async def multiply_on_postgres(connection: asyncpg.Connection) -> None:
    """Let each table have many more rows like those it has, of other members."""
    for (table,) in await connection.fetch("SELECT relname FROM pg_stat_user_tables"):
        columns = await connection.fetch(
            """SELECT a.attname, format_type(a.atttypid, NULL), a.atttypmod NOT BETWEEN 0 AND 30
            AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique
            AND a.attnum = ANY (i.indkey)) FROM pg_attribute a
            WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped""",
            table,
        )
        chosen = ", ".join(another_on_postgres(*column) for column in columns)
        some = f'(TABLE "{table}" LIMIT 3) t, generate_series(1, {COPIES}) n'
        await connection.execute(
            f'INSERT INTO "{table}" SELECT {chosen} FROM {some} ON CONFLICT DO NOTHING'  # noqa: S608 - names of our own
        )
    await connection.execute("ANALYZE")


def another_on_postgres(column: str, kind: str, can_differ: bool) -> str:  # noqa: FBT001 - a row of the catalogue
    if kind == "uuid" and column != "program_id":
        return "gen_random_uuid()"
    if can_differ and kind in {"text", "character varying"}:
        return f't."{column}" || n'
    return f't."{column}" + 10 + n' if column == "sequence" else f't."{column}"'


def multiply_on_sqlite(connection: sqlite3.Connection) -> None:
    """Let each table have many more rows like those it has, of other members."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    numbers = "SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?"
    for (table,) in connection.execute(tables).fetchall():
        columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", [table])
        chosen = ", ".join(another_on_sqlite(*column) for column in columns.fetchall())
        connection.execute(
            f'INSERT OR IGNORE INTO "{table}" WITH RECURSIVE numbers (n) AS ({numbers}) '  # noqa: S608 - names of our own
            f'SELECT {chosen} FROM (SELECT * FROM "{table}" LIMIT 3) t, numbers',
            [COPIES],
        )
    connection.execute("ANALYZE")


def another_on_sqlite(column: str, kind: str) -> str:
    if kind == "CHAR(36)" and column != "program_id":
        return "lower(hex(randomblob(18)))"
    if kind in {"VARCHAR(100)", "VARCHAR(255)"}:
        return f't."{column}" || n'
    return f't."{column}" + 10 + n' if column == "sequence" else f't."{column}"'


def file_of(url: str) -> str:
    return url.removeprefix("sqlite://").partition("?")[0]
