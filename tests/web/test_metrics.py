"""What Prometheus is told at /metrics, and who may ask."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from loyalty_graph import __version__
from loyalty_graph.app import create_app, create_metrics_app
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from tests.api import Api, application, receipt
from tests.metering import Growth, series
from tests.outages import database_away, fresh_outage_log
from tests.web.conftest import Linked

TOKEN = "only-prometheus-knows"
HERE, ELSEWHERE = ("127.0.0.1", 50_000), ("192.0.2.7", 50_000)
IN_VAIN = '{source: "till", externalId: "1", lines: []}'
QUEUES = {("facts",), ("card marks",), ("apple pushes",), ("google pushes",), ("jobs",)}


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    with fresh_outage_log():
        yield


def scraped(api: Api) -> str:
    """Ask from this machine, in the application's own loop."""
    answer = from_(api, HERE).get("/metrics")
    assert answer.status_code == 200
    return answer.text


def from_(api: Api, place: tuple[str, int]) -> TestClient:
    client = TestClient(application(api.client), client=place)
    client.portal = api.client.portal
    return client


def requests(operation: str, result: str) -> Growth:
    return Growth("loyalty_requests_total", {"operation": operation, "result": result})


def test_a_purchase_is_counted_with_its_entry_its_batch_and_its_request(api: Api, ada: Linked):
    grown = {
        "operation": requests("recordPurchase", "done"),
        "seconds": Growth("loyalty_request_seconds_count", {"operation": "recordPurchase"}),
        "entries": Growth("loyalty_ledger_transfers_total", {"kind": "EARN"}),
        "batches": Growth("loyalty_gather_batch_size_count", {"calls": "purchases"}),
        "http": Growth(
            "loyalty_http_requests_total",
            {"route": "/graphql", "method": "POST", "status": "200"},
        ),
    }

    api.do("recordPurchase", receipt(ada.member), "purchase { points }")

    assert {name: one.by for name, one in grown.items()} == dict.fromkeys(grown, 1)


def test_a_purchase_refused_moves_nothing_and_is_counted_so(api: Api, ada: Linked):
    refused, entries = (
        requests("recordPurchase", "refused"),
        Growth("loyalty_ledger_transfers_total", {"kind": "EARN"}),
    )

    api.refusal("recordPurchase", receipt(ada.member, lines=[]))

    assert (refused.by, entries.by) == (1, 0)


@pytest.mark.parametrize(
    ("operation", "result", "query", "token"),
    [
        ("version", "done", "{ version }", None),
        ("members", "forbidden", "{ members { nodes { id } } }", None),
        ("none", "bad_request", "{ nothing }", None),
        ("none", "bad_request", "{", None),
        ("none", "bad_request", "query A { version } query B { version }", None),
        ("node", "refused", '{ node(id: "bm9uc2Vuc2U=") { id } }', "admin"),
        ("__typename", "done", "{ __typename }", None),
    ],
)
def test_an_operation_is_counted_by_its_root_field_and_its_result(
    api: Api, operation: str, result: str, query: str, token: str | None
):
    grown = requests(operation, result)

    api.ask(query, token=token)

    assert grown.by == 1


def test_each_root_field_counts_once_however_it_is_asked(api: Api):
    version, tiers = requests("version", "done"), requests("tiers", "done")
    query = "{ a: version b: version ...F ... { version } } fragment F on Query { tiers { code } }"

    api.data(query)

    assert (version.by, tiers.by) == (1, 1)


def test_names_that_a_client_makes_up_make_no_series(api: Api):
    api.ask("query MadeUp { madeUp: version }", token=None)
    api.client.get("/made-up")
    api.client.request("MADEUP", "/healthz")

    told = series("loyalty_requests_total") | series("loyalty_http_requests_total")
    assert [one for one in told if "made" in str(one).lower()] == []
    assert ("none", "GET", "404") in told


def test_an_outage_and_a_mutation_asked_by_get_are_told_apart(api: Api):
    away, bad = (
        requests("ledgerIntegrity", "unavailable"),
        requests("none", "bad_request"),
    )
    mutation = f"mutation {{ recordPurchase(input: {IN_VAIN}) {{ replayed }} }}"

    with database_away():
        answer = api.ask("{ ledgerIntegrity { __typename } }", token=None)
    refused = api.client.get("/graphql", params={"query": mutation})

    assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert refused.status_code == 405
    assert (away.by, bad.by) == (1, 1)


def test_the_database_is_asked_for_its_queues_and_its_connections(api: Api, ada: Linked):
    text = scraped(api)

    assert series("loyalty_queue_waiting") == QUEUES
    assert 'loyalty_queue_waiting{queue="facts"} 0.0' not in text
    assert "loyalty_database_up 1.0" in text
    assert series("loyalty_database_pool_connections") == {("in_use",), ("idle",), ("max",)}
    assert f'loyalty_build_info{{version="{__version__}"}} 1.0' in text
    assert "_created" not in text


def test_while_the_database_is_away_the_rest_is_told(api: Api, ada: Linked):
    scraped(api)

    with database_away():
        text = scraped(api)

    assert "loyalty_database_up 0.0" in text
    assert series("loyalty_queue_waiting") == set()
    assert "loyalty_http_requests_total{" in text


def settings(url: str, folder: Path, **given: Any) -> Settings:
    return Settings(database_url=url, data_dir=folder, worker=False, **given)


@pytest.mark.parametrize(
    ("given", "place", "header", "status"),
    [
        ({}, HERE, None, 200),
        ({}, ELSEWHERE, None, 403),
        ({}, ("testclient", 1), None, 403),
        ({"public_url": "https://cards.example.com"}, HERE, None, 403),
        ({"metrics_token": TOKEN}, HERE, None, 401),
        ({"metrics_token": TOKEN}, HERE, "Bearer something-else", 401),
        ({"metrics_token": TOKEN}, HERE, f"Basic {TOKEN}", 401),
        ({"metrics_token": TOKEN}, ELSEWHERE, f"Bearer {TOKEN}", 200),
        (
            {"metrics_token": TOKEN, "public_url": "https://cards.example.com"},
            ELSEWHERE,
            f"bearer {TOKEN}",
            200,
        ),
    ],
)
def test_only_this_machine_or_who_has_the_token_may_ask(
    database_url: str,
    data_dir: Path,
    given: dict[str, Any],
    place: tuple[str, int],
    header: str | None,
    status: int,
):
    app = create_app(settings(database_url, data_dir, **given))

    with TestClient(app, client=place) as client:
        headers = {} if header is None else {"Authorization": header}
        answer = client.get("/metrics", headers=headers)

    assert answer.status_code == status
    assert ("loyalty_build_info" in answer.text) is (status == 200)
    assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)


def test_a_port_of_its_own_tells_this_machine_whatever_the_public_address(api: Api):
    public = api.settings.model_copy(update={"public_url": "https://cards.example.com"})
    client = TestClient(create_metrics_app(public, clock=utc_now), client=HERE)
    client.portal = api.client.portal

    assert client.get("/metrics").status_code == 200
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/graphql").status_code == 404
