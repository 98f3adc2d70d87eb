"""How PostgreSQL runs what `db.sets` sends: by key, also when it was planned on empty tables."""

import re
from typing import Any
from uuid import UUID

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.models import Model

from loyalty_graph.db import connection, set_postgres, transaction
from loyalty_graph.db.sets import Lookup
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.identity.models import ApiToken
from loyalty_graph.ledger.models import AccountRow, LotRow, TransferRow
from loyalty_graph.purchases.models import PurchaseLine
from loyalty_graph.rewards.models import RedemptionRow, RewardStock, VoucherRow, VoucherUseRow

pytestmark = pytest.mark.postgres

LOOKUPS: dict[str, tuple[type[Model], tuple[str, ...], dict[str, Any]]] = {
    "locked accounts": (AccountRow, ("member_id",), {"lock": True}),
    "answers": (IdempotencyRow, ("caller", "key"), {}),
    "some lots": (LotRow, ("member_id", "sequence"), {"limit": 64}),
    "redemptions": (RedemptionRow, ("member_id", "id"), {}),
    "codes": (RedemptionRow, ("code_hash",), {}),
    "locked stock": (RewardStock, ("reward",), {"lock": True}),
    "voucher uses": (VoucherUseRow, ("member_id", "voucher_id"), {"order_by": "number"}),
    "entries": (TransferRow, ("member_id", "kind", "reference"), {}),
}
UPDATES: dict[str, tuple[type[Model], tuple[str, ...], tuple[str, ...]]] = {
    "accounts": (AccountRow, ("member_id",), ("balance_points", "sequence")),
    "lots": (LotRow, ("member_id", "sequence"), ("remaining_points",)),
    "redemptions": (RedemptionRow, ("member_id", "id"), ("state", "restocked")),
    "vouchers": (VoucherRow, ("member_id", "id"), ("remaining_minor",)),
    "lines": (PurchaseLine, ("member_id", "purchase_id", "number"), ("refunded_quantity",)),
}
VALUES = {
    "uuid": UUID(int=2),
    "text": "x",
    "int": 3,
    "smallint": 3,
    "bigint": 3,
    "bool": True,
    "bytea": b"x",
}


@pytest.mark.parametrize("keys", [1, 2])
@pytest.mark.parametrize("case", LOOKUPS)
async def test_a_look_up_planned_on_an_empty_table_uses_every_column_of_its_key(
    database: BaseDBAsyncClient, case: str, keys: int
):
    model, by, options = LOOKUPS[case]
    lookup = Lookup(model, by, [()] * keys, by, **options)
    sql = set_postgres.lookup_sql(lookup, place=0, first=2)

    plan = await plan_of(sql)

    assert "Seq Scan" not in plan
    assert sorted(key_columns(plan)) == sorted(["program_id", *by])


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("case", UPDATES)
async def test_an_update_planned_on_an_empty_table_uses_every_column_of_its_key(
    database: BaseDBAsyncClient, case: str, *, single: bool
):
    model, by, columns = UPDATES[case]
    sql = set_postgres.write_sql("update", (model, by, columns, ()), 2, single)

    plan = await plan_of(sql)

    assert "Seq Scan" not in plan
    assert sorted(key_columns(plan)) == sorted(["program_id", *by])


@pytest.mark.parametrize("single", [True, False])
async def test_a_lock_planned_on_an_empty_table_uses_every_column_of_its_key(
    database: BaseDBAsyncClient, *, single: bool
):
    kinds = {"$1": "$1::uuid", "$2": "$2::uuid" if single else "$2::uuid[]"}
    sql = set_postgres.lock_sql(AccountRow, "member_id", single=single)

    plan = await plan_of(re.sub(r"\$\d", lambda mark: kinds[mark[0]], sql))

    assert "Seq Scan" not in plan
    assert sorted(key_columns(plan)) == ["member_id", "program_id"]


async def test_tokens_are_found_by_their_index_however_many_are_asked_for(
    database: BaseDBAsyncClient,
):
    sql = set_postgres.uniques_sql(ApiToken, "token_sha256", ("id", "scopes"))

    plan = await explained(sql, [["x", "y"]])

    assert "Seq Scan" not in plan
    assert key_columns(plan) == ["token_sha256"]


async def plan_of(sql: str) -> str:
    """Return how the statement runs on tables that are empty and were never analysed."""
    kinds = re.findall(r"\$\d+::(\w+)(\[\])?", sql.replace("$1::", ""))
    values = [UUID(int=1), *([VALUES[kind]] * 2 if many else VALUES[kind] for kind, many in kinds)]
    return await explained(sql, values)


@transaction
async def explained(sql: str, values: list[Any]) -> str:
    rows = await connection().execute_query_dict(f"EXPLAIN {sql}", values)
    return "\n".join(row["QUERY PLAN"] for row in rows)


def key_columns(plan: str) -> list[str]:
    """Return the columns that the only index scan of the plan seeks by."""
    [condition] = [line for line in plan.splitlines() if "Index Cond:" in line]
    parts = condition.partition("Index Cond: ")[2].split(" AND ")
    return [part.strip("() ").partition(" =")[0].partition(")::")[0] for part in parts]
