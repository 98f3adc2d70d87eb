"""What files of balances say, and what is wrong with their rows."""

from datetime import UTC, date, datetime
from io import StringIO

import pytest

from loyalty_graph.ledger.moving import Part
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.members.service import Profile
from loyalty_graph.programs.rules import NEVER, ProgramSettings
from loyalty_graph.usecases.balance_rows import BalanceFormat, BalanceRow, RowFault, rows_of
from tests.shop import NOON, PROGRAM

SETTINGS = ProgramSettings.model_validate(PROGRAM["program"])
BY_RULE = datetime(2026, 9, 2, 22, tzinfo=UTC)
"""To the end of the day six months on, in Berlin."""


def read(text: str, form: BalanceFormat = BalanceFormat.CSV) -> list[BalanceRow | RowFault]:
    return list(rows_of(StringIO(text, newline=""), form, SETTINGS, now=NOON))


def csv_row(**cells: str) -> BalanceRow | RowFault:
    given = {"external_id": "7", **cells}
    [row] = read(",".join(given) + "\n" + ",".join(given.values()) + "\n")
    return row


def json_row(text: str) -> BalanceRow | RowFault:
    [row] = read(text, BalanceFormat.JSONL)
    return row


def only(row: BalanceRow | RowFault) -> BalanceRow:
    assert isinstance(row, BalanceRow), row
    return row


def test_a_row_says_whose_points_they_are_and_when_they_expire():
    rows = read(
        "key, Email ,first_name,birthday,points,expires_at,qualifying,tier,tier_until,text\r\n"
        'a-1,Ada@Example.com,Ada,1990-12-10,120,2027-03-31,90,GOLD,2027-12-31,"from, before"\r\n'
    )

    assert rows == [
        BalanceRow(
            line=2,
            key="a-1",
            references=(Reference(ReferenceKind.EMAIL, "ada@example.com"),),
            profile=Profile(email="ada@example.com", first_name="Ada", birthday=date(1990, 12, 10)),
            lots=(Part(120, datetime(2027, 3, 31, 22, tzinfo=UTC)),),
            qualifying=90,
            tier="GOLD",
            tier_until=datetime(2027, 12, 31, 23, tzinfo=UTC),
            text="from, before",
        )
    ]


def test_lines_are_counted_as_an_editor_counts_them():
    rows = read('external_id,text,points\n1,"two\nlines",5\n\n2,,\n3,,-1\n')

    assert [(one.line, type(one).__name__) for one in rows] == [
        (2, "BalanceRow"),
        (5, "BalanceRow"),
        (6, "RowFault"),
    ]


def test_a_row_without_a_key_is_called_by_its_line():
    assert [only(one).key for one in read("external_id,key\n1,\n2,b\n")] == ["2", "b"]


def test_a_row_of_json_may_hold_many_lots():
    row = only(
        json_row(
            '{"external_id": 7, "lots": ['
            '{"points": 100, "expires_at": "2027-01-31T12:00:00+02:00"}, {"points": "50"},'
            ' {"points": 0}, {"points": 40, "expires_at": "never"}]}'
        )
    )

    assert row.references == (Reference(ReferenceKind.EXTERNAL_ID, "7"),)
    assert row.points == 190
    assert row.lots == (
        Part(100, datetime(2027, 1, 31, 10, tzinfo=UTC)),
        Part(50, BY_RULE),
        Part(40, NEVER),
    )


def test_points_without_a_date_expire_as_if_they_were_earned_now():
    assert only(csv_row(points="5")).lots == (Part(5, BY_RULE),)
    assert only(csv_row(points="5", expires_at="NEVER")).lots == (Part(5, NEVER),)


def test_a_member_without_points_is_a_row_too():
    row = only(csv_row(points="0"))

    assert (row.lots, row.qualifying, row.points) == ((), 0, 0)


@pytest.mark.parametrize(
    ("text", "field", "told"),
    [
        ('{"external_id": 1, "points": 1, "expires_at": "2026-03-01"}', "expires_at", "2026-03-01"),
        (
            '{"external_id": 1, "lots": [{}, {"points": 2, "expires_at": "2026-03-01"}]}',
            "lots[1].expires_at",
            "2026-03-01",
        ),
    ],
)
def test_a_row_with_points_that_have_expired_says_so(text: str, field: str, told: str):
    row = only(json_row(text))

    assert row.ended is not None
    message = f"{told} has passed: such points have expired."
    assert (row.ended.field, row.ended.message) == (field, message)


