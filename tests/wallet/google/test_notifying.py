"""Notifications: which changes get one, and that there are never more than three in 24 hours."""

from collections import deque
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.wallet.google.models import GoogleObjectRow
from loyalty_graph.wallet.google.notices import words
from loyalty_graph.wallet.google.rules import Notice
from tests.shop import open_shop
from tests.tiers.shop import tea, with_tiers
from tests.wallet.google.making import ISSUER
from tests.wallet.google.stage import Stage, patch_of
from tests.wallet.google.test_updating import COFFEE
from tests.wallet.making import make_face

MAX_GOOGLE = 3


async def buy(stage: Stage, member: Member, serial: str) -> None:
    await stage.present.buy(member, COFFEE)
    await stage.brought(serial)


async def test_an_increase_is_told_and_a_spend_is_not(stage: Stage, ada: Member, card: str):
    await buy(stage, ada, card)
    after_buying = stage.notified(card)
    await stage.present.redeem(ada, 1)
    await stage.brought(card)

    assert (after_buying, stage.notified(card)) == (1, 1)
    assert [body.get("notifyPreference") for _, _, body in stage.line.asked] == [
        "NOTIFY_ON_UPDATE",
        None,
    ]
    assert stage.balance(card) == 1


async def test_the_first_object_is_no_news(stage: Stage, ada: Member):
    await stage.present.buy(ada)
    serial = await stage.card(ada)

    await stage.brought(serial)

    assert stage.notified(serial) == 0
    assert (await GoogleObjectRow.get()).notified == []


async def test_the_fourth_increase_of_a_day_shows_but_is_not_told(
    stage: Stage, ada: Member, card: str
):
    for _ in range(4):
        await buy(stage, ada, card)
    after_four = (stage.notified(card), stage.balance(card))
    stage.later(hours=24)
    await buy(stage, ada, card)

    assert after_four == (3, 8)
    assert stage.balance(card) == 10
    assert stage.line.asked[-1][2]["notifyPreference"] == "NOTIFY_ON_UPDATE"
    assert len(stage.take_asked()) == 5


async def test_notification_quota_exceeded_at_google_changes_the_card_all_the_same(
    stage: Stage, ada: Member, card: str
):
    sent = stage.fake.store.notified.setdefault(f"{ISSUER}.{card}", deque())
    sent.extend([stage.now] * MAX_GOOGLE)

    await buy(stage, ada, card)

    assert stage.take_asked() == [patch_of(card)] * 2
    assert stage.balance(card) == 2
    assert await stage.waiting() == 0


async def test_a_spent_rate_is_not_taken_for_a_spent_quota_of_notifications(
    stage: Stage, ada: Member, card: str
):
    rate = {"error": {"errors": [{"reason": "rateLimitExceeded"}]}}
    stage.line.failures.append(httpx2.Response(403, json=rate))
    await buy(stage, ada, card)
    asked = stage.take_asked()

    stage.later(minutes=10)
    await stage.work_off()

    assert asked == [patch_of(card)]
    assert (stage.notified(card), stage.balance(card)) == (1, 2)


async def test_a_notification_that_was_not_sent_is_not_counted(
    stage: Stage, ada: Member, card: str
):
    stage.line.failures.append(httpx2.ConnectError("down"))
    await buy(stage, ada, card)
    after_failure = (await GoogleObjectRow.get()).notified
    stage.line.failures.append(httpx2.ReadTimeout("slow"))
    stage.later(minutes=10)
    await stage.work_off()
    after_silence = (await GoogleObjectRow.get()).notified

    assert after_failure == []
    assert len(after_silence) == 1
    stage.later(minutes=10)
    await stage.work_off()
    assert stage.balance(card) == 2


async def test_a_new_tier_is_told_in_words_once(database: object):
    stage = Stage(await open_shop(with_tiers()))
    ada = await stage.shop.enrol()
    serial = await stage.card(ada)
    await stage.brought(serial)
    stage.take_asked()

    await stage.present.buy(ada, tea(10_000))
    await stage.brought(serial)

    [patched, told] = stage.line.asked
    assert patched[:2] == ("PATCH", f"loyaltyObject/{ISSUER}.{serial}")
    assert "notifyPreference" not in patched[2]
    assert told == (
        "POST",
        f"loyaltyObject/{ISSUER}.{serial}/addMessage",
        {
            "message": {
                "header": "Bean Club",
                "body": "You are now Silver.",
                "messageType": "TEXT_AND_NOTIFY",
            }
        },
    )
    assert stage.notified(serial) == 1


async def test_points_that_expire_soon_are_told_of_when_the_card_shows_them(
    stage: Stage, ada: Member, card: str
):
    await buy(stage, ada, card)
    stage.take_asked()
    stage.later(days=150)

    await stage.brought(card)

    body = stage.line.asked[-1][2]["message"]["body"]
    assert body == "Use 2 beans by Sep 2, 2026."


@pytest.mark.parametrize("outcome", ["quota", "lost"])
async def test_news_that_google_does_not_take_leave_the_card_right(
    database: object, outcome: str, caplog: pytest.LogCaptureFixture
):
    stage = Stage(await open_shop(with_tiers()))
    ada = await stage.shop.enrol()
    serial = await stage.card(ada)
    await stage.brought(serial)
    await stage.present.buy(ada, tea(10_000))
    quota = {"error": {"errors": [{"reason": "quotaExceeded"}]}}
    failure = (
        httpx2.Response(403, json=quota) if outcome == "quota" else httpx2.ConnectError("down")
    )
    real = stage.desk.sender.tell

    async def tell(*given: Any) -> Any:
        stage.line.failures.append(failure)
        return await real(*given)

    stage.desk.sender.tell = tell  # type: ignore[method-assign] # fails on its way
    await stage.brought(serial)

    assert stage.object(serial)["secondaryLoyaltyPoints"]["balance"] == {"string": "Silver"}
    assert await stage.waiting() == 0
    assert "Google did not notify of a change" in caplog.text
    assert len((await GoogleObjectRow.get()).notified) == (outcome == "quota")


@pytest.mark.parametrize(
    ("locale", "tier", "expiry"),
    [
        ("en_GB", "You are now Gold.", "Use 1,200 points by 30 Nov 2026."),
        ("de", "Sie sind jetzt Gold.", "1.200 points verfallen nach dem 30.11.2026."),
        (
            "tr",
            "Artık Gold üyesisiniz.",  # noqa: RUF001 - Turkish
            "1.200 points 30 Kas 2026 tarihine kadar kullanılabilir.",  # noqa: RUF001 - Turkish
        ),
        ("fi", "You are now Gold.", "Use 1\N{NO-BREAK SPACE}200 points by 30.11.2026."),
    ],
)
def test_news_are_worded_in_the_language_of_the_card(locale: str, tier: str, expiry: str):
    face = make_face(
        locale=locale,
        tier_name="Gold",
        expiring_points=1200,
        expires_at=datetime(2026, 12, 1, 5, tzinfo=UTC),
    )

    assert words(Notice.TIER, face) == tier
    assert words(Notice.EXPIRY, face) == expiry
    assert "Gold" in words(Notice.TIER, make_face(locale="ar", tier_name="Gold"))
