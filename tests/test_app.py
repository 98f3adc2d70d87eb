"""The application as a client meets it, on a database of the test's own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from loyalty_graph import __version__
from loyalty_graph.alarms import raise_alarm
from loyalty_graph.app import create_app
from loyalty_graph.config import Settings
from loyalty_graph.db import connection
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import TokenMode

PROGRAM = UUID(int=1)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
UNKNOWN_TOKEN = "lg_live_" + "0" * 32 + "04ZbIe"


@pytest.fixture
def client(database_url: str, data_dir: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(database_url=database_url, data_dir=data_dir))) as client:
        yield client


def test_the_version_is_told_to_anybody(client: TestClient):
    answer = client.post("/graphql", json={"query": "{ version }"})

    assert answer.json() == {"data": {"version": __version__}}


def test_a_token_is_looked_up_in_the_database(client: TestClient):
    answer = client.post(
        "/graphql",
        json={"query": "{ version }"},
        headers={"Authorization": f"Bearer {UNKNOWN_TOKEN}"},
    )

    assert answer.status_code == 401
    assert answer.json()["errors"][0]["message"] == "This API token is not known here."


async def make_test_token() -> str:
    partner = await identity.create_partner(PROGRAM, "Corner shop", now=NOON)
    made = await identity.create_token(
        PROGRAM,
        partner.id,
        name="till 7",
        scopes=["admin"],
        mode=TokenMode.TEST,
        randomness=bytes(32),
        now=NOON,
    )
    return made.text


def test_a_test_token_works_nowhere_before_there_are_sandboxes(client: TestClient):
    assert client.portal is not None
    text = client.portal.call(make_test_token)

    answer = client.post(
        "/graphql", json={"query": "{ version }"}, headers={"Authorization": f"Bearer {text}"}
    )

    assert answer.status_code == 401
    assert answer.json()["errors"][0]["message"] == "A test token works in sandbox programmes only."


def test_websocket_is_served_at_the_same_address(client: TestClient):
    with client.websocket_connect("/graphql", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init"})

        assert socket.receive_json() == {"type": "connection_ack"}


def test_the_schema_can_be_fetched(client: TestClient):
    answer = client.get("/schema.graphql")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "version: String!" in answer.text


def test_it_is_healthy_and_ready(client: TestClient):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_what_is_wrong_is_told_but_requests_are_served(client: TestClient):
    assert client.portal is not None

    client.portal.call(raise_alarm, "apns.pass.x", "APNs refuses the certificate.", NOON)

    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "alarms": [
            {
                "name": "apns.pass.x",
                "message": "APNs refuses the certificate.",
                "since": "2026-11-22T12:00:00+00:00",
            }
        ],
    }


def test_without_its_database_it_is_healthy_but_not_ready(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def gone() -> None:
        raise OSError("connection refused")

    monkeypatch.setattr("loyalty_graph.app.present", gone)
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "because": "database"}
    assert "The database does not answer" in caplog.text
    assert client.get("/healthz").status_code == 200


TAKEN_OVER = """DELETE FROM running_process;
INSERT INTO applied_migration (name, phase) VALUES ('9999_later', 'contract');"""


def test_it_is_not_ready_when_a_newer_version_has_taken_the_database_over(
    database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    now = NOON
    monkeypatch.setattr("loyalty_graph.clock.utc_now", lambda: now)
    settings = Settings(database_url=database_url, data_dir=data_dir, worker=False)
    with TestClient(create_app(settings)) as client:
        assert client.portal is not None
        client.portal.call(lambda: connection().execute_script(TAKEN_OVER))
        assert client.get("/readyz").status_code == 200, "it was not stopped: its row is young"

        now = NOON + timedelta(seconds=61)
        answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "because": "database"}


def test_the_database_is_closed_with_the_application(database_url: str, data_dir: Path):
    with TestClient(create_app(Settings(database_url=database_url, data_dir=data_dir))):
        pass
    with TestClient(create_app(Settings(database_url=database_url, data_dir=data_dir))) as again:
        assert again.get("/readyz").status_code == 200

    with pytest.raises(RuntimeError, match="No TortoiseContext"):
        connection()
