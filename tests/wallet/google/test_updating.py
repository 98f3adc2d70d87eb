"""Objects at Google follow their cards: what is sent, and how little."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from tortoise.exceptions import OperationalError

from loyalty_graph.config import Settings
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import program_file
from loyalty_graph.wallet import claims, pushes, voiding
from loyalty_graph.wallet.desk import all_templates
from loyalty_graph.wallet.google import given, updating
from loyalty_graph.wallet.google.given import Arrived, Given
from loyalty_graph.wallet.google.models import GoogleObjectRow
from loyalty_graph.wallet.google.objects import GoogleCard
from loyalty_graph.wallet.google.rules import Shown
from loyalty_graph.wallet.google.updating import GoogleUpdates
from loyalty_graph.wallet.models import CardPushRow, PassRow
from loyalty_graph.wallet.pushes import Wanted
from loyalty_graph.wallet.service import Platform
from tests.jobs.making import until
from tests.shop import NOON, open_shop, program
from tests.tiers.shop import tea, with_tiers
from tests.tracing import CALLER, PARENT, TRACE, collected
from tests.wallet.google.making import CLASS_ID, ISSUER, PUBLIC_URL
from tests.wallet.google.stage import CLASS_MADE, INSERTED, Stage, patch_of

COFFEE = (Line("COFFEE", 1, 100),)
"""Earns 2 points."""


async def test_a_class_is_made_before_its_first_object(stage: Stage, ada: Member):
    serial = await stage.card(ada)

    await stage.brought(serial)

    assert stage.take_asked() == [*CLASS_MADE, patch_of(serial), *INSERTED]
    assert stage.fake.store.classes[CLASS_ID]["reviewStatus"] == "APPROVED"
    assert stage.object(serial)["accountName"] == "Ada"
    row = await PassRow.get()
    assert (row.delivered_tag, row.delivered_at) == (1, NOON)
    assert await stage.waiting() == 0


@pytest.mark.parametrize("name", sorted(all_templates(Settings())))
async def test_google_takes_every_template(stage: Stage, ada: Member, name: str):
    data = {**with_tiers(), "branding": {"template": name}}
    await open_shop(data, now=stage.now)
    card = GoogleCard(all_templates(Settings())[name], public_url=PUBLIC_URL)
    stage.desk = stage.open_desk(card=card, name=name)
    stage.updates = GoogleUpdates(stage.desk, clock=lambda: stage.now)
    serial = await stage.card(ada)
    await stage.present.buy(ada, tea(10_000))

    await stage.brought(serial)

    assert stage.take_asked() == [*CLASS_MADE, patch_of(serial), *INSERTED]
    assert stage.object(serial)["state"] == "ACTIVE"


async def test_the_object_follows_the_balance_with_one_request_of_what_changed(
    stage: Stage, ada: Member, card: str
):
    await stage.present.buy(ada)
    await stage.brought(card)

    [(method, name, body)] = stage.line.asked
    assert (method, name) == ("PATCH", f"loyaltyObject/{ISSUER}.{card}")
    assert body.keys() == {"loyaltyPoints", "textModulesData", "notifyPreference"}
    assert body["loyaltyPoints"] == {"label": "beans", "balance": {"int": 108}}
    assert stage.balance(card) == 108
    assert (await PassRow.get()).delivered_tag == 2


async def test_a_change_that_shows_nothing_new_asks_nothing(stage: Stage, card: str):
    await stage.brought(card)

    assert stage.take_asked() == []
    assert (await PassRow.get()).delivered_tag == 2


async def test_a_burst_to_one_member_is_one_patch_and_one_more(
    stage: Stage, ada: Member, card: str
):
    await stage.present.buy(ada, COFFEE)
    await stage.changed(card)
    first = await stage.step_until_asked()
    for _ in range(5):
        await stage.present.buy(ada, COFFEE)
        await stage.changed(card)

    stage.fake.is_open.set()
    await first
    stage.later(seconds=1)
    await stage.work_off()

    assert stage.take_asked() == [patch_of(card)] * 2
    assert stage.balance(card) == 12
    assert (await PassRow.get()).delivered_tag == 7


async def test_a_card_that_never_rests_lags_by_its_last_changes_only(
    stage: Stage, ada: Member, card: str
):
    for _ in range(3):
        await stage.present.buy(ada, COFFEE)
        await stage.changed(card)
        step = await stage.step_until_asked()
        await stage.present.buy(ada, COFFEE)
        await stage.changed(card)
        stage.fake.is_open.set()
        await step
        stage.later(hours=1)

    row = await PassRow.get()
    assert row.delivered_tag == row.update_tag - 1
    assert row.stale_since == stage.now - timedelta(hours=1)


async def test_many_cards_are_under_way_at_once_and_each_is_sent_once(stage: Stage, card: str):
    serials = [await stage.card(await stage.shop.enrol()) for _ in range(15)]
    other = GoogleUpdates(stage.open_desk(), clock=lambda: stage.now)
    await stage.changed(*serials)

    first = await stage.step_until_asked(15)
    await other.step()
    stage.fake.is_open.set()
    await first

    asked = stage.take_asked()
    assert {asked.count(patch_of(serial)) for serial in serials} == {1}
    assert asked.count(*INSERTED) == 15
    assert len(stage.fake.store.objects) == 16
    assert await stage.waiting() == 0


async def test_the_pace_of_the_issuer_is_kept_by_all_workers_together(stage: Stage):
    stage.desk = stage.open_desk(per_s=200)
    stage.updates = GoogleUpdates(stage.desk, clock=lambda: stage.now)
    serials = [await stage.card(await stage.shop.enrol()) for _ in range(5)]
    began = asyncio.get_running_loop().time()

    await stage.brought(*serials)

    # 2 requests for the class, 10 for the objects, one each 5 ms.
    assert len(stage.line.asked) == 12
    assert asyncio.get_running_loop().time() - began >= 0.02


async def test_a_card_that_somebody_saves_at_this_moment_is_changed_after_all(
    stage: Stage, ada: Member, card: str
):
    serial = await stage.card(bob := await stage.shop.enrol(first_name="Bob"))
    await stage.present.buy(bob)
    saved = {**stage.object(card), "id": f"{ISSUER}.{serial}"}
    stage.fake.store.objects[f"{ISSUER}.{serial}"] = saved
    stage.line.failures.append(not_found())

    await stage.brought(serial)

    assert stage.take_asked() == [patch_of(serial), *INSERTED, patch_of(serial)]
    assert stage.object(serial)["accountName"] == "Bob"
    assert stage.balance(serial) == 108


async def test_what_an_old_save_link_left_behind_is_taken_away(stage: Stage, card: str):
    serial = await stage.card(await stage.shop.enrol())
    tier = {"label": "Tier", "balance": {"string": "Gold"}}
    saved = {**stage.object(card), "id": f"{ISSUER}.{serial}", "secondaryLoyaltyPoints": tier}
    stage.fake.store.objects[f"{ISSUER}.{serial}"] = saved

    await stage.brought(serial)

    assert "secondaryLoyaltyPoints" not in stage.object(serial)


async def test_class_update_without_review_status_is_never_sent(stage: Stage, card: str):
    data = {**program(), "branding": {"background": "rgb(1, 2, 3)"}}
    stage.later(hours=1)
    await open_shop(data, now=stage.now)

    await stage.brought(card)

    [(method, name, body)] = stage.line.asked
    assert (method, name) == ("PATCH", f"loyaltyClass/{CLASS_ID}")
    assert body["reviewStatus"] == "UNDER_REVIEW"
    assert stage.fake.store.classes[CLASS_ID]["hexBackgroundColor"] == "#010203"


async def test_a_class_that_google_has_lost_is_made_again(stage: Stage, ada: Member, card: str):
    stage.fake.store.classes.clear()
    stage.fake.store.objects.clear()
    await stage.present.buy(ada)
    await stage.brought(card)

    stage.later(minutes=10)
    await stage.work_off()

    assert stage.balance(card) == 108
    assert CLASS_ID in stage.fake.store.classes


async def test_the_object_of_a_closed_member_is_expired(stage: Stage, ada: Member, card: str):
    await stage.present.close(ada)

    await stage.brought(card)

    assert stage.object(card)["state"] == "EXPIRED"


async def test_the_object_of_a_void_pass_is_expired_and_the_new_one_is_good(
    stage: Stage, ada: Member, card: str
):
    await voiding.void(stage.shop.program_id, ada.id, card, now=stage.now)
    new = await stage.card(ada)

    await stage.brought(card, new)

    assert stage.object(card)["state"] == "EXPIRED"
    assert stage.object(new)["state"] == "ACTIVE"


async def test_the_object_of_an_expired_pass_is_expired(stage: Stage, card: str):
    await PassRow.filter(serial=card).update(expires_at=stage.now)

    await stage.brought(card)

    assert stage.object(card)["state"] == "EXPIRED"


async def test_a_push_of_a_pass_there_is_not_is_dropped(stage: Stage):
    await pushes.want([Wanted(Platform.GOOGLE, ISSUER, "c7", 1, NOON)], now=NOON)

    await stage.updates.step()

    assert not await CardPushRow.exists()
    assert stage.take_asked() == []


async def test_a_programme_without_its_template_waits_and_says_so(
    stage: Stage,
    card: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(program_file, "template_folders", lambda _own: {"gone": Path("gone")})
    data = {**program(), "branding": {"template": "gone"}}
    stage.later(hours=1)
    await open_shop(data, now=stage.now)

    await stage.brought(card)

    assert "the programme's card template is not here" in caplog.text
    assert await stage.waiting() == 1
    assert stage.take_asked() == []


async def test_what_a_worker_that_died_had_claimed_is_done_by_another(
    stage: Stage, ada: Member, card: str
):
    await stage.present.buy(ada)
    await stage.changed(card)
    dying = await stage.step_until_asked()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    stage.fake.is_open.set()
    stage.updates = GoogleUpdates(stage.desk, clock=lambda: stage.now)

    await stage.work_off()
    before = stage.balance(card)
    stage.later(seconds=10)
    await stage.work_off()

    assert (before, stage.balance(card)) == (0, 108)
    assert await stage.waiting() == 0


async def test_while_a_request_is_under_way_nobody_else_sends(
    stage: Stage, ada: Member, card: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(claims, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(updating, "LOOK_EVERY_S", 0.001)
    other = GoogleUpdates(stage.open_desk(), clock=lambda: stage.now)
    await stage.present.buy(ada)
    await stage.changed(card)
    step = await stage.step_until_asked()

    async def is_renewed() -> bool:
        return await CardPushRow.filter(due_at=stage.now + claims.LIFE).exists()

    for _ in range(6):
        stage.later(seconds=4)
        await until(is_renewed)
        await other.step()
    stage.fake.is_open.set()
    await step

    assert stage.take_asked() == [patch_of(card)]
    assert stage.balance(card) == 108
    assert await stage.waiting() == 0


async def test_requests_are_cut_off_when_their_claim_cannot_be_renewed_in_time(
    stage: Stage, ada: Member, card: str, monkeypatch: pytest.MonkeyPatch
):
    tried = asyncio.Event()

    async def fail(*_args: object, **_options: object) -> None:
        tried.set()
        raise OperationalError("away")

    monkeypatch.setattr(claims, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(pushes, "renew", fail)
    await stage.present.buy(ada)
    await stage.changed(card)
    step = await stage.step_until_asked()

    stage.later(seconds=6)
    await tried.wait()
    under_way = stage.line.in_flight
    stage.later(seconds=1)
    await step
    after = stage.line.in_flight
    stage.fake.is_open.set()
    await stage.updates.step()

    # Others may not have the claim before 10 s; by then this worker gave it back and has it again.
    assert (under_way, after) == (1, 0)
    assert stage.take_asked() == [patch_of(card)] * 2
    assert stage.balance(card) == 108
    assert await stage.waiting() == 0


async def test_a_worker_who_lost_a_part_of_his_claim_begins_anew_with_the_rest(
    stage: Stage, ada: Member, card: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(claims, "LOOK_EVERY_S", 0.001)
    bobs = await stage.card(bob := await stage.shop.enrol())
    await stage.brought(bobs)
    stage.take_asked()
    for one in (ada, bob):
        await stage.present.buy(one)
    await stage.changed(card, bobs)
    step = await stage.step_until_asked(2)
    await CardPushRow.filter(target=bobs).update(claim=UUID(int=1))

    stage.later(seconds=4)
    await step
    cut_off = (stage.balance(card), stage.balance(bobs))
    stage.fake.is_open.set()
    await stage.updates.step()

    assert cut_off == (0, 0)
    assert (stage.balance(card), stage.balance(bobs)) == (108, 0)
    assert [row.target for row in await CardPushRow.filter(due_at__isnull=False)] == [bobs]


async def test_a_worker_whose_claim_is_lost_sends_nothing_more_and_leaves_all_to_the_other(
    stage: Stage, ada: Member, card: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(claims, "LOOK_EVERY_S", 0.001)
    await stage.present.buy(ada)
    await stage.changed(card)
    step = await stage.step_until_asked()
    await CardPushRow.all().update(claim=UUID(int=1))
    [before] = await CardPushRow.all().values()

    stage.later(seconds=4)
    await step
    stage.fake.is_open.set()
    await stage.updates.step()

    assert await CardPushRow.all().values() == [before]
    assert (stage.line.in_flight, stage.balance(card)) == (0, 0)
    assert (await PassRow.get()).delivered_tag == 1


@pytest.mark.parametrize("what", ["claim", "done"])
async def test_what_was_claimed_when_the_database_was_lost_is_given_back_at_the_next_step(
    stage: Stage, ada: Member, card: str, monkeypatch: pytest.MonkeyPatch, what: str
):
    call = getattr(pushes, what)

    async def lose(*args: object, **options: object) -> None:
        if what == "claim":
            await call(*args, **options)
        raise OSError("the connection was cut")

    await stage.present.buy(ada)
    await stage.changed(card)

    with monkeypatch.context() as cut:
        cut.setattr(pushes, what, lose)
        with pytest.raises(OSError, match="cut"):
            await stage.updates.step()
    claimed = await CardPushRow.filter(claim__isnull=False).count()
    await stage.updates.step()

    assert claimed == 1
    assert stage.balance(card) == 108
    assert await stage.waiting() == 0


async def test_a_balance_that_is_what_it_was_again_is_sent_when_nobody_knows_what_google_has(
    stage: Stage, ada: Member, card: str
):
    purchase = await stage.present.buy(ada)
    await stage.changed(card)
    step = await stage.step_until_asked()
    # Google does what it was asked to, and the worker dies before it hears of it.
    stage.object(card)["loyaltyPoints"]["balance"]["int"] = 108
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    stage.fake.is_open.set()

    await stage.present.void(purchase)
    await stage.changed(card)
    stage.later(seconds=10)
    await stage.work_off()

    assert stage.balance(card) == 0


async def test_what_comes_late_does_not_change_what_google_is_known_to_have(
    stage: Stage, ada: Member, card: str
):
    [first] = await GoogleObjectRow.all().values()
    row, now = await PassRow.get(), stage.now
    await stage.present.buy(ada)
    await stage.brought(card)
    [before] = await GoogleObjectRow.all().values()

    late = Arrived(
        row.program_id,
        row.member_id,
        card,
        tag=1,
        read_at=now,
        holds_until=None,
        given=Given(first["given"], Shown(first["balance"], None, None)),
    )
    await given.keep([late], now=stage.now)

    assert await GoogleObjectRow.all().values() == [before]
    assert (await PassRow.get()).delivered_tag == 2


async def test_a_worker_that_was_held_up_sends_nothing(
    stage: Stage, ada: Member, card: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(updating, "SENT_WITHIN", timedelta(0))
    await stage.present.buy(ada)

    await stage.changed(card)
    await stage.updates.step()

    assert stage.take_asked() == []
    assert await stage.waiting() == 1


async def test_an_idle_loop_looks_when_it_is_woken(stage: Stage, ada: Member, card: str):
    idle = asyncio.create_task(stage.updates.step())
    await asyncio.sleep(0)

    stage.updates.wake()

    assert await idle == 0.0
    await stage.updates.close()
    assert await GoogleObjectRow.all().count() == 1


def not_found() -> httpx2.Response:
    return httpx2.Response(404, json={"error": {"errors": [{"reason": "resourceNotFound"}]}})


async def test_an_update_belongs_to_the_trace_of_what_changed(stage: Stage, card: str):
    await stage.present.buy(await Member.get(), COFFEE)
    row = await PassRow.get(serial=card)
    await PassRow.filter(serial=card).update(update_tag=row.update_tag + 1, changed_at=stage.now)
    wanted = Wanted(Platform.GOOGLE, ISSUER, card, row.update_tag + 1, stage.now, PARENT)
    await pushes.want([wanted], now=stage.now)
    stage.later(seconds=2)

    with collected() as collector:
        await stage.updates.step()

    told = collector.only("push to Google")
    assert (told.trace, told.parent) == (TRACE, CALLER)
