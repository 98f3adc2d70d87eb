from dataclasses import replace

import pytest

from loyalty_graph.db.constraints import Check
from loyalty_graph.db.migrating.changes import changes, expands, losses, same, unfillable
from loyalty_graph.db.schema import DIALECTS, Column, Dialect, ForeignKey, Table, TableIndex

ID = Column("id", "BIGINT")
EMAIL = Column("email", "TEXT", null=True)
MEMBER = Table("member", (ID, EMAIL), ("id",))
OFFER = Table("offer", (ID,), ("id",))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_tables_that_mean_the_same_need_no_change(dialect: Dialect):
    turned = replace(MEMBER, columns=(EMAIL, ID))

    assert same(MEMBER, turned)
    assert changes([MEMBER, OFFER], [turned, OFFER], dialect) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_tables_no_longer_wanted_go_those_that_refer_first(dialect: Dialect):
    assert changes([MEMBER, OFFER], [], dialect) == ['DROP TABLE "offer"', 'DROP TABLE "member"']


def test_sqlite_makes_no_table_anew_for_an_index():
    indexed = replace(MEMBER, indexes=(TableIndex("member_email_idx", ("email",)),))

    assert changes([MEMBER], [indexed], "sqlite") == [
        'CREATE INDEX "member_email_idx" ON "member" ("email")'
    ]
    assert changes([indexed], [MEMBER], "sqlite") == ['DROP INDEX "member_email_idx"']


def test_a_page_filled_less_is_no_change_on_sqlite():
    assert changes([MEMBER], [replace(MEMBER, fill_factor=80)], "sqlite") == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_another_column_that_may_be_emptied_is_another_trigger(dialect: Dialect):
    kept = replace(MEMBER, append_only=True)

    statements = changes([kept], [replace(kept, erasable=("email",))], dialect)

    verbs = [statement.split('"')[0].strip() for statement in statements]
    assert (
        verbs
        == {
            "sqlite": ["DROP TRIGGER", "DROP TRIGGER", "CREATE TRIGGER", "CREATE TRIGGER"],
            "postgres": [
                "DROP TRIGGER",
                "DROP TRIGGER",
                "CREATE OR REPLACE FUNCTION",
                "CREATE TRIGGER",
                "CREATE TRIGGER",
            ],
        }[dialect]
    )


def test_postgres_changes_a_table_in_one_statement():
    wanted = replace(
        MEMBER,
        columns=(ID, replace(EMAIL, null=False, default="''")),
        checks=(Check("id > 0", name="member_id_positive"),),
        fill_factor=80,
    )

    (statement,) = changes([MEMBER], [wanted], "postgres")

    assert statement == (
        'ALTER TABLE "member"\n'
        '    ALTER COLUMN "email" TYPE TEXT USING COALESCE("email", \'\'),\n'
        "    ALTER COLUMN \"email\" SET DEFAULT '',\n"
        '    ALTER COLUMN "email" SET NOT NULL,\n'
        '    ADD CONSTRAINT "member_id_positive" CHECK (id > 0),\n'
        "    SET (fillfactor = 80)"
    )


def test_postgres_is_left_to_refuse_values_too_long_for_a_shorter_type():
    short = replace(MEMBER, columns=(ID, replace(EMAIL, type="VARCHAR(3)")))

    assert changes([MEMBER], [short], "postgres") == [
        'ALTER TABLE "member"\n    ALTER COLUMN "email" TYPE VARCHAR(3)'
    ]


def test_a_table_goes_after_what_referred_to_it_has_changed():
    key = ForeignKey("member_id_fkey", "id", "offer", "id", "CASCADE")
    referring = replace(MEMBER, foreign_keys=(key,))

    assert changes([OFFER, referring], [MEMBER], "postgres") == [
        'ALTER TABLE "member"\n    DROP CONSTRAINT "member_id_fkey"',
        'DROP TABLE "offer"',
    ]


def test_another_who_numbers_the_rows_is_left_to_a_person():
    numbered = replace(MEMBER, columns=(replace(ID, generated=True), EMAIL))

    with pytest.raises(AssertionError, match="id: write by hand"):
        changes([MEMBER], [numbered], "postgres")


def test_tables_and_columns_whose_contents_would_go_are_named():
    slim = replace(MEMBER, columns=(ID,))

    assert losses([MEMBER, OFFER], [slim]) == ["offer", "member.email"]


@pytest.mark.parametrize(
    ("case", "column", "named"),
    [
        ("new, nothing known", Column("level", "INT"), ["member.level"]),
        ("new, may be empty", Column("level", "INT", null=True), []),
        ("new, with a default", Column("level", "INT", default="0"), []),
        ("no longer empty", replace(EMAIL, null=False), ["member.email"]),
        ("never was empty", ID, []),
    ],
)
def test_columns_that_existing_rows_cannot_fill_are_named(
    case: str, column: Column, named: list[str]
):
    wanted = Table("member", (column,), ("id",))

    assert unfillable([MEMBER], [wanted, OFFER]) == named


NOTE = Column("note", "TEXT", null=True)
ONCE = TableIndex("member_once", ("email",), unique=True)
QUICK = TableIndex("member_quick", ("email",))


@pytest.mark.parametrize(
    ("case", "new", "goes_on"),
    [
        ("a table more", [MEMBER, OFFER], True),
        ("a table less", [], False),
        ("a column that may be empty", [replace(MEMBER, columns=(ID, EMAIL, NOTE))], True),
        (
            "a default",
            [replace(MEMBER, columns=(ID, EMAIL, Column("n", "INT", default="0")))],
            True,
        ),
        ("a must", [replace(MEMBER, columns=(ID, EMAIL, Column("n", "INT")))], False),
        ("a column less", [replace(MEMBER, columns=(ID,))], False),
        ("another type", [replace(MEMBER, columns=(Column("id", "TEXT"), EMAIL))], False),
        ("an index", [replace(MEMBER, indexes=(QUICK,), fill_factor=80)], True),
        ("once only", [replace(MEMBER, indexes=(ONCE,))], False),
        ("a check", [replace(MEMBER, checks=(Check("id > 0", name="positive"),))], False),
    ],
)
def test_code_that_knows_the_old_tables_goes_on_with_what_only_adds(
    case: str,
    new: list[Table],
    goes_on: bool,  # noqa: FBT001 - the parameter of a test
):
    assert expands([MEMBER], new) is goes_on


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("sqlite", 'SELECT "id", "email" FROM "member"'),
        ("postgres", 'ALTER TABLE "member"\n    ALTER COLUMN "email" SET NOT NULL'),
    ],
)
def test_a_column_that_a_backfill_has_filled_needs_no_default(dialect: Dialect, statement: str):
    filled = replace(MEMBER, columns=(ID, replace(EMAIL, null=False)))

    statements = changes([MEMBER], [filled], dialect)

    assert statement in "\n".join(statements)
