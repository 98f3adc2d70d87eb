"""The fake Google refuses what Google refuses."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from loyalty_graph.sandbox.google_accounts import ServiceAccount
from tests.sandbox.googling import CARD, CLASS, CLASS_ID, LOGO, OBJECT_ID, googling, reason

MESSAGE = {"header": "Hello", "body": "Your beans expire soon.", "messageType": "TEXT_AND_NOTIFY"}


def points(number: int, **fields: Any) -> dict[str, Any]:
    return {"loyaltyPoints": {"balance": {"int": number}}, **fields}


async def test_a_card_is_inserted_shown_and_patched():
    async with googling() as google:
        await google.with_card()

        patched = await google.patch(f"loyaltyObject/{OBJECT_ID}", points(54))

        shown = (await google.get(f"loyaltyObject/{OBJECT_ID}")).json()
        assert patched.json() == shown
        assert shown["loyaltyPoints"] == {"label": "Beans", "balance": {"int": 54}}
        assert shown["hasUsers"] is False
        assert shown["classReference"]["reviewStatus"] == "APPROVED"


async def test_a_null_takes_a_field_out_and_a_list_is_replaced():
    async with googling() as google:
        await google.with_card()
        one = {"id": "a", "header": "Tier", "body": "Gold"}
        await google.patch(f"loyaltyObject/{OBJECT_ID}", {"textModulesData": [one, one]})

        change = {"textModulesData": [one], "accountName": None}
        patched = await google.patch(f"loyaltyObject/{OBJECT_ID}", change)

        assert patched.json()["textModulesData"] == [one]
        assert "accountName" not in patched.json()


@pytest.mark.parametrize(
    ("case", "change", "word"),
    [
        ("an unknown field", {"pointsBalance": 5}, "invalid"),
        ("an unknown field within", {"loyaltyPoints": {"value": 5}}, "invalid"),
        ("a number as text", {"accountName": 7}, "invalid"),
        ("a fraction as points", {"loyaltyPoints": {"balance": {"int": 1.5}}}, "invalid"),
        ("too many points", {"loyaltyPoints": {"balance": {"int": 2**31}}}, "invalid"),
        ("an unknown state", {"state": "LOST"}, "invalid"),
        ("an object as a list", {"textModulesData": {}}, "invalid"),
        ("a list as an object", {"barcode": []}, "invalid"),
        (
            "two kinds of balance",
            {"loyaltyPoints": {"balance": {"int": 5, "string": "5"}}},
            "invalidResource",
        ),
        ("a barcode without a value", {"barcode": {"type": "QR_CODE"}}, "invalidResource"),
        ("no state", {"state": None}, "invalidResource"),
        ("an id with a space", {"id": f"{OBJECT_ID} x"}, "invalidResource"),
        ("an id without an issuer", {"id": "card-1"}, "invalidResource"),
        ("11 messages", {"messages": [{"body": "Hello"}] * 11}, "invalidResource"),
        (
            "an image without TLS",
            {"heroImage": {"sourceUri": {"uri": "http://shop.example/a.png"}}},
            "invalidResource",
        ),
    ],
)
async def test_a_card_google_cannot_use_is_refused_and_not_kept(
    case: str, change: dict[str, Any], word: str
):
    async with googling() as google:
        await google.post("loyaltyClass", CLASS)

        answer = await google.post("loyaltyObject", {**CARD, **change})

        assert (answer.status_code, reason(answer)) == (400, word)
        assert google.fake.store.objects == {}


@pytest.mark.parametrize(
    "field", ["id", "issuerName", "programName", "programLogo", "reviewStatus"]
)
async def test_a_class_without_what_is_required_is_refused(field: str):
    async with googling() as google:
        answer = await google.post("loyaltyClass", {**CLASS, field: None})

        assert (answer.status_code, reason(answer)) == (400, "invalidResource")
        assert google.fake.store.classes == {}


@pytest.mark.parametrize(
    "change",
    [
        {"hexBackgroundColor": "green"},
        {"callbackOptions": {"url": "http://shop.example/callback"}},
        {"programLogo": {"sourceUri": {"uri": "ftp://shop.example/logo.png"}}},
    ],
)
async def test_a_class_that_says_what_google_cannot_use_is_refused(change: dict[str, Any]):
    async with googling() as google:
        answer = await google.post("loyaltyClass", {**CLASS, **change})

        assert (answer.status_code, reason(answer)) == (400, "invalidResource")
        assert google.fake.store.classes == {}


async def test_google_class_update_without_review_status_is_refused():
    async with googling() as google:
        await google.with_card()
        name = {"programName": "Tea Club"}

        without = await google.patch(f"loyaltyClass/{CLASS_ID}", name)
        approved = await google.patch(
            f"loyaltyClass/{CLASS_ID}", {**name, "reviewStatus": "APPROVED"}
        )
        unchanged = (await google.get(f"loyaltyClass/{CLASS_ID}")).json()["programName"]
        under_review = await google.patch(
            f"loyaltyClass/{CLASS_ID}", {**name, "reviewStatus": "UNDER_REVIEW"}
        )

        assert [reason(without), reason(approved)] == ["invalidResource"] * 2
        assert unchanged == "Bean Club"
        assert under_review.json()["programName"] == "Tea Club"
        assert under_review.json()["reviewStatus"] == "APPROVED"


async def test_a_draft_class_makes_no_cards():
    async with googling() as google:
        await google.post("loyaltyClass", {**CLASS, "reviewStatus": "DRAFT"})

        refused = await google.post("loyaltyObject", CARD)

        assert (refused.status_code, reason(refused)) == (400, "invalidResource")
        assert google.fake.store.objects == {}


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("loyaltyClass", CLASS, 409, "existingResource"),
        ("loyaltyObject", CARD, 409, "existingResource"),
        (
            "loyaltyObject",
            {**CARD, "id": f"{OBJECT_ID}2", "classId": f"{CLASS_ID}2"},
            404,
            "classNotFound",
        ),
        ("loyaltyObject", {**CARD, "id": "77.card"}, 403, "permissionDenied"),
        ("loyaltyClass", {**CLASS, "id": "77.club"}, 403, "permissionDenied"),
    ],
)
async def test_what_is_there_is_not_there_or_is_anothers_is_refused(
    path: str, body: dict[str, Any], status: int, word: str
):
    async with googling() as google:
        await google.with_card()

        answer = await google.post(path, body)

        assert (answer.status_code, reason(answer)) == (status, word)
        assert (len(google.fake.store.classes), len(google.fake.store.objects)) == (1, 1)


async def test_an_unknown_card_is_not_found_by_any_call():
    async with googling() as google:
        await google.with_card()
        place = f"loyaltyObject/{OBJECT_ID}0"

        answers = [
            await google.get(place),
            await google.patch(place, points(1)),
            await google.post(f"{place}/addMessage", {"message": MESSAGE}),
        ]

        assert [(one.status_code, reason(one)) for one in answers] == [
            (404, "resourceNotFound")
        ] * 3


async def test_nothing_can_be_deleted():
    async with googling() as google:
        await google.with_card()

        answer = await google.client.delete(f"/walletobjects/v1/loyaltyObject/{OBJECT_ID}")

        assert answer.status_code == 405
        assert OBJECT_ID in google.fake.store.objects


async def test_the_fourth_notification_in_24_hours_is_refused_as_quota_and_changes_nothing():
    async with googling() as google:
        await google.with_card()
        place = f"loyaltyObject/{OBJECT_ID}"
        for number in (1, 2):
            await google.patch(place, points(number, notifyPreference="NOTIFY_ON_UPDATE"))
        await google.post(f"{place}/addMessage", {"message": MESSAGE})

        patch = await google.patch(place, points(3, notifyPreference="NOTIFY_ON_UPDATE"))
        message = await google.post(f"{place}/addMessage", {"message": MESSAGE})
        kept = (await google.get(place)).json()
        silent = await google.patch(place, points(3))
        google.later(timedelta(hours=24))
        await google.sign_in()
        next_day = await google.patch(place, points(4, notifyPreference="NOTIFY_ON_UPDATE"))

        assert [(one.status_code, reason(one)) for one in (patch, message)] == [
            (403, "quotaExceeded")
        ] * 2
        assert kept["loyaltyPoints"]["balance"] == {"int": 2}
        assert len(kept["messages"]) == 1
        assert (silent.status_code, next_day.status_code) == (200, 200)


async def test_a_patch_that_changes_no_balance_notifies_nobody():
    async with googling() as google:
        await google.with_card()

        for _ in range(4):
            answer = await google.patch(
                f"loyaltyObject/{OBJECT_ID}",
                {"accountName": "Ada L.", "notifyPreference": "NOTIFY_ON_UPDATE"},
            )

        assert answer.status_code == 200
        assert "notifyPreference" not in answer.json()
        assert google.fake.store.notified == {}


async def test_more_requests_than_allowed_in_a_second_are_refused_and_counted_no_further():
    async with googling(requests_per_s=2) as google:
        await google.with_card()

        refused = await google.get(f"loyaltyObject/{OBJECT_ID}")
        google.later(timedelta(seconds=1))
        allowed = await google.get(f"loyaltyObject/{OBJECT_ID}")

        assert (refused.status_code, reason(refused)) == (429, "rateLimitExceeded")
        assert refused.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
        assert allowed.status_code == 200


async def test_a_stranger_and_an_old_token_are_refused():
    async with googling() as google:
        await google.with_card()
        place = f"loyaltyObject/{OBJECT_ID}"
        google.later(timedelta(hours=1))

        old = await google.get(place)
        del google.client.headers["authorization"]
        none = await google.get(place)

        assert (old.status_code, none.status_code) == (401, 401)
        assert old.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("case", "claims", "error"),
    [
        ("another audience", {"aud": "https://oauth2.example/token"}, "invalid_grant"),
        ("another issuer", {"iss": "mallory@example.com"}, "invalid_grant"),
        ("another key", {"key": ServiceAccount("").key}, "invalid_grant"),
        ("expired", {"iat": 1772449200 - 7200, "exp": 1772449200 - 3600}, "invalid_grant"),
        ("of the future", {"iat": 1772453000 + 86400, "exp": 1772453000 + 90000}, "invalid_grant"),
        ("too long a life", {"exp": 1772453000 + 86400}, "invalid_grant"),
        ("no times", {"iat": None, "exp": None}, "invalid_grant"),
        ("another scope", {"scope": "openid"}, "invalid_scope"),
    ],
)
async def test_an_assertion_google_does_not_take_gets_no_token(
    case: str, claims: dict[str, Any], error: str
):
    async with googling() as google:
        answer = await google.ask_token(**claims)

        assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_another_kind_of_grant_gets_no_token():
    async with googling() as google:
        answer = await google.client.post("/token", data={"grant_type": "password"})

        assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


async def test_a_body_that_is_no_json_is_refused():
    async with googling() as google:
        answer = await google.client.post("/walletobjects/v1/loyaltyClass", content=b"{")

        assert (answer.status_code, reason(answer)) == (400, "parseError")


async def test_it_answers_what_it_is_told_to_and_waits_while_it_is_closed():
    async with googling() as google:
        await google.with_card()
        place = f"loyaltyObject/{OBJECT_ID}"
        google.fake.next_answers.append(PlainTextResponse("<html>Error</html>", 502))

        garbage = await google.get(place)
        google.fake.is_open.clear()
        waiting = asyncio.ensure_future(google.get(place))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        google.fake.is_open.set()

        assert (garbage.status_code, garbage.text) == (502, "<html>Error</html>")
        assert done == set()
        assert (await waiting).status_code == 200


async def test_a_line_is_told_of_each_call_without_the_link_that_saves():
    lines: list[str] = []
    async with googling(tell=lines.append) as google:
        await google.post("loyaltyClass", {**CLASS, "callbackOptions": None, "programLogo": LOGO})
        await google.client.get(google.save_link(CARD))
        await google.get(f"loyaltyObject/{OBJECT_ID}0")

        unknown = f"resourceNotFound: Wallet Object {OBJECT_ID}0 not found."
        assert lines == [
            "POST /token 200",
            "POST /walletobjects/v1/loyaltyClass 200",
            "GET /gp/v/save/… 200",
            f"GET /walletobjects/v1/loyaltyObject/{OBJECT_ID}0 404  {unknown}",
        ]
