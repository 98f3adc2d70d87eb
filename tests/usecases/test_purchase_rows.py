"""Receipts as text: what is read of them, and what is said of those that cannot be used."""

from datetime import UTC, datetime
from io import StringIO

import pytest

from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.purchases.rules import Channel, Line
from loyalty_graph.usecases.balance_rows import BalanceFormat, RowFault
from loyalty_graph.usecases.purchase_rows import Origin, ReceiptRow, receipts_of
from loyalty_graph.usecases.purchases import RecordPurchase

ORIGIN = Origin("shop", "cli", "EUR")
AT = "2026-03-01T10:00:00Z"


def read(text: str, form: BalanceFormat = BalanceFormat.CSV) -> list[ReceiptRow | RowFault]:
    return list(receipts_of(StringIO(text, newline=""), form, ORIGIN))


def test_a_receipt_is_a_row_for_each_line():
    rows = read(
        "receipt,external_id,purchased_at,store,channel,product_type,quantity,unit_amount,discount\n"
        f"r-1,7,{AT},s1,web,TEA,2,2.49,0.50\n"
        f"r-1,7,{AT},s1,web,COFFEE,,3,\n"
        f"r-2,8,{AT},,,TEA,1,1,\n"
    )

    first, second = rows
    assert first == ReceiptRow(
        2,
        RecordPurchase(
            caller="cli",
            idempotency_key="import:shop:r-1",
            member=Reference(ReferenceKind.EXTERNAL_ID, "7"),
            source="shop",
            external_id="r-1",
            purchased_at=datetime(2026, 3, 1, 10, tzinfo=UTC),
            lines=(Line("TEA", 2, 249, 50), Line("COFFEE", 1, 300)),
            store="s1",
            channel=Channel.WEB,
        ),
    )
    assert isinstance(second, ReceiptRow)
    assert (second.line, second.command.external_id, second.command.store) == (4, "r-2", None)


def test_a_receipt_of_json_lists_its_lines_or_is_one():
    rows = read(
        f'{{"receipt": 1, "external_id": "7", "purchased_at": "{AT}", "payment": "CARD",'
        ' "lines": [{"product_type": "TEA", "quantity": 2, "unit_amount": "2.49", "sku": "x"}]}\n'
        f'{{"receipt": 2, "external_id": "7", "purchased_at": "{AT}", "product_type": "TEA",'
        ' "unit_amount": 3}\n',
        BalanceFormat.JSONL,
    )

    found = [one.command for one in rows if isinstance(one, ReceiptRow)]
    assert [one.lines for one in found] == [(Line("TEA", 2, 249, sku="x"),), (Line("TEA", 1, 300),)]
    assert [one.payment for one in found] == ["CARD", None]


@pytest.mark.parametrize(
    ("cells", "field", "told"),
    [
        ({"receipt": ""}, "receipt", "needs its id"),
        ({"external_id": ""}, None, "names no member"),
        ({"email": "ada@example.com"}, None, "one of"),
        ({"purchased_at": ""}, "purchased_at", "when it was made"),
        ({"purchased_at": "2026-03-01"}, "purchased_at", "no time with its offset"),
        ({"unit_amount": ""}, "lines[0].unit_amount", "what one costs"),
        ({"unit_amount": "2.499"}, "lines[0].unit_amount", "2.499"),
        ({"quantity": "0"}, "lines[0].quantity", "no quantity"),
        ({"quantity": "-1"}, "lines[0].quantity", "no quantity"),
        ({"channel": "MOON"}, "channel", "none of POS, WEB, MOBILE, PARTNER"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_used_is_told(cells: dict[str, str], field: str | None, told: str):
    given = {"receipt": "r", "external_id": "7", "purchased_at": AT, "product_type": "TEA"}
    given |= {"unit_amount": "1", **cells}

    [row] = read(",".join(given) + "\n" + ",".join(given.values()) + "\n")

    assert isinstance(row, RowFault)
    assert (row.line, row.field, told in row.message) == (2, field, True)


def test_the_rows_of_a_receipt_differ_in_its_lines_alone():
    rows = read(
        "receipt,external_id,purchased_at,product_type,unit_amount\n"
        f"r,7,{AT},TEA,1\nr,8,{AT},TEA,1\ns,7,{AT},TEA,1\ns,7,{AT}\n"
    )

    assert [(one.line, type(one).__name__) for one in rows] == [
        (2, "RowFault"),
        (4, "ReceiptRow"),
        (5, "RowFault"),
    ]


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ('"TEA"', "lines"),
        ("[3]", "lines[0]"),
        ('[{"unit_amount": "1", "color": "red"}]', "lines[0]"),
        ('[{"product_type": "TEA", "unit_amount": "1"}, {}]', "lines[1].unit_amount"),
        ('[{"unit_amount": []}]', "lines[0].unit_amount"),
        ('[{"unit_amount": 1}, {"unit_amount": 1.0}]', "lines[1].unit_amount"),
        ('[{"unit_amount": 1}, {"unit_amount": true}]', "lines[1].unit_amount"),
    ],
)
def test_lines_of_json_that_cannot_be_used_are_told(lines: str, field: str):
    text = f'{{"receipt": 1, "external_id": "7", "purchased_at": "{AT}", "lines": {lines}}}'

    [row] = read(text, BalanceFormat.JSONL)

    assert isinstance(row, RowFault)
    assert row.field == field
