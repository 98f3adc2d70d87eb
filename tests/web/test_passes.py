"""The signed links under which customers fetch their passes."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from loyalty_graph.app import create_app
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.db import connection
from loyalty_graph.members.models import Member
from loyalty_graph.signing import sign_link
from loyalty_graph.wallet.apple.checking import describe
from loyalty_graph.wallet.desk import PassDesk
from loyalty_graph.wallet.link_keys import PURPOSE as LINK_PURPOSE
from loyalty_graph.wallet.models import PassRow
from tests.api import application
from tests.shop import Shop, open_shop, program


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(
        database_url=database_url, data_dir=tmp_path / "data", public_url="http://testserver"
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def run(client: TestClient, work: Any, *given: Any) -> Any:
    assert client.portal is not None
    return client.portal.call(work, *given)


@pytest.fixture
def shop(client: TestClient) -> Shop:
    async def make() -> Shop:
        return await open_shop(program(expiry_months=None), now=utc_now())

    made: Shop = run(client, make)
    return made


@pytest.fixture
def ada(client: TestClient, shop: Shop) -> Member:
    member: Member = run(client, shop.enrol)
    return member


def desk_of(client: TestClient) -> PassDesk:
    desk: PassDesk = application(client).state.desk
    return desk


@pytest.fixture
def link(client: TestClient, shop: Shop, ada: Member) -> str:
    async def issue() -> str:
        return await desk_of(client).issue(shop.program_id, ada.id, now=utc_now())

    made: str = run(client, issue)
    return made


def balance(data: bytes) -> str:
    return str(describe(data)["card"]["storeCard"]["primaryFields"][0]["value"])


def test_the_pass_comes_as_a_file_that_nobody_keeps(client: TestClient, link: str):
    answer = client.get(link)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.apple.pkpass"
    assert answer.headers["content-disposition"] == 'attachment; filename="card.pkpass"'
    assert answer.headers["cache-control"] == "private, no-store"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert client.head(link).status_code == 200


def test_the_same_link_shows_every_change(client: TestClient, link: str, shop: Shop, ada: Member):
    new = client.get(link).content
    bought = run(client, shop.buy, ada)
    after_buying = client.get(link).content
    run(client, shop.bring_back, bought, {2: 1})
    after_returning = client.get(link).content

    assert [balance(one) for one in (new, after_buying, after_returning)] == ["0", "108", "34"]


@pytest.mark.parametrize(
    ("case", "status", "text"),
    [
        ("forged", 403, "This link is not genuine."),
        ("damaged", 403, "This link is not genuine."),
        ("for something else", 403, "This link was made for something else."),
        ("expired", 403, "This link has expired; ask for a new one."),
        ("unknown pass", 404, "This card is gone."),
    ],
)
def test_a_link_that_opens_nothing_says_why(
    client: TestClient, link: str, shop: Shop, *, case: str, status: int, text: str
):
    key, now = desk_of(client).link_key, utc_now()
    later = now + timedelta(days=1)

    async def serial() -> str:
        return (await PassRow.get()).serial

    subject = f"{shop.program_id}/{run(client, serial)}"
    token = {
        "forged": sign_link(LINK_PURPOSE, subject, key=bytes(32), expires_at=later),
        "damaged": link.rpartition("/")[2][:-4],
        "for something else": sign_link("login", subject, key=key, expires_at=later),
        "expired": sign_link(LINK_PURPOSE, subject, key=key, expires_at=now),
        "unknown pass": sign_link(
            LINK_PURPOSE, f"{shop.program_id}/{'0' * 32}", key=key, expires_at=later
        ),
    }[case]

    answer = client.get(f"/passes/{token}")

    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["cache-control"] == "private, no-store"
    assert "content-disposition" not in answer.headers


def test_links_are_only_read(client: TestClient, link: str):
    assert client.post(link).status_code == 405
    assert client.delete(link).status_code == 405


def test_a_link_is_in_no_log_whatever_happens(
    client: TestClient, link: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, logger="loyalty_graph")
    caplog.set_level(logging.INFO, logger="uvicorn")
    secret = link.rpartition("/")[2]

    async def break_it() -> None:
        await connection().execute_script("ALTER TABLE pass RENAME TO lost")

    assert client.get(link).status_code == 200
    assert client.get(f"{link}x").status_code == 403
    run(client, break_it)
    assert client.get(link).status_code == 500

    ours = [record for record in caplog.records if not record.name.startswith("httpx")]
    assert secret not in "\n".join(record.getMessage() for record in ours)
