"""The receipts that the import is measured with."""

import json
from datetime import timedelta

from bench.ledger_import import DAYS, receipts
from loyalty_graph.usecases.balance_rows import BalanceFormat
from loyalty_graph.usecases.purchase_rows import Origin, ReceiptRow, receipts_of
from tests.shop import NOON


def test_the_receipts_can_be_read_and_come_in_the_order_of_their_days():
    lines = [json.dumps(one) + "\n" for one in receipts(5, begin=NOON)]

    found = list(receipts_of(lines, BalanceFormat.JSONL, Origin("bench", "cli", "USD")))

    commands = [one.command for one in found if isinstance(one, ReceiptRow)]
    assert [one.external_id for one in commands] == ["r-0", "r-1", "r-2", "r-3", "r-4"]
    assert [len(one.lines) for one in commands] == [3] * 5
    step = timedelta(days=DAYS) / 5
    assert [one.purchased_at for one in commands] == [NOON + place * step for place in range(5)]
