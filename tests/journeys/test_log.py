"""Everything goes wrong, and the log says so: all of it, and no secret."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.journeys import world as worlds
from tests.journeys.world import World, world
from tests.tiers.shop import with_tiers

EMAIL, PHONE = "ada.lovelace@example.com", "+4915112345678"
ADA = {"externalId": "ada"}
BASKET = {
    "idempotencyKey": "till-1",
    "member": ADA,
    "source": "till",
    "externalId": "receipt-1",
    "lines": [{"productType": "COFFEE", "quantity": 2, "unitAmount": "10.00"}],
}
FILE = f"email,phone,points\n{EMAIL},{PHONE},x\n".encode()
BALANCES = {"idempotencyKey": "b", "source": "old", "content": base64.b64encode(FILE).decode()}
IMPORT = "mutation ($i: ImportBalancesInput!) { importBalances(input: $i) { replayed } }"
ENROL = {**ADA, "firstName": "Ada", "email": EMAIL, "phone": PHONE}
ENROLMENT = "mutation ($i: EnrolMemberInput!) { enrolMember(input: $i) { userErrors { code } } }"
FAILURE = "RuntimeError: postgres://loyalty:[removed]@10.0.0.7"
BY_REFERENCE = "query ($ref: MemberRef!) { member(ref: $ref) { firstName } }"
# After a failure the server closes the connection, sooner or later.
CLOSING = {"connection": "close"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


def fail(one: World, *places: str) -> None:
    """Let these places of the server fail from here on."""
    (one.folder / "failing").write_text(" ".join(places))


async def send(one: World, token: str, query: str, given: Any, **headers: str) -> int:
    """Ask the API, and return only the status."""
    answer = await one.client.post(
        f"{one.address}/graphql",
        json={"query": query, "variables": given},
        headers={"authorization": f"Bearer {token}", **headers},
    )
    return answer.status_code


async def logged(one: World, place: str) -> None:
    """Wait until the log tells of a failure of a loop, which nobody is answered."""
    async with asyncio.timeout(worlds.LIMIT_S):
        while place not in (one.folder / "server.log").read_text():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.05)


async def opened(one: World) -> dict[str, str]:
    """Let Ada join and have her card; return every secret there is then."""
    done = await one.do("enrolMember", ENROL, "member { id }")
    page = await one.page_of(ADA)
    held = await one.phone.add(page)
    issued = await one.do("issuePass", {"member": ADA}, "pass { url }")
    return {
        "partner's token": await one.partner("members:read"),
        "admin's token": one.token,
        "member's token": one.member_token(done["member"]["id"]),
        "e-mail": EMAIL,
        "phone": PHONE,
        "pass token": held.token,
        "pass link": issued["pass"]["url"].rpartition("/")[2],
        "card link": page.rpartition("/")[2],
        "device": one.phone.state.id,
        "push token": one.phone.state.push_token,
        "password": "swordfish",
    }


async def ask_wrongly(one: World, secrets: dict[str, str]) -> None:
    """Do what is refused, each with a secret in it."""
    by_email = {"ref": {"email": EMAIL}}
    mine = secrets["partner's token"]
    await one.do("enrolMember", {**ENROL, "externalId": "eve"}, "member { id }")
    await send(one, secrets["member's token"] + "x", BY_REFERENCE, by_email)
    await send(one, mine, f'{{ member(ref: {{email: "{EMAIL}"}}) {{ nothing }} }}', None)
    await send(one, mine, IMPORT, {"i": BALANCES})
    await send(one, one.token, IMPORT, {"i": BALANCES})
    asked = {"query": f'{{ a(b: "{PHONE}") }}'}
    await one.client.get(f"{one.address}/graphql", params=asked)
    named = {"x-request-id": one.token}
    await one.client.get(f"{one.address}/passes/{secrets['pass link']}x", headers=named)
    await one.client.get(f"{one.address}/c/{secrets['card link']}x", headers=named)


async def ask_what_fails(one: World, secrets: dict[str, str]) -> list[int]:
    """Ask for what fails inside; return the statuses."""
    traced = {"x-request-id": "till-7-0042", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    new = {"i": {**ENROL, "externalId": "bob", "email": f"bob.{EMAIL}", "phone": "+4915112345679"}}
    seen = [await send(one, one.token, ENROLMENT, new, **traced)]
    held, phone = one.held, one.phone.state
    registering = f"{held.service_url}/v1/devices/{phone.id}/registrations/x/y"
    headers = {"authorization": f"ApplePass {held.token}", **CLOSING}
    body = {"pushToken": phone.push_token}
    answers = [
        await one.client.get(f"{one.address}/c/{secrets['card link']}", headers=CLOSING),
        await one.client.get(f"{one.address}/passes/{secrets['pass link']}", headers=CLOSING),
        await one.client.post(registering, headers=headers, json=body),
        await one.client.get(f"{one.address}/readyz"),
    ]
    fail(one, "Login.viewer_for")
    seen += [answer.status_code for answer in answers]
    return [*seen, await send(one, secrets["partner's token"], BY_REFERENCE, {"ref": ADA})]


@pytest.mark.slow
async def test_no_secret_is_in_the_log_whatever_fails(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(worlds, "SERVER", worlds.SERVER.with_name("failing.py"))
    async with world(database_url, tmp_path, with_tiers()) as one:
        secrets = await opened(one)

        await ask_wrongly(one, secrets)
        fail(
            one,
            "bring_along",
            "CardDoor.show",
            "PassDesk.file_behind",
            "AppleDoor._register",
            "present",
        )
        statuses = await ask_what_fails(one, secrets)
        fail(one, "ApplePushes._send")
        await one.do("recordPurchase", BASKET, "balance")
        await logged(one, "The loop apple failed")

    assert statuses == [200, 500, 500, 500, 503, 500]
    text = (tmp_path / "server.log").read_text()
    assert {name for name, secret in secrets.items() if secret in text} == set()
    lines = [json.loads(line) for line in text.splitlines()]
    failed = [line for line in lines if FAILURE in line.get("exception", "")]
    assert len(failed) == 7
    assert all(line["level"] == "error" for line in failed)
    [enrolled] = [line for line in failed if line.get("request_id") == "till-7-0042"]
    assert (enrolled["trace_id"], enrolled["viewer"]) == (TRACE, "PARTNER")
    assert UUID(enrolled["partner"])
    assert "[e-mail]" in enrolled["exception"]
    assert "[phone]" in enrolled["exception"]
