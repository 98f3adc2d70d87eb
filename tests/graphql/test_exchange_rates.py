"""Exchange rates through the API."""

import pytest

from loyalty_graph.usecases.exchange_rates import import_rates
from tests.api import Api
from tests.shop import PROGRAM

ASK = """query ($of: String!, $from: Date, $to: Date) {
    exchangeRates(currencyCode: $of, from: $from, to: $to) { currencyCode day rate imported } }"""
FILE = "day,currency,rate\n2026-03-02,USD,0.9210\n2026-02-27,USD,0.92\n2026-03-02,JPY,0.0061\n"


@pytest.fixture
def till(api: Api) -> str:
    """The token of a till; rates of dollars are in the file too."""
    dollars = {"currency": "USD", "from": "2026-01-01", "rate": "0.9"}
    api.shop = api.open_shop({**PROGRAM, "exchange_rates": [dollars]})
    api.run(import_rates, api.shop.program_id, FILE, name="rates.csv", now=api.now)
    return api.token("purchases:write")


def test_the_rates_of_a_currency_are_told(api: Api, till: str):
    asked = {"of": "USD", "from": "2026-02-28", "to": "2026-03-02"}

    found = api.data(ASK, asked, token=till)["exchangeRates"]

    assert found == [
        {"currencyCode": "USD", "day": "2026-01-01", "rate": "0.9", "imported": False},
        {"currencyCode": "USD", "day": "2026-03-02", "rate": "0.9210", "imported": True},
    ]


def test_without_days_the_last_month_is_told(api: Api, till: str):
    found = api.data(ASK, {"of": "USD"}, token=till)["exchangeRates"]

    assert [one["day"] for one in found] == ["2026-01-01", "2026-02-27", "2026-03-02"]
    assert api.data(ASK, {"of": "GBP"}, token=till)["exchangeRates"] == []


@pytest.mark.parametrize(
    "asked",
    [
        {"of": "usd"},
        {"of": "USD", "from": "2026-03-03", "to": "2026-03-02"},
        {"of": "USD", "from": "2025-03-01", "to": "2026-03-02"},
        {"of": "USD", "from": "2026-03-03"},
    ],
    ids=["no currency", "backwards", "367 days", "of tomorrow"],
)
def test_what_cannot_be_asked_is_refused(api: Api, till: str, asked: dict[str, str]):
    assert api.error(ASK, asked, token=till) == "INVALID_INPUT"


def test_the_first_day_of_all_can_be_asked_for(api: Api, till: str):
    assert api.data(ASK, {"of": "USD", "to": "0001-01-01"}, token=till)["exchangeRates"] == []


def test_rates_are_for_tills(api: Api, till: str):
    assert api.error(ASK, {"of": "USD"}, token=api.token("members:read")) == "FORBIDDEN"
    assert api.error(ASK, {"of": "USD"}, token=None) == "UNAUTHENTICATED"