@pytest.mark.parametrize(
    ("case", "cells", "field", "message"),
    [
        ("points below zero", {"points": "-5"}, "points", "-5 is no number of points; write 0 to"),
        ("half a point", {"points": "1.5"}, "points", "1.5 is no number"),
        ("too many points", {"points": "1000000000001"}, "points", "write 0 to 1000000000000"),
        ("beyond 64 bits", {"points": "9" * 30}, "points", "is no number"),
        ("digits of another script", {"points": "٣"}, "points", "is no number"),
        ("no qualifying", {"qualifying": "many"}, "qualifying", "many is no number"),
        ("no day", {"expires_at": "31.12.2027", "points": "1"}, "expires_at", "31.12.2027 is no"),
        ("no such day", {"expires_at": "2027-02-30", "points": "1"}, "expires_at", "is no day"),
        (
            "a week's day",
            {"expires_at": "2027-W10-1", "points": "1"},
            "expires_at",
            "W10-1 is no day",
        ),
        ("no offset", {"expires_at": "2027-01-01T10:00:00"}, "expires_at", "with its offset"),
        ("no time", {"expires_at": "2027-01-01Tnoon"}, "expires_at", "is no time"),
        ("before all time", {"expires_at": "0001-01-01T00:00:00+10:00"}, "expires_at", "is no tim"),
        ("far ahead", {"expires_at": "9999-12-31", "points": "1"}, "expires_at", "write never"),
        ("no birthday", {"birthday": "12/10/1990"}, "birthday", "12/10/1990 is no day"),
        ("no e-mail", {"email": "ada"}, "email", "ada is no e-mail address"),
        ("no phone", {"phone": "0151"}, "phone", "is no phone number"),
        ("no id", {"id": "7"}, "id", "7 is no member id"),
        ("no number", {"number": "7"}, "number", "7 is no member number"),
        ("a long name", {"last_name": "x" * 101}, "last_name", "At most 100 characters"),
        ("no locale", {"locale": "?"}, "locale", "is no locale"),
        ("a tier for ever", {"tier": "GOLD"}, "tier_until", "A tier and its end go together"),
        ("a long text", {"text": "x" * 501}, "text", "At most 500"),
        ("a long key", {"key": "x" * 101}, "key", "1 to 100 printable characters"),
        ("no text", {"text": "a\udcffb"}, "text", "It is no text in UTF-8"),
        ("NUL", {"text": "a\0b"}, "text", "It is no text in UTF-8"),
    ],
)
def test_a_cell_that_cannot_be_used_is_told(
    case: str, cells: dict[str, str], field: str, message: str
):
    fault = csv_row(**cells)

    assert isinstance(fault, RowFault)
    assert (fault.line, fault.code, fault.field) == (2, "INVALID_INPUT", field)
    assert message in fault.message


@pytest.mark.parametrize(
    ("case", "text", "lines", "message"),
    [
        ("an empty file", "", [1], "names no column that finds a member"),
        ("no member", "points\n5\n", [1], "names no column that finds a member: id, number"),
        ("a misspelt column", "email,expire_at\na,b\n", [1], "There is no column 'expire_at'"),
        ("a column twice", "email,points,points\n", [1], "The column points stands twice"),
        ("a cell too many", "email,points\na@example.com,5,6\n", [2], "3 columns instead of 2"),
        ("nobody", "email,points\n,5\n", [2], "It names no member"),
        ("an open quote", 'email,points\na@example.com,5\n"b,6\n7,8\n', [3], "It is no CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(case: str, text: str, lines: list[int], message: str):
    faults = [one for one in read(text) if isinstance(one, RowFault)]

    assert [one.line for one in faults] == lines
    assert message in faults[0].message


@pytest.mark.parametrize(
    ("case", "text", "field", "message"),
    [
        ("no JSON", "{", None, "It is no JSON: unexpected end of data, at character 2."),
        ("no UTF-8", '{"email": "\udcff"}', None, "It is no JSON"),
        ("no object", "[1]", None, "It is no JSON object"),
        ("an unknown field", '{"mail": "a"}', None, "There is no field 'mail'"),
        ("points as a float", '{"external_id": 1, "points": 1.0}', "points", "a whole number"),
        ("points as a truth", '{"external_id": 1, "points": true}', "points", "a whole number"),
        ("both", '{"external_id": 1, "points": 1, "lots": []}', "lots", "not both"),
        ("no list", '{"external_id": 1, "lots": 5}', "lots", "a list of at most 100"),
        ("no lot", '{"external_id": 1, "lots": [5]}', "lots[0]", "A lot has points"),
        ("a strange lot", '{"external_id": 1, "lots": [{"x": 5}]}', "lots[0]", "A lot has points"),
        (
            "a bad date in a lot",
            '{"external_id": 1, "lots": [{"points": 1}, {"points": 1, "expires_at": "soon"}]}',
            "lots[1].expires_at",
            "soon is no day",
        ),
    ],
)
def test_an_object_that_cannot_be_used_is_told(
    case: str, text: str, field: str | None, message: str
):
    fault = json_row(text)

    assert isinstance(fault, RowFault)
    assert (fault.line, fault.field) == (1, field)
    assert message in fault.message


def test_empty_lines_between_objects_are_passed_over():
    rows = read('\n{"external_id": 1}\n\n{"external_id": 2}', BalanceFormat.JSONL)

    assert [one.line for one in rows] == [2, 4]
