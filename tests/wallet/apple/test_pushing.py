"""Devices are told of changes, each once, whatever APNs does and whoever is killed."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from loyalty_graph import traces
from loyalty_graph.alarms import present
from loyalty_graph.config import Settings
from loyalty_graph.errors import SettingsError
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.sandbox.apns import FakeApns
from loyalty_graph.sandbox.apns_plan import Reply
from loyalty_graph.wallet import latency, pushes
from loyalty_graph.wallet.apple import pushing
from loyalty_graph.wallet.apple.apns import Limits
from loyalty_graph.wallet.apple.development_ca import IDENTITY
from loyalty_graph.wallet.apple.models import DeviceRow, RegistrationRow
from loyalty_graph.wallet.apple.pushing import ApplePushes, open_pushes, pushes_to_apple
from loyalty_graph.wallet.apple.signing import Signer
from loyalty_graph.wallet.latency import Stage as Passed
from loyalty_graph.wallet.models import CardPushRow, PassRow
from loyalty_graph.wallet.service import Platform
from tests.jobs.making import Clock
from tests.shop import DAY, NOON, Shop, open_shop
from tests.tracing import Ended, collected
from tests.wallet.apple.conftest import LONG_PAUSES, NO_PAUSES, Connecting
from tests.wallet.holding import install, issue, mark, number

TOPIC = IDENTITY.pass_type_identifier
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR = timedelta(hours=1)
ALARM = f"apns.{TOPIC}"
NEVER = Reply(until=asyncio.Event())


@dataclass
class Stage:
    """A shop, devices that hold its passes, and those who push to them."""

    shop: Shop
    fake: FakeApns
    connecting: Connecting
    clock: Clock = field(default_factory=Clock)

    def pusher(self, limits: Limits = NO_PAUSES) -> ApplePushes:
        return ApplePushes(self.connecting(limits=limits), clock=self.clock)

    async def member(self, *devices: str) -> Member:
        """Enrol somebody whose pass these devices hold."""
        member = await self.shop.enrol()
        await install(await issue(self.shop, member), *devices, pass_type=TOPIC)
        await number(now=self.clock.now)
        await CardPushRow.all().delete()
        return member

    async def change(self, *members: Member) -> None:
        """Change what the cards of these members show."""
        await mark(self.shop, *members, now=self.clock.now)
        await number(now=self.clock.now)

    @property
    def told(self) -> Counter[str]:
        """How often each token was pushed to, whatever was answered."""
        return Counter(push.token for push in self.fake.pushes)


@pytest.fixture
async def stage(database: object, fake: FakeApns, connecting: Connecting) -> Stage:
    return Stage(await open_shop(), fake, connecting)


async def until(pusher: ApplePushes, is_so: Callable[[], Awaitable[bool]]) -> None:
    """Let the pusher work until something is so."""
    async with asyncio.timeout(30):
        while not await is_so():
            await pusher.step()


async def nothing_is_due() -> bool:
    return not await CardPushRow.filter(due_at__isnull=False).exists()


async def nothing_is_claimed() -> bool:
    return not await CardPushRow.filter(claim__isnull=False).exists()


async def work_off(stage: Stage, limits: Limits = NO_PAUSES) -> None:
    """Push what is due now until each push has ended, well or not."""
    pusher = stage.pusher(limits)
    before = len(stage.fake.pushes)

    async def all_ended() -> bool:
        return len(stage.fake.pushes) > before and await nothing_is_claimed()

    await until(pusher, all_ended)


async def test_each_device_is_told_once(stage: Stage):
    ada, bob = await stage.member("phone", "watch"), await stage.member("tablet")
    await stage.change(ada, bob)

    await until(stage.pusher(), nothing_is_due)

    assert stage.told == {"token of phone": 1, "token of watch": 1, "token of tablet": 1}
    assert {push.topic for push in stage.fake.pushes} == {TOPIC}
    rows = await CardPushRow.all()
    assert all(row.pushed_tag == row.wanted_tag for row in rows)
    assert {(row.attempts, row.claim) for row in rows} == {(0, None)}


async def test_devices_with_one_token_are_told_by_one_push(stage: Stage):
    ada = await stage.member("phone", "the same phone, set up anew")
    await DeviceRow.all().update(push_token="shared")
    await stage.change(ada)

    await until(stage.pusher(), nothing_is_due)

    assert stage.told == {"shared": 1}


async def test_a_burst_of_changes_is_one_push_and_at_most_one_more(stage: Stage):
    gate, ada = asyncio.Event(), await stage.member("phone")
    stage.fake.plan.usual = Reply(until=gate)
    pusher = stage.pusher()
    await stage.change(ada)

    async def is_under_way() -> bool:
        return len(stage.fake.pushes) == 1

    await until(pusher, is_under_way)
    for _ in range(20):
        await stage.change(ada)
    gate.set()
    await until(pusher, nothing_is_claimed)
    stage.clock.now += 2 * SECOND
    await until(pusher, nothing_is_due)

    assert stage.told == {"token of phone": 2}
    row = await CardPushRow.get()
    assert row.pushed_tag == row.wanted_tag


async def test_a_device_that_is_gone_is_forgotten_with_its_registrations(stage: Stage):
    ada = await stage.member("phone")
    stage.fake.plan.usual = Reply(410, "Unregistered", unregistered_at=NOON + SECOND)
    await stage.change(ada)

    await until(stage.pusher(), nothing_is_due)

    assert not await DeviceRow.exists()
    assert not await RegistrationRow.exists()
    assert not await CardPushRow.exists()
    assert (await PassRow.get()).removed_at == NOON
    assert await FactRow.filter(kind="pass.removed").count() == 1


async def test_one_of_two_devices_that_is_gone_leaves_the_pass_installed(stage: Stage):
    ada = await stage.member("phone", "watch")
    stage.fake.plan.answer("token of watch", Reply(410, "Unregistered"))
    await stage.change(ada)

    await until(stage.pusher(), nothing_is_due)

    assert [row.device for row in await RegistrationRow.all()] == ["phone"]
    assert (await PassRow.get()).removed_at is None
    assert not await FactRow.filter(kind="pass.removed").exists()


@pytest.mark.parametrize("reason", ["BadDeviceToken", "DeviceTokenNotForTopic"])
async def test_a_bad_token_is_forgotten(stage: Stage, reason: str):
    ada = await stage.member("phone", "watch")
    stage.fake.plan.answer("token of watch", Reply(400, reason))
    await stage.change(ada)

    await until(stage.pusher(), nothing_is_due)

    assert [row.device for row in await DeviceRow.all()] == ["phone"]


async def test_stale_push_token_a_device_that_told_a_newer_one_is_kept_and_told(stage: Stage):
    gate, ada = asyncio.Event(), await stage.member("phone")
    gone = Reply(410, "Unregistered", unregistered_at=NOON + HOUR, until=gate)
    stage.fake.plan.answer("token of phone", gone)
    pusher = stage.pusher()
    await stage.change(ada)

    async def is_under_way() -> bool:
        return len(stage.fake.pushes) == 1

    await until(pusher, is_under_way)
    await DeviceRow.all().update(push_token="newer", token_told_at=NOON + SECOND)
    gate.set()
    await until(pusher, nothing_is_claimed)
    stage.clock.now += HOUR
    await until(pusher, nothing_is_due)

    assert stage.told == {"token of phone": 1, "newer": 1}
    assert await RegistrationRow.all().count() == 1


async def test_a_token_told_again_after_apple_saw_it_gone_is_kept_and_tried_again(stage: Stage):
    ada = await stage.member("phone")
    gone = Reply(410, "Unregistered", unregistered_at=NOON - SECOND)
    stage.fake.plan.answer("token of phone", gone, Reply())
    await stage.change(ada)

    await work_off(stage)
    stage.clock.now += HOUR
    await until(stage.pusher(), nothing_is_due)

    assert stage.told == {"token of phone": 2}
    assert await RegistrationRow.all().count() == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(429, "TooManyRequests"),
        Reply(500, "InternalServerError"),
        Reply(503, "ServiceUnavailable"),
        Reply(500, body=b"\x00garbage"),
        Reply(drops=True),
    ],
)
async def test_what_apns_cannot_take_now_is_tried_again_ever_later(
    stage: Stage, reply: Reply, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pushing, "chance", lambda: 0.5)
    ada = await stage.member("phone")
    stage.fake.plan.answer("token of phone", reply, reply, Reply())
    await stage.change(ada)

    pauses = []
    for _ in range(2):
        await work_off(stage)
        row = await CardPushRow.get()
        assert row.due_at is not None
        pauses.append(row.due_at - stage.clock.now)
        stage.clock.now = row.due_at
    await until(stage.pusher(), nothing_is_due)

    assert pauses == [SECOND, 2 * SECOND]
    assert stage.told == {"token of phone": 3}


async def test_apns_may_say_how_long_to_wait(stage: Stage):
    ada = await stage.member("phone")
    stage.fake.plan.usual = Reply(429, "TooManyRequests", retry_after=600)
    await stage.change(ada)

    await work_off(stage)

    row = await CardPushRow.get()
    assert row.due_at is not None
    assert row.due_at >= NOON + timedelta(seconds=600)


async def test_a_refused_certificate_is_an_alarm_and_stops_everything(
    stage: Stage, caplog: pytest.LogCaptureFixture
):
    ada, bob = await stage.member("phone"), await stage.member("tablet")
    stage.fake.plan.usual = Reply(403, "BadCertificate")
    pusher = stage.pusher(LONG_PAUSES)
    await stage.change(ada)

    async def is_alarmed() -> bool:
        return bool(await present())

    await until(pusher, is_alarmed)
    await stage.change(bob)
    stage.clock.now += HOUR
    for _ in range(3):
        await pusher.step()

    [alarm] = await present()
    assert alarm.name == ALARM
    assert alarm.message.endswith("APNs and we do not trust each other (BadCertificate).")
    assert f"Alarm {ALARM}" in caplog.text
    assert "token of" not in caplog.text
    assert stage.told == {"token of phone": 1}
    assert (await CardPushRow.get(target="tablet")).attempts == 0
    assert await CardPushRow.filter(due_at__isnull=False).count() == 2


async def test_a_certificate_that_is_good_again_ends_the_alarm_and_nothing_is_lost(stage: Stage):
    members = [await stage.member(f"phone {number}") for number in range(5)]
    stage.fake.plan.usual = Reply(403, "BadCertificateEnvironment")
    pusher = stage.pusher()
    await stage.change(*members)

    async def is_alarmed() -> bool:
        return bool(await present())

    await until(pusher, is_alarmed)
    stage.fake.plan.usual = Reply()
    stage.clock.now += HOUR
    await until(pusher, nothing_is_due)

    assert await present() == []
    delivered = [push.token for push in stage.fake.pushes if push.status == 200]
    assert Counter(delivered) == Counter(f"token of phone {number}" for number in range(5))


async def test_an_alarm_of_a_process_before_ends_with_the_first_push(stage: Stage):
    ada = await stage.member("phone")
    await pushing.raise_alarm(ALARM, "refused", NOON)
    await stage.change(ada)

    await until(stage.pusher(), nothing_is_due)

    assert await present() == []


async def test_an_alarm_of_a_process_that_died_ends_with_another_ones_pushes(stage: Stage):
    ada, pusher = await stage.member("phone"), stage.pusher()
    await stage.change(ada)
    await until(pusher, nothing_is_due)
    # Another process was refused, and is gone; this one never was.
    await pushing.raise_alarm(ALARM, "refused", stage.clock.now)

    stage.clock.now += 6 * MINUTE
    await stage.change(ada)
    await until(pusher, nothing_is_due)

    assert await present() == []


async def test_nothing_is_lost_while_apns_is_down(stage: Stage, caplog: pytest.LogCaptureFixture):
    ada, bob = await stage.member("phone"), await stage.member("tablet")
    await stage.fake.stop()
    await stage.change(ada)
    pusher = stage.pusher(LONG_PAUSES)

    async def was_tried() -> bool:
        return await CardPushRow.filter(attempts=1, claim=None).exists()

    await until(pusher, was_tried)
    await stage.change(bob)
    await pusher.step()
    waiting = await CardPushRow.filter(due_at__isnull=False).count()
    untouched = await CardPushRow.get(target="tablet")
    await stage.fake.start()
    stage.clock.now += 20_000 * DAY
    other = stage.pusher()
    await until(other, nothing_is_due)

    assert (waiting, untouched.attempts) == (2, 0)
    assert await present() == []
    assert stage.told == {"token of phone": 1, "token of tablet": 1}
    assert "cannot be used: Connect" in caplog.text


async def test_many_workers_push_to_each_device_once(stage: Stage):
    members = [await stage.member(f"a{number}", f"b{number}") for number in range(20)]
    pushers = [stage.pusher() for _ in range(3)]
    await stage.change(*members)

    async with asyncio.timeout(30):
        while not await nothing_is_due():
            await asyncio.gather(*(one.step() for one in pushers))

    assert len(stage.told) == 40
    assert set(stage.told.values()) == {1}


async def test_a_worker_killed_between_sending_and_saying_so_costs_one_push_more_at_most(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    members = [await stage.member(f"phone {number}") for number in range(10)]
    await stage.change(*members)
    killed = stage.pusher()

    async def all_sent() -> bool:
        return len(stage.fake.pushes) == 10

    with monkeypatch.context() as dead:
        dead.setattr(killed, "_settle", _nothing)
        await until(killed, all_sent)
    other = stage.pusher()
    await other.step()
    at_first = len(stage.fake.pushes)
    stage.clock.now += 10 * SECOND
    await until(other, nothing_is_due)

    assert at_first == 10
    assert stage.told == {f"token of phone {number}": 2 for number in range(10)}


async def _nothing() -> bool:
    return False


async def test_a_database_that_fails_for_a_moment_doubles_no_push(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    ada = await stage.member("phone")
    await stage.change(ada)
    pusher = stage.pusher()
    calls = 0
    done = pushes.done

    async def fail_once(*args: object, **options: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("the database is away")
        await done(*args, **options)  # type: ignore[arg-type] # as it was called

    monkeypatch.setattr(pushes, "done", fail_once)

    with pytest.raises(OSError, match="away"):
        await until(pusher, nothing_is_due)
    await until(pusher, nothing_is_due)

    assert stage.told == {"token of phone": 1}


async def test_while_an_answer_is_waited_for_nobody_else_pushes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pushing, "LOOK_EVERY_S", 0.01)
    gate, ada = asyncio.Event(), await stage.member("phone")
    stage.fake.plan.usual = Reply(until=gate)
    pusher, other = stage.pusher(), stage.pusher()
    await stage.change(ada)

    for _ in range(6):
        await pusher.step()
        stage.clock.now += 4 * SECOND
        await pusher.step()
        await other.step()
    gate.set()
    await until(pusher, nothing_is_due)

    assert stage.told == {"token of phone": 1}


async def test_an_answer_to_a_lost_claim_changes_nothing(stage: Stage):
    gate, ada = asyncio.Event(), await stage.member("phone")
    stage.fake.plan.answer("token of phone", Reply(503, until=gate), NEVER)
    held_up, other = stage.pusher(), stage.pusher()
    await stage.change(ada)

    async def is_under_way(count: int) -> bool:
        return len(stage.fake.pushes) == count

    await until(held_up, lambda: is_under_way(1))
    stage.clock.now += 10 * SECOND
    await until(other, lambda: is_under_way(2))
    [before] = await CardPushRow.all().values()
    gate.set()
    await held_up.close()

    assert await CardPushRow.all().values() == [before]
    assert before["claim"] is not None


async def test_what_was_claimed_although_the_answer_was_lost_is_given_back_at_the_next_step(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    ada, pusher = await stage.member("phone"), stage.pusher()
    await stage.change(ada)

    with monkeypatch.context() as cut:
        cut.setattr(pushes, "claim", lost_afterwards(pushes.claim))
        with pytest.raises(OSError, match="cut"):
            await pusher.step()
    claimed = not await nothing_is_claimed()
    await until(pusher, nothing_is_due)

    assert claimed
    assert stage.told == {"token of phone": 1}


async def test_what_could_not_be_sent_is_given_back_at_the_next_step(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    ada, pusher = await stage.member("phone"), stage.pusher()
    await stage.change(ada)

    with monkeypatch.context() as cut:
        cut.setattr(pushes, "dropped", lost_afterwards(pushes.dropped))
        with pytest.raises(OSError, match="cut"):
            await pusher.step()
    await pusher.close()

    assert await nothing_is_claimed()
    assert not await nothing_is_due()


def lost_afterwards(call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[None]]:
    """Return what does the same, and then loses its connection to the database."""

    async def lose(*args: object, **options: object) -> None:
        await call(*args, **options)
        raise OSError("the connection was cut")

    return lose


async def test_a_device_that_left_meanwhile_is_not_told(stage: Stage):
    ada = await stage.member("phone", "watch")
    await stage.change(ada)
    await DeviceRow.filter(device="watch").delete()

    await until(stage.pusher(), nothing_is_due)

    assert stage.told == {"token of phone": 1}
    assert [row.target for row in await CardPushRow.all()] == ["phone"]


async def test_who_waits_is_woken(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pushing, "LOOK_EVERY_S", 3600)
    ada = await stage.member("phone")
    pusher = stage.pusher()
    waiting = asyncio.create_task(pusher.step())
    await asyncio.sleep(0)

    await stage.change(ada)
    pusher.wake()

    async with asyncio.timeout(30):
        await waiting
        await until(pusher, nothing_is_due)


async def test_who_leaves_writes_down_what_was_answered(stage: Stage):
    gate, ada = asyncio.Event(), await stage.member("phone")
    stage.fake.plan.usual = Reply(until=gate)
    pusher = stage.pusher()
    await stage.change(ada)
    await pusher.step()

    closing = asyncio.create_task(pusher.close())
    gate.set()
    await closing

    assert await nothing_is_due()
    assert stage.told == {"token of phone": 1}


async def test_who_leaves_gives_back_what_is_never_answered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pushing, "CLOSE_GRACE_S", 0.05)
    ada = await stage.member("phone")
    stage.fake.plan.usual = NEVER
    pusher = stage.pusher()
    await stage.change(ada)
    await pusher.step()

    await pusher.close()

    assert await nothing_is_claimed()
    assert not await nothing_is_due()


async def test_how_long_changes_took_is_counted(stage: Stage):
    ada = await stage.member("phone", "watch")
    await stage.change(ada)
    stage.clock.now += SECOND
    pusher = stage.pusher()

    await until(pusher, nothing_is_due)
    await pusher.close()

    measured = await latency.percentiles(stage.shop.program_id, since=NOON)
    times = measured[Platform.APPLE, Passed.PUSHED]
    assert times.count == 2
    assert times.p50_s == pytest.approx(1.0, rel=0.05)


async def test_no_push_token_and_no_device_is_ever_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, "loyalty_graph")
    ada = await stage.member("phone")
    answers = [Reply(503), Reply(drops=True), Reply(403, "Forbidden"), Reply(410)]
    stage.fake.plan.answer("token of phone", *answers)
    await stage.change(ada)

    for _ in answers:
        await work_off(stage)
        stage.clock.now += HOUR

    ours = [one.getMessage() for one in caplog.records if one.name.startswith("loyalty_graph")]
    assert "Devices whose push tokens APNs no longer knows: 1." in ours
    assert not any("phone" in message for message in ours)


def test_a_root_without_certificates_is_refused_at_the_start(
    present_signer: Signer, tmp_path: Path
):
    (tmp_path / "empty.pem").write_text("")

    for name in ("empty.pem", "missing.pem"):
        settings = Settings(apns_root=tmp_path / name)
        with pytest.raises(SettingsError, match=r"LOYALTY_APNS_ROOT: .*pem holds no certificates"):
            open_pushes(settings, lambda: present_signer, clock=Clock())


@pytest.mark.parametrize("host", ["api.sandbox.push.apple.com", "api.development.push.apple.com"])
def test_apples_sandbox_which_takes_every_push_token_for_bad_is_refused_at_the_start(
    present_signer: Signer, host: str
):
    settings = Settings(apns_url=f"https://{host}")

    with pytest.raises(SettingsError, match="LOYALTY_APNS_URL: Apple's sandbox knows no passes"):
        open_pushes(settings, lambda: present_signer, clock=Clock())


def test_apple_is_not_troubled_with_passes_of_the_development_ca():
    assert not pushes_to_apple(Settings())
    assert pushes_to_apple(Settings(apns_url="https://127.0.0.1:2197"))
    assert pushes_to_apple(Settings(pass_type_identifier="pass.com.example.card"))


async def test_a_push_belongs_to_the_trace_of_the_purchase_that_caused_it(stage: Stage):
    ada, bob = await stage.member("phone"), await stage.member("tablet")

    with collected() as collector:
        with traces.span("till"):
            await stage.shop.buy(ada)
        await stage.change(bob)
        await until(stage.pusher(), nothing_is_due)

    till = collector.only("till")
    found = {Ended.of(one) for one in collector.named("push to Apple")}
    assert len(found) == 2
    [mine] = [one for one in found if one.trace == till.trace]
    [other] = found - {mine}
    assert other.parent is None
    [stored] = [one for one in collector.get_finished_spans() if Ended.of(one).id == mine.parent]
    assert Ended.of(stored).trace == till.trace
    [told] = [one for one in collector.named("push to Apple") if Ended.of(one) == mine]
    assert told.attributes == {"push.result": "Delivered"}
