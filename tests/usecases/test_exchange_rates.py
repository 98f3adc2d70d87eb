"""Importing exchange rates: all of a file or nothing, and the same file twice changes nothing."""

from datetime import date
from pathlib import Path

import pytest

from loyalty_graph.programs.errors import RateFileError
from loyalty_graph.programs.exchange import DatedRate
from loyalty_graph.programs.models import ImportedRate
from loyalty_graph.usecases import exchange_rates
from loyalty_graph.usecases.exchange_rates import FILE_BYTES_MAX, RatesImported, import_rates
from tests.shop import DAY, PROGRAM, Shop, open_shop

FILE = """day,currency,rate
2026-03-02,USD,0.9214
2026-03-02,JPY,0.0061
2026-02-27,USD,0.92
"""


async def imports(shop: Shop, text: str, *, dry_run: bool = False) -> RatesImported:
    return await import_rates(
        shop.program_id, text, name="rates.csv", now=shop.now, dry_run=dry_run
    )


async def stored() -> list[tuple[str, str, str]]:
    rows = await ImportedRate.all().order_by("currency", "day")
    return [(row.currency, row.day.isoformat(), row.rate) for row in rows]


async def test_the_rates_of_a_file_are_stored(shop: Shop):
    done = await imports(shop, FILE)

    assert done == (3, 0, 0)
    assert await stored() == [
        ("JPY", "2026-03-02", "0.0061"),
        ("USD", "2026-02-27", "0.92"),
        ("USD", "2026-03-02", "0.9214"),
    ]


async def test_the_same_file_twice_changes_nothing(shop: Shop):
    await imports(shop, FILE)
    before = await ImportedRate.all().values()

    again = await imports(shop.later(DAY), FILE.replace("0.92\n", "0.920\n"))

    assert again == (0, 0, 3)
    assert await ImportedRate.all().values() == before


async def test_a_corrected_rate_takes_the_place_of_the_wrong_one(shop: Shop):
    await imports(shop, FILE)

    done = await imports(shop, FILE.replace("0.9214", "0.9241") + "2026-03-01,USD,0.93\n")

    assert done == (1, 1, 2)
    assert ("USD", "2026-03-02", "0.9241") in await stored()


async def test_a_dry_run_counts_and_writes_nothing(shop: Shop):
    done = await imports(shop, FILE, dry_run=True)

    assert done == (3, 0, 0)
    assert await stored() == []


async def test_each_programme_has_its_own_rates(shop: Shop):
    other = await open_shop(
        {**PROGRAM, "program": {**PROGRAM["program"], "slug": "tea-club", "currency": "GBP"}}
    )
    await imports(shop, FILE)

    done = await imports(other, FILE)

    assert done == (3, 0, 0)
    assert len(await stored()) == 6


async def test_a_file_as_a_spreadsheet_writes_it_is_read(shop: Shop):
    done = await imports(shop, 'Day, Currency ,RATE\r\n"2026-03-02", USD ,0.9\r\n\r\n')

    assert done == (1, 0, 0)
    assert await stored() == [("USD", "2026-03-02", "0.9")]


