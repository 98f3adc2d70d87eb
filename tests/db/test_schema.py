from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tortoise import Model, fields
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError
from tortoise.fields.base import Field
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.migrations.executor import MigrationExecutor
from tortoise.utils import generate_schema_for_client

from loyalty_graph.db.constraints import (
    AppendOnly,
    Check,
    Constraint,
    FillFactor,
    Index,
    Personal,
    PrimaryKey,
    Unique,
)
from loyalty_graph.db.ddl import SchemaGenerator
from loyalty_graph.db.schema import Dialect, describe, describe_all
from tests.conftest import BACKEND
from tests.db.catalogue import catalogue
from tests.db.steps import Models, first_step, second_step
from tests.db.support import empty_database, initialised, opened

A, B = UUID(int=10), UUID(int=11)


def ledger() -> Models:
    class Account(Model):
        id: UUID = fields.UUIDField(primary_key=True)

        class Meta(Model.Meta):
            table = "account"

    class Transfer(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        account = fields.ForeignKeyField("models.Account", "transfers", db_constraint=False)
        sequence: int = fields.BigIntField()
        points: int = fields.BigIntField()
        reference: str = fields.CharField(max_length=20)

        class Meta(Model.Meta):
            table = "transfer"
            constraints = (
                PrimaryKey("account", "sequence"),
                Check("points > 0", name="transfer_points_positive"),
                Unique("reference", name="transfer_reference_once", where="reference <> ''"),
                AppendOnly(),
                FillFactor(80),
            )
            indexes = (Index("account_id", where="points > 100", include=("sequence",)),)

    return Account, Transfer


@pytest.fixture
async def url(server: str, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database."""
    async with empty_database(server, tmp_path) as place:
        yield place


@pytest.fixture
async def client(url: str) -> AsyncIterator[BaseDBAsyncClient]:
    """A database with the tables of `ledger`, made by our generator, and one transfer."""
    async with opened(url, *ledger()) as opened_client:
        generator = SchemaGenerator(opened_client)
        await generator.generate_from_string(generator.get_create_schema_sql())
        await add(opened_client)
        yield opened_client


async def add(
    client: BaseDBAsyncClient, *, sequence: int = 1, points: int = 5, reference: str = ""
) -> None:
    row = f"('{A}', '{B}', {sequence}, {points}, '{reference}')"
    columns = "(id, account_id, sequence, points, reference)"
    await client.execute_query(f"INSERT INTO transfer {columns} VALUES {row}")  # noqa: S608 - tests


async def all_points(client: BaseDBAsyncClient) -> list[int]:
    found = await client.execute_query_dict("SELECT points FROM transfer ORDER BY sequence")
    return [row["points"] for row in found]


def ledger_as_tortoise_has_it() -> Models:
    class Account(Model):
        id: UUID = fields.UUIDField(primary_key=True)

        class Meta(Model.Meta):
            table = "account"

    class Transfer(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        account = fields.ForeignKeyField("models.Account", "transfers", db_constraint=False)
        points: int = fields.BigIntField()

        class Meta(Model.Meta):
            table = "transfer"
            constraints = (
                CheckConstraint(check="points > 0", name="transfer_points_positive"),
                UniqueConstraint(("points",), name="points_once", condition="points > 9"),
            )

    return Account, Transfer


async def test_tortoise_itself_leaves_the_constraints_out(url: str):
    async with opened(url, *ledger_as_tortoise_has_it(), stock=True) as client:
        await generate_schema_for_client(client, safe=False)

        made = await catalogue()

    assert "checks" not in made["transfer"]
    assert "points" not in str(made["transfer"].get("indexes", ""))


async def test_tortoise_itself_migrates_to_no_constraints_and_a_declined_foreign_key(url: str):
    models = ledger_as_tortoise_has_it()
    async with opened(url, *models, stock=True) as client:
        for model in models:
            await MigrationExecutor(client, {})._schema_editor().create_model(model)

        made = await catalogue()

    assert "checks" not in made["transfer"]
    assert "points" not in str(made["transfer"].get("indexes", ""))
    assert len(made["transfer"]["foreign keys"]) == 1


async def test_tortoise_itself_forgets_the_index_of_a_new_field(url: str):
    class Shop(Model):
        id: int = fields.IntField(primary_key=True)
        city: str = fields.CharField(max_length=20, db_index=True, null=True)

        class Meta(Model.Meta):
            table = "shop"

    async with opened(url, Shop, stock=True) as client:
        await client.execute_script("CREATE TABLE shop (id INT PRIMARY KEY)")
        await MigrationExecutor(client, {})._schema_editor().add_field(Shop, "city")

        made = await catalogue()

    assert "city" in made["shop"]["columns"]
    assert "city" not in str(made["shop"].get("indexes", ""))


@pytest.mark.sqlite
async def test_tortoise_itself_empties_what_refers_to_a_table_it_changes(url: str):
    members = initialised(*first_step())
    async with opened(url, *members, stock=True) as client:
        await generate_schema_for_client(client, safe=False)
        member, entry = f"('{A}', '{A}', 'ada@example.com', 1)", f"('{B}', '{A}', '{A}', 1, 5)"
        await client.execute_script(
            f"INSERT INTO member (id, program_id, email, level) VALUES {member};"  # noqa: S608 - rows of the test
            f"INSERT INTO entry (id, program_id, member_id, sequence, points) VALUES {entry};"
        )
        await MigrationExecutor(client, {})._schema_editor()._remake_table(members[0])

        left = await client.execute_query_dict("SELECT count(*) AS entries FROM entry")

    assert left == [{"entries": 0}]


async def test_ours_makes_what_the_model_says(client: BaseDBAsyncClient):
    made = (await catalogue())["transfer"]

    assert "foreign keys" not in made
    assert list(made["checks"]) == ["transfer_points_positive"]
    if BACKEND == "sqlite":
        assert made["primary key"] == ["account_id", "sequence"]
        assert made["indexes"] == {
            "transfer_account_id_idx": 'CREATE INDEX "transfer_account_id_idx" ON "transfer"'
            ' ("account_id", "sequence") WHERE points > 100',
            "transfer_reference_once": 'CREATE UNIQUE INDEX "transfer_reference_once"'
            ' ON "transfer" ("reference") WHERE reference <> \'\'',
        }
        assert list(made["triggers"]) == ["transfer_refuses_update", "transfer_refuses_delete"]
    else:
        assert made["primary key"] == {"transfer_pkey": "PRIMARY KEY (account_id, sequence)"}
        assert made["indexes"] == {
            "transfer_pkey": "CREATE UNIQUE INDEX transfer_pkey ON public.transfer"
            " USING btree (account_id, sequence)",
            "transfer_account_id_idx": "CREATE INDEX transfer_account_id_idx ON public.transfer"
            " USING btree (account_id) INCLUDE (sequence) WHERE (points > 100)",
            "transfer_reference_once": "CREATE UNIQUE INDEX transfer_reference_once"
            " ON public.transfer USING btree (reference) WHERE ((reference)::text <> ''::text)",
        }
        assert sorted(made["triggers"]) == ["transfer_refuses_change", "transfer_refuses_truncate"]
        assert made["options"] == {"fillfactor=80": "fillfactor=80"}


@pytest.mark.parametrize(
    ("case", "row", "named"),
    [
        ("a second row of the same key", {"sequence": 1}, "sequence|transfer_pkey"),
        ("a value the check forbids", {"sequence": 2, "points": 0}, "transfer_points_positive"),
        ("a second use of a reference", {"sequence": 3, "reference": "a"}, "reference"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
async def test_rows_that_break_a_rule_are_refused(
    client: BaseDBAsyncClient, case: str, row: dict[str, Any], named: str
):
    await add(client, sequence=2, points=7, reference="a")

    with pytest.raises(IntegrityError, match=named):
        await add(client, **row)

    assert await all_points(client) == [5, 7]


async def test_a_condition_limits_what_is_unique(client: BaseDBAsyncClient):
    await add(client, sequence=2, points=6, reference="")

    assert await all_points(client) == [5, 6]


CHANGES = {
    "update": "UPDATE transfer SET points = 6",
    "delete": "DELETE FROM transfer",
    **({"truncate": "TRUNCATE transfer"} if BACKEND == "postgres" else {}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_an_append_only_table_refuses_changes(client: BaseDBAsyncClient, change: str):
    with pytest.raises(IntegrityError, match="transfer is append-only"):
        await client.execute_query(change)

    assert await all_points(client) == [5]


@pytest.mark.sqlite
async def test_replacing_a_row_is_a_change_too_with_recursive_triggers(client: BaseDBAsyncClient):
    await client.execute_script("PRAGMA recursive_triggers = ON")

    with pytest.raises(IntegrityError, match="transfer is append-only"):
        await client.execute_query("REPLACE INTO transfer SELECT * FROM transfer")

    assert await all_points(client) == [5]


def letters() -> type[Model]:
    class Letter(Model):
        id: int = fields.IntField(primary_key=True, generated=False)
        stamp: str | None = fields.CharField(max_length=20, null=True)
        text: str = fields.TextField()
        data: dict[str, Any] | None = fields.JSONField(null=True)
        salt: bytes = fields.BinaryField()

        class Meta(Model.Meta):
            table = "letter"
            constraints = (AppendOnly(), Personal("text", "data", "salt"))

    return Letter


@pytest.fixture
async def letter(url: str) -> AsyncIterator[BaseDBAsyncClient]:
    """A database with a letter, which may be emptied and not be changed otherwise."""
    async with opened(url, letters()) as opened_client:
        generator = SchemaGenerator(opened_client)
        await generator.generate_from_string(generator.get_create_schema_sql())
        salt = "X'6162'" if BACKEND == "sqlite" else "'ab'::bytea"
        values = f"(1, NULL, 'Dear Ada', '{{\"a\": 1}}', {salt})"
        await opened_client.execute_query(f"INSERT INTO letter VALUES {values}")  # noqa: S608 - tests
        yield opened_client


async def kept_letter(client: BaseDBAsyncClient) -> list[object]:
    [row] = await client.execute_query_dict(
        "SELECT id, stamp, text, data IS NULL AS blank, length(salt) AS bytes FROM letter"
    )
    return list(row.values())


NO_SALT = "X''" if BACKEND == "sqlite" else "''::bytea"
EMPTIED = f"text = '', data = NULL, salt = {NO_SALT}"


async def test_what_is_personal_may_be_emptied_again_and_again(letter: BaseDBAsyncClient):
    for _ in range(2):
        await letter.execute_query(f"UPDATE letter SET {EMPTIED}")  # noqa: S608 - tests

    assert await kept_letter(letter) == [1, None, "", 1, 0]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE letter SET text = ''",
        f"UPDATE letter SET text = '', data = NULL, salt = {NO_SALT}, stamp = 'new'",  # noqa: S608 - tests
        f"UPDATE letter SET text = '', data = NULL, salt = {NO_SALT}, id = 2",  # noqa: S608 - tests
        f"UPDATE letter SET text = 'Dear Eve', data = NULL, salt = {NO_SALT}",  # noqa: S608 - tests
        f"UPDATE letter SET text = '', data = '{{}}', salt = {NO_SALT}",  # noqa: S608 - tests
        "UPDATE letter SET stamp = 'new'",
        "DELETE FROM letter",
    ],
)
async def test_what_is_personal_can_be_emptied_only_as_a_whole(
    letter: BaseDBAsyncClient, change: str
):
    with pytest.raises(IntegrityError, match="letter is append-only"):
        await letter.execute_query(change)

    assert await kept_letter(letter) == [1, None, "Dear Ada", 0, 2]


def model_with(
    *constraints: object, indexes: tuple[object, ...] = (), pk: Field[Any] | None = None
) -> type[Model]:
    class Thing(Model):
        id = pk or fields.UUIDField(primary_key=True)
        size: int = fields.IntField(source_field="size_cm", null=True)

        class Meta(Model.Meta):
            table = "thing"

    Thing._meta.constraints = constraints
    Thing._meta.indexes = indexes  # type: ignore[assignment] # some of them are wrong on purpose
    return Thing


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (model_with(Unique("colour")), "Thing has no column colour"),
        (model_with("CHECK (size > 0)"), "is not ours"),
        (model_with(indexes=(("size",),)), "is not an Index of ours"),
        (model_with(indexes=(Index("size"), Index("size"))), "indexes of one name"),
        (model_with(PrimaryKey("size"), pk=fields.IntField(primary_key=True)), "cannot stand"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_model_that_cannot_be_made_is_noticed(model: type[Model], reason: str):
    with pytest.raises(AssertionError, match=reason):
        describe(model, "sqlite")


@pytest.mark.parametrize("nothing", [PrimaryKey, Unique])
def test_a_constraint_over_no_column_is_noticed(nothing: type[Constraint]):
    with pytest.raises(AssertionError, match="needs columns"):
        nothing()


def test_a_fill_factor_beyond_what_postgres_takes_is_noticed():
    with pytest.raises(AssertionError, match="10 to 100"):
        FillFactor(101)


def test_a_field_may_be_named_for_its_column():
    table = describe(model_with(Unique("size")), "sqlite")

    assert [index.columns for index in table.indexes] == [("size_cm",)]


def test_a_name_longer_than_postgres_takes_is_cut_and_stays_its_own():
    class Long(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        one: int = fields.IntField(source_field="a" * 60)
        other: int = fields.IntField(source_field="a" * 59 + "b")

        class Meta(Model.Meta):
            table = "long"
            indexes = (Index("one"), Index("other"))

    names = [index.name for index in describe(Long, "postgres").indexes]

    assert [len(name) for name in names] == [63, 63]
    assert names[0] != names[1]


@pytest.mark.parametrize(
    ("field", "dialect", "expected"),
    [
        (fields.BooleanField(db_default=True), "sqlite", "1"),
        (fields.BooleanField(db_default=True), "postgres", "TRUE"),
        (fields.IntField(db_default=-3), "postgres", "-3"),
        (fields.CharField(max_length=9, db_default="it's"), "sqlite", "'it''s'"),
        (fields.CharField(max_length=9, null=True, db_default=None), "sqlite", "NULL"),
        (fields.JSONField(db_default={"a": 1}), "postgres", """'{"a":1}'"""),
        (fields.IntField(default=3), "sqlite", None),
    ],
)
def test_a_default_is_written_as_sql(field: Field[Any], dialect: Dialect, expected: str | None):
    class Thing(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        value = field

        class Meta(Model.Meta):
            table = "thing"

    column = describe(Thing, dialect).columns[1]

    assert column.default == expected


def test_a_relation_of_many_to_many_is_noticed():
    class Tag(Model):
        id: UUID = fields.UUIDField(primary_key=True)

    class Note(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        tags = fields.ManyToManyField("models.Tag")

    models = initialised(Tag, Note)

    with pytest.raises(AssertionError, match="write the table between as a model"):
        describe_all(models, "sqlite")


def test_tables_that_refer_to_each_other_in_a_circle_are_noticed():
    class Hen(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        egg = fields.ForeignKeyField("models.Egg", "hens")

    class Egg(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        hen = fields.ForeignKeyField("models.Hen", "eggs")

    models = initialised(Hen, Egg)

    with pytest.raises(AssertionError, match="round in a circle: egg, hen"):
        describe_all(models, "sqlite")


def test_tables_referred_to_come_first():
    tables = describe_all(initialised(*second_step()), "postgres")

    assert [table.name for table in tables] == ["member", "offer", "visit", "entry"]
