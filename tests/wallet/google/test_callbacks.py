"""Saves and deletions that Google tells of, as they come: doubled, late, forged, in any order."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from loyalty_graph.outbox import FactRow
from loyalty_graph.sandbox.google_callbacks import CallbackFault
from loyalty_graph.wallet.google.callbacks import Callbacks, RootKeys, Verdict
from loyalty_graph.wallet.google.http import Requests
from loyalty_graph.wallet.google.models import GoogleCallbackRow
from loyalty_graph.wallet.models import PassRow
from tests.shop import NOON
from tests.wallet.google.making import CLASS_ID, ISSUER
from tests.wallet.google.stage import Stage

HOUR = timedelta(hours=1)


def signed(
    stage: Stage,
    serial: str,
    event: str = "save",
    *,
    nonce: str = "n1",
    sent_at: Any = NOON,
    fault: CallbackFault | None = None,
    **more: Any,
) -> bytes:
    message = {"classId": CLASS_ID, "objectId": f"{ISSUER}.{serial}", "eventType": event}
    return stage.fake.signer.sign({**message, "nonce": nonce, **more}, now=sent_at, fault=fault)


async def received(stage: Stage, *given: Any, **named: Any) -> Verdict:
    body = signed(stage, *given, **named)
    return await stage.desk.callbacks.receive(body, now=stage.now)


async def facts() -> list[tuple[str, object]]:
    rows = await FactRow.filter(kind__startswith="pass.").order_by("id")
    return [(row.kind, row.payload) for row in rows if row.kind != "pass.issued"]


async def state() -> tuple[object, ...]:
    row = await PassRow.get()
    return row.installed_at, row.removed_at


async def test_a_save_installs_and_a_deletion_removes(stage: Stage, card: str):
    saved = await received(stage, card)
    after_saving = await state()
    stage.later(minutes=5)
    sent_at, at = stage.now, stage.now
    deleted = await received(stage, card, "del", nonce="n2", sent_at=sent_at)
    after_deleting = await state()
    stage.later(minutes=5)
    again = await received(stage, card, nonce="n3", sent_at=stage.now)

    began = NOON + timedelta(seconds=2)
    told = {"pass": card, "platform": "GOOGLE"}
    assert {saved, deleted, again} == {Verdict.APPLIED}
    assert after_saving == (began, None)
    assert after_deleting == (began, at)
    assert await state() == (stage.now, None)
    assert await facts() == [
        ("pass.installed", told),
        ("pass.removed", told),
        ("pass.installed", told),
    ]


async def test_a_duplicate_changes_nothing(stage: Stage, card: str):
    await received(stage, card)
    before = await state()
    stage.later(minutes=1)

    again = await received(stage, card, sent_at=stage.now)

    assert again is Verdict.DUPLICATE
    assert await state() == before
    assert len(await facts()) == 1


async def test_a_second_device_is_no_news(stage: Stage, card: str):
    await received(stage, card)
    stage.later(minutes=1)

    assert await received(stage, card, nonce="n2", sent_at=stage.now) is Verdict.APPLIED
    assert len(await facts()) == 1


async def test_a_deletion_that_was_sent_before_a_save_does_not_undo_it(stage: Stage, card: str):
    await received(stage, card, nonce="later", sent_at=NOON)

    late = await received(stage, card, "del", nonce="earlier", sent_at=NOON - timedelta(minutes=1))

    assert late is Verdict.OVERTAKEN
    assert (await state())[1] is None
    assert await received(stage, card, "del", nonce="earlier") is Verdict.DUPLICATE


async def test_a_deletion_of_what_was_never_told_to_be_saved_is_no_news(stage: Stage, card: str):
    assert await received(stage, card, "del") is Verdict.APPLIED
    assert await state() == (None, None)
    assert await facts() == []


async def test_expired_callback_is_refused(stage: Stage, card: str):
    assert await received(stage, card, sent_at=NOON - HOUR) is Verdict.EXPIRED
    assert await received(stage, card, fault=CallbackFault.EXPIRED) is Verdict.EXPIRED
    assert await state() == (None, None)
    assert not await GoogleCallbackRow.exists()


async def test_a_replay_is_refused_even_when_its_nonce_was_forgotten(stage: Stage, card: str):
    body = signed(stage, card)
    await stage.desk.callbacks.receive(body, now=stage.now)
    stage.later(hours=1)
    await received(stage, card, "del", nonce="n2", sent_at=stage.now)

    assert await stage.desk.callbacks.receive(body, now=stage.now) is Verdict.EXPIRED
    assert await GoogleCallbackRow.all().count() == 1
    assert (await state())[1] == stage.now


async def test_non_ascii_callback_is_accepted(stage: Stage, card: str):
    assert await received(stage, card, fault=CallbackFault.NON_ASCII) is Verdict.APPLIED
    assert (await state())[0] == stage.now


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (CallbackFault.WRONG_ISSUER, Verdict.FORGED),
        (CallbackFault.WRONG_ROOT, Verdict.FORGED),
        (CallbackFault.TAMPERED, Verdict.FORGED),
        (CallbackFault.EXPIRED_KEY, Verdict.FORGED),
    ],
)
async def test_forged_callbacks_change_nothing(
    stage: Stage, card: str, fault: CallbackFault, verdict: Verdict
):
    assert await received(stage, card, fault=fault) is verdict
    assert await state() == (None, None)
    assert not await GoogleCallbackRow.exists()


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ({"objectId": "1.c7"}, Verdict.FORGED),
        ({"objectId": f"{ISSUER}.{'c' * 32}"}, Verdict.UNKNOWN),
        ({"objectId": f"{ISSUER}.{'c' * 33}"}, Verdict.UNKNOWN),
        ({"objectId": 7}, Verdict.MALFORMED),
        ({"eventType": "stolen"}, Verdict.MALFORMED),
        ({"nonce": ""}, Verdict.MALFORMED),
        ({"nonce": "n" * 1_001}, Verdict.MALFORMED),
    ],
    ids=str,
)
async def test_what_a_genuine_callback_must_say(
    stage: Stage, card: str, more: dict[str, Any], verdict: Verdict
):
    said = {"nonce": "n1", **more}
    nonce = said.pop("nonce")

    assert await received(stage, card, nonce=nonce, **said) is verdict
    assert await state() == (None, None)


async def test_what_is_no_callback_at_all_is_malformed(stage: Stage, card: str):
    assert await stage.desk.callbacks.receive(b"hello", now=NOON) is Verdict.MALFORMED


class Publisher:
    """Publishes root keys, or fails to; counts how often it was asked."""

    def __init__(self, *replies: object) -> None:
        self.replies, self.asked = list(replies), 0

    def __call__(self, _request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx2.Response(200, json=reply)


def callbacks_of(publisher: Publisher) -> Callbacks:
    requests = Requests(httpx2.MockTransport(publisher))
    return Callbacks(ISSUER, RootKeys("https://keys.example/keys", requests))


async def test_root_keys_are_read_once_an_hour(stage: Stage, card: str):
    publisher = Publisher(stage.fake.signer.published(now=NOON))
    callbacks = callbacks_of(publisher)

    for minutes in (0, 59, 61):
        now = NOON + timedelta(minutes=minutes)
        body = signed(stage, card, nonce=f"n{minutes}", sent_at=now)
        assert await callbacks.receive(body, now=now) is Verdict.APPLIED

    assert publisher.asked == 2


async def test_a_new_root_key_is_looked_for_but_forged_callbacks_flood_nobody(
    stage: Stage, card: str
):
    old, new = Stage(stage.shop).fake.signer, stage.fake.signer
    publisher = Publisher(old.published(now=NOON), new.published(now=NOON))
    callbacks = callbacks_of(publisher)
    forged = signed(stage, card, fault=CallbackFault.WRONG_ROOT)

    before = [await callbacks.receive(forged, now=NOON) for _ in range(3)]
    later = NOON + timedelta(seconds=30)
    found = await callbacks.receive(signed(stage, card), now=later)

    assert before == [Verdict.FORGED] * 3
    assert found is Verdict.APPLIED
    assert publisher.asked == 2


async def test_without_googles_keys_nothing_is_decided(
    stage: Stage, card: str, caplog: pytest.LogCaptureFixture
):
    publisher = Publisher(httpx2.ConnectError("down"), {"keys": []})
    callbacks = callbacks_of(publisher)
    body = signed(stage, card)

    assert await callbacks.receive(body, now=NOON) is Verdict.NO_KEYS
    assert await callbacks.receive(body, now=NOON + timedelta(minutes=1)) is Verdict.NO_KEYS
    assert "cannot be read: ConnectError" in caplog.text
    assert "cannot be read: there are none for us" in caplog.text
    assert await state() == (None, None)


async def test_keys_that_are_known_stay_while_google_is_down(stage: Stage, card: str):
    known = stage.fake.signer.published(now=NOON)
    publisher = Publisher(known, httpx2.ConnectError("down"))
    callbacks = callbacks_of(publisher)
    await callbacks.receive(signed(stage, card), now=NOON)
    later = NOON + timedelta(hours=2)

    body = signed(stage, card, "del", nonce="n2", sent_at=later)

    assert await callbacks.receive(body, now=later) is Verdict.APPLIED