@pytest.mark.parametrize(
    ("case", "text", "message"),
    [
        ("nothing", "", "rates.csv:1: the first line must be day,currency,rate."),
        ("other columns", "currency,day,rate\n", "rates.csv:1: the first line must be day,"),
        ("semicolons", FILE.replace(",", ";"), "rates.csv:1: the first line must be day,"),
        ("no rates", "day,currency,rate\n\n", "rates.csv holds no rates."),
        ("a quote that never ends", 'day,currency,rate\n"2026', "rates.csv:2: is no CSV: "),
        ("too few columns", f"{FILE}2026-03-01,USD\n", "rates.csv:5: has 2 columns instead of 3."),
        ("a comma", f"{FILE}2026-03-01,USD,0,9\n", "rates.csv:5: has 4 columns instead of 3."),
        ("no day", f"{FILE}2026-02-29,USD,1\n", "rates.csv:5: there is no day 2026-02-29."),
        ("another day", f"{FILE}01.03.2026,USD,1\n", "rates.csv:5: '01.03.2026' is no day; "),
        ("far ahead", f"{FILE}2062-03-01,USD,1\n", "rates.csv:5: 2062-03-01 lies too far ahead; "),
        ("no currency", f"{FILE}2026-03-01,usd,1\n", "rates.csv:5: 'usd' is no currency; "),
        ("our own", f"{FILE}2026-03-01,EUR,1\n", "rates.csv:5: EUR is the programme's own"),
        ("below zero", f"{FILE}2026-03-01,USD,-1\n", "rates.csv:5: '-1' is no rate; "),
        ("no number", f"{FILE}2026-03-01,USD,\n", "rates.csv:5: '' is no rate; "),
        ("twice", f"{FILE}\n2026-03-02,USD,1\n", "rates.csv:6: USD of 2026-03-02 stands in line 2"),
        (
            "several",
            f"{FILE}2026-03-01,USD,x\n2026-03-01,XXY,1\n",
            "rates.csv:5: 'x' is no rate; write a decimal such as 1.0853.\nrates.csv:6: 'XXY' is",
        ),
    ],
)
async def test_a_file_with_a_wrong_line_is_refused_and_nothing_of_it_is_stored(
    shop: Shop, case: str, text: str, message: str
):
    await imports(shop, "day,currency,rate\n2026-03-02,USD,0.5\n")

    with pytest.raises(RateFileError) as refusal:
        await imports(shop, text)

    assert message in refusal.value.message, case
    assert await stored() == [("USD", "2026-03-02", "0.5")]


async def test_of_many_wrong_lines_the_first_are_named(shop: Shop):
    with pytest.raises(RateFileError) as refusal:
        await imports(shop, "day,currency,rate\n" + "2026-03-02,USD,x\n" * 1023)

    assert len(refusal.value.faults) == 21
    assert refusal.value.faults[-1] == "rates.csv: 1,003 more lines are wrong."


async def test_a_file_of_too_many_lines_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exchange_rates, "ROWS_MAX", 2)

    with pytest.raises(RateFileError, match=r"rates.csv has more than 2 lines\."):
        await imports(shop, FILE)

    assert await stored() == []


def test_what_is_no_readable_text_is_refused(tmp_path: Path):
    file = tmp_path / "rates.csv"

    with pytest.raises(RateFileError, match=r"rates.csv cannot be read: No such file"):
        exchange_rates.read(file)
    file.write_bytes(b"day,currency,rate\n\xff\n")
    with pytest.raises(RateFileError, match=r"rates.csv is no text in UTF-8\."):
        exchange_rates.read(file)
    file.write_bytes(b"\n" * (FILE_BYTES_MAX + 1))
    with pytest.raises(RateFileError, match=r"rates.csv is longer than 10,000,000 bytes\."):
        exchange_rates.read(file)


def test_a_mark_of_byte_order_is_no_part_of_the_text(tmp_path: Path):
    file = tmp_path / "rates.csv"
    file.write_text(FILE, encoding="utf-8-sig")

    assert exchange_rates.read(file) == FILE


async def test_rates_of_a_period_are_told_of_one_currency_or_of_all(database: object):
    file = [{"currency": "USD", "from": "2026-01-01", "rate": "0.9"}]
    shop = await open_shop({**PROGRAM, "exchange_rates": file})
    await imports(shop, FILE)
    first, last = date(2026, 2, 28), date(2026, 3, 2)

    of_all = await exchange_rates.known_between(shop.program_id, first, last, now=shop.now)
    of_dollars = await exchange_rates.known_between(
        shop.program_id, first, last, now=shop.now, currency="USD"
    )

    assert of_all == [
        DatedRate("JPY", last, "0.0061", is_imported=True),
        DatedRate("USD", date(2026, 1, 1), "0.9", is_imported=False),
        DatedRate("USD", last, "0.9214", is_imported=True),
    ]
    assert of_dollars == of_all[1:]
