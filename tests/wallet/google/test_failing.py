"""A Google that is down, slow, refuses or talks garbage: nothing is lost, and alarms tell of it."""

import asyncio
from typing import Any

import httpx2
import pytest
from tortoise.exceptions import DBConnectionError

from loyalty_graph import alarms
from loyalty_graph.members.models import Member
from loyalty_graph.wallet.google.updating import ALARM, REFUSED_ALARM
from loyalty_graph.wallet.models import CardPushRow, PassRow
from tests.wallet.google.stage import Failure, Stage, patch_of

QUOTA = {"error": {"code": 403, "errors": [{"reason": "rateLimitExceeded"}]}}
PERMISSION = {"error": {"code": 403, "errors": [{"reason": "permissionDenied"}]}}


@pytest.mark.parametrize(
    "failure",
    [
        httpx2.ConnectError("down"),
        httpx2.ReadTimeout("slow"),
        httpx2.Response(503),
        httpx2.Response(200, text="<html>garbage"),
        httpx2.Response(429, headers={"retry-after": "60"}),
        httpx2.Response(403, json=QUOTA),
        httpx2.Response(400, json={"error": {"status": "INVALID_ARGUMENT"}}),
    ],
    ids=["down", "slow", "broken", "garbage", "429", "403 quota", "refused"],
)
async def test_what_google_does_not_take_is_brought_later(
    stage: Stage, ada: Member, card: str, failure: Failure, caplog: pytest.LogCaptureFixture
):
    await stage.present.buy(ada)
    # A change that was to notify may be tried once more without.
    stage.line.failures.extend([failure] * 2)
    await stage.changed(card)
    await stage.updates.step()
    stage.line.failures.clear()
    before = (stage.balance(card), await stage.waiting(), (await PassRow.get()).delivered_tag)

    stage.later(minutes=30)
    await stage.work_off()

    assert before == (0, 1, 1)
    assert stage.balance(card) == 108
    assert (await PassRow.get()).delivered_tag == 2
    assert "Google did not take 1 changed cards: " in caplog.text
    assert await alarms.present() == []


async def test_a_card_that_cannot_be_made_holds_up_no_other(
    stage: Stage, ada: Member, card: str, caplog: pytest.LogCaptureFixture
):
    bob = await stage.shop.enrol()
    other = await stage.card(bob)
    make = stage.desk.resource

    def fail_for_ada(row: PassRow, *given: Any, **named: Any) -> dict[str, Any]:
        if row.serial == card:
            raise ZeroDivisionError("a fault of ours")
        return make(row, *given, **named)

    for member in (ada, bob):
        await stage.present.buy(member)
    await stage.changed(card, other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.desk, "resource", fail_for_ada)
        await stage.updates.step()
        failed = (stage.balance(card), stage.balance(other), await stage.due())
    waiting = await stage.waiting()
    stage.later(minutes=30)
    await stage.work_off()

    assert failed == (0, 108, 0)
    assert (waiting, stage.balance(card), await stage.waiting()) == (1, 108, 0)
    assert f"The card {card} cannot be made" in caplog.text
    assert "ZeroDivisionError: a fault of ours" in caplog.text


async def test_a_programme_whose_class_cannot_be_made_waits_and_says_so(
    stage: Stage, ada: Member, card: str, caplog: pytest.LogCaptureFixture
):
    async def fail(*_given: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    await stage.present.buy(ada)
    await stage.changed(card)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.desk, "bring_class", fail)
        await stage.updates.step()
    failed = (stage.balance(card), await stage.due(), await stage.waiting())
    stage.later(minutes=30)
    await stage.work_off()

    assert (failed, stage.balance(card)) == ((0, 0, 1), 108)
    assert f"The class of programme {stage.shop.program_id} cannot be made" in caplog.text


async def test_an_outage_is_no_fault_of_a_card(
    stage: Stage, card: str, caplog: pytest.LogCaptureFixture
):
    async def away(*_given: object, **_named: object) -> None:
        raise DBConnectionError("away")

    await stage.changed(card)
    for place in ("changing.service.faces", "desk.GoogleDesk.bring_class"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"loyalty_graph.wallet.google.{place}", away)
            with pytest.raises(DBConnectionError):
                await stage.updates.step()
    await stage.updates.step()

    assert await stage.waiting() == 0
    assert "cannot be made" not in caplog.text


async def test_how_long_google_asks_to_wait_is_kept_to(stage: Stage, ada: Member, card: str):
    stage.line.failures.append(httpx2.Response(429, headers={"retry-after": "60"}))
    await stage.present.buy(ada)
    await stage.changed(card)

    await stage.updates.step()

    due_at = (await CardPushRow.get()).due_at
    assert due_at is not None
    assert 60 <= (due_at - stage.now).total_seconds() <= 62


async def test_wrong_permission_is_not_reported_as_quota_but_an_alarm_until_mended(
    stage: Stage, ada: Member, card: str
):
    stage.line.failures.append(httpx2.Response(403, json=PERMISSION))
    await stage.present.buy(ada)
    await stage.changed(card)

    await stage.updates.step()
    [alarm] = await alarms.present()
    asked = stage.take_asked()
    stage.later(minutes=30)
    await stage.work_off()

    assert alarm.name == ALARM
    assert "the service account needs access to the issuer" in alarm.message
    assert alarm.message.endswith("(403 permissionDenied).")
    # A spent quota of notifications would have been asked again without one.
    assert asked == [patch_of(card)]
    assert stage.balance(card) == 108
    assert await alarms.present() == []


async def test_a_card_that_google_refuses_again_and_again_is_an_alarm_until_it_is_taken(
    stage: Stage, ada: Member, card: str
):
    bob = await stage.card(await stage.shop.enrol(first_name="Bob"))
    await stage.present.buy(ada)
    await stage.changed(card)
    refused = [httpx2.Response(400, json={"error": {"status": "INVALID_ARGUMENT"}})] * 2
    names = []

    for _ in range(3):
        # A change that was to notify is tried once more without.
        stage.line.failures.extend(refused)
        await stage.updates.step()
        stage.line.failures.clear()
        names.append([one.name for one in await alarms.present()])
        stage.later(minutes=30)
    [alarm] = await alarms.present()
    stage.line.failures.extend(refused)
    await stage.updates.step()
    stage.line.failures.clear()
    await stage.brought(bob)
    while_refused = await alarms.present()
    stage.later(minutes=60)
    await stage.work_off()

    assert names == [[], [], [REFUSED_ALARM]]
    assert alarm.message.endswith("(400 INVALID_ARGUMENT).")
    assert while_refused == [alarm]
    assert stage.balance(card) == 108
    assert await alarms.present() == []


async def test_an_account_google_does_not_know_is_an_alarm(stage: Stage, ada: Member):
    serial = await stage.card(ada)
    stage.fake.account = Stage(stage.shop).fake.account

    await stage.changed(serial)
    await stage.updates.step()

    [alarm] = await alarms.present()
    assert alarm.message.endswith("(no token: 400 invalid_grant).")
    assert await stage.waiting() == 1


async def test_a_google_that_is_down_is_asked_ever_more_rarely(
    stage: Stage, ada: Member, card: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.wallet.google.updating.chance", lambda: 0.5)
    await stage.present.buy(ada)
    await stage.changed(card)
    pauses = []

    for _ in range(6):
        stage.line.failures.append(httpx2.ConnectError("down"))
        pauses.append(await stage.updates.step())
        stage.later(minutes=10)

    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert await stage.updates.step() == 0.0
    assert stage.balance(card) == 108


async def test_one_card_that_google_refuses_holds_up_no_other(stage: Stage, card: str):
    bob, eve = await stage.shop.enrol(first_name="Bob"), await stage.shop.enrol(first_name="Eve")
    serials = [await stage.card(bob), await stage.card(eve)]
    stage.line.failures.append(httpx2.Response(400, json={}))

    await stage.brought(*serials)

    assert len(stage.fake.store.objects) == 2
    assert await stage.waiting() == 1


async def test_a_slow_google_holds_up_no_longer_than_a_request_may_take(
    stage: Stage, ada: Member, card: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.wallet.google.http.WHOLE_S", 0.05)
    await stage.present.buy(ada)
    await stage.changed(card)
    stage.fake.is_open.clear()

    async with asyncio.timeout(10):
        await stage.updates.step()

    assert await stage.waiting() == 1
    stage.fake.is_open.set()
    stage.later(minutes=10)
    await stage.work_off()
    assert stage.balance(card) == 108
