"""Points that are none, below none, or more than fit are refused, and nothing is written."""

from collections.abc import Callable
from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from loyalty_graph.usecases import proof, scheduled
from tests.api import Api, member_id, receipt
from tests.shop import PROGRAM, program

FULL = 10**16
LIMIT = ("POINTS_LIMIT", "member")
PLENTY: dict[str, Any] = {
    **PROGRAM,
    "program": {
        **program(transfers={})["program"],
        "claim_days": 30,
    },
    "earning": {
        **PROGRAM["earning"],
        "default_rate": {"points": 1, "per_amount_minor": 1},
        "rules": [{"code": "REVIEWS", "name": "Tell others", "on": "REVIEW", "points": 15}],
    },
}
MOST = [{"productType": "TEA", "quantity": 1, "unitAmount": "10000000000000.00"}]
"""Earns 10**15 points, the most of a purchase."""
LEAST = [{"productType": "TEA", "quantity": 1, "unitAmount": "0.01"}]


def ref(member: Member) -> dict[str, Any]:
    return {"id": member_id(member)}


def adjustment(member: Member, points: int, key: str = "k") -> dict[str, Any]:
    return {"idempotencyKey": key, "member": ref(member), "points": points, "reason": "sorry"}


@pytest.fixture
def full(api: Api) -> Member:
    """A member who has as many points as fit."""
    api.shop = api.open_shop(PLENTY)
    member = api.run(api.shop.enrol, external_id="full")
    for _ in range(10):
        assert api.do("recordPurchase", receipt(member, lines=MOST), "")["userErrors"] == []
    return member


def balance(api: Api, member: Member) -> int:
    query = "query ($r: MemberRef!) { member(ref: $r) { wallet { balance } } }"
    # A text: JavaScript's numbers are exact up to 2**53 only.
    return int(api.data(query, {"r": ref(member)})["member"]["wallet"]["balance"])


def test_a_member_who_has_all_that_fits_gets_no_more(api: Api, full: Member):
    kept = api.do(
        "recordPurchase",
        {"idempotencyKey": "u", "source": "till", "externalId": "u", "lines": LEAST},
        "claimCode",
    )
    review = {"idempotencyKey": "r", "member": ref(full), "kind": "REVIEW", "proof": "one"}
    claim = {"idempotencyKey": "c", "member": ref(full), "code": kept["claimCode"]}
    other = api.run(api.shop.enrol)
    api.do("adjustPoints", adjustment(other, 1), "")
    merge = {"idempotencyKey": "m", "from": ref(other), "into": ref(full), "reason": "one person"}

    assert balance(api, full) == FULL
    assert api.refusal("recordPurchase", receipt(full, lines=LEAST)) == LIMIT
    assert api.refusal("recordActivity", review) == LIMIT
    assert api.refusal("adjustPoints", adjustment(full, 1, "one more")) == LIMIT
    assert api.refusal("claimPurchase", claim) == LIMIT
    assert api.refusal("mergeMembers", merge) == LIMIT
    audit = api.run(proof.verify, api.shop.program_id, now=api.now)
    assert audit.findings == []


def test_a_member_who_spent_all_that_can_be_kept_spends_no_more(api: Api):
    ada = api.run(api.shop.enrol)
    most = {"productType": "GIFT_CARD", "quantity": 1, "unitAmount": "10000000000000.00"}
    large = {**most, "unitAmount": "10000000000.01"}
    receipts = [receipt(ada, lines=[most]) for _ in range(100)]
    fields = "results { userErrors { code message } }"
    done = api.do("recordPurchases", {"purchases": receipts[:99]}, fields)["results"]
    both = [receipts[99], receipt(ada, lines=[large])]

    last = api.do("recordPurchases", {"purchases": both}, fields)["results"]

    assert [one["userErrors"] for one in done] == [[]] * 99
    said = (
        "A member spends at most 1000000000000000.00 EUR in all; after 1000000000000000.00 EUR, "
        "10000000000.01 EUR are too much."
    )
    assert [one["userErrors"] for one in last] == [[], [{"code": "SPEND_LIMIT", "message": said}]]
    refused = receipt(ada, lines=[large])
    assert api.refusal("recordPurchase", refused) == ("SPEND_LIMIT", "lines")
    assert api.do("recordPurchase", receipt(ada), "points")["points"] == 108


def test_points_that_do_not_fit_go_back_to_the_giver(api: Api, full: Member):
    giver = api.run(api.shop.enrol)
    api.do("adjustPoints", adjustment(giver, 5), "")
    gift = {"idempotencyKey": "g", "member": ref(giver), "to": ref(full), "points": 5}

    done = api.do("transferPoints", gift, "transfer { state }")

    assert (done["userErrors"], done["transfer"]["state"]) == ([], "RETURNED")
    assert (balance(api, giver), balance(api, full)) == (5, FULL)
    audit = api.run(proof.verify, api.shop.program_id, now=api.now)
    assert audit.findings == []


def test_a_row_of_balances_that_does_not_fit_is_told(api: Api, full: Member):
    rows = [
        {"key": "a", "externalId": "full", "lots": [{"points": 1, "neverExpires": True}]},
        {"key": "b", "externalId": "new", "lots": [{"points": 1, "neverExpires": True}]},
    ]
    wish = {"idempotencyKey": "i", "rows": rows}
    begun = api.do("importBalances", wish, "balanceImport { id }")["balanceImport"]

    async def work() -> None:
        await scheduled.runner(lambda: api.now, api.settings).run_due(api.now, 1000)

    api.run(work)

    shown = api.data(
        """query ($id: ID!) { balanceImport(id: $id) {
            imported refused rowErrors { line code field } } }""",
        begun,
    )["balanceImport"]
    assert shown == {
        "imported": 1,
        "refused": 1,
        "rowErrors": [{"line": 1, "code": LIMIT[0], "field": LIMIT[1]}],
    }
    assert balance(api, full) == FULL


def test_what_was_spent_makes_no_room_in_what_was_ever_earned(api: Api, full: Member):
    api.do("adjustPoints", adjustment(full, -1), "")

    assert api.refusal("recordPurchase", receipt(full, lines=LEAST)) == LIMIT


Wish = Callable[[Api, Member], tuple[str, dict[str, Any]]]


def to_hold(api: Api, ada: Member) -> tuple[str, dict[str, Any]]:
    return "holdPoints", {"member": ref(ada), "minutes": 9, "reason": "a table"}


def to_capture(api: Api, ada: Member) -> tuple[str, dict[str, Any]]:
    hold = {"idempotencyKey": "h", "points": 9, **to_hold(api, ada)[1]}
    found = api.do("holdPoints", hold, "hold { id }")["hold"]["id"]
    return "captureHold", {"holdId": found}


def to_cancel(api: Api, ada: Member) -> tuple[str, dict[str, Any]]:
    entry = encode_id("LedgerEntry", ada.id, 1)
    return "cancelPending", {"pending": {"entryId": entry}, "reason": "a mistake"}


def to_give(api: Api, ada: Member) -> tuple[str, dict[str, Any]]:
    return "transferPoints", {"member": ref(ada), "to": ref(api.run(api.shop.enrol))}


def to_add(api: Api, ada: Member) -> tuple[str, dict[str, Any]]:
    return "adjustPoints", {"member": ref(ada), "reason": "sorry"}


@pytest.mark.parametrize("wish", [to_hold, to_capture, to_cancel, to_give, to_add])
def test_no_points_fewer_and_too_many_are_refused(api: Api, wish: Wish):
    api.shop = api.open_shop(PLENTY)
    ada = api.run(api.shop.enrol)
    api.do("adjustPoints", adjustment(ada, 50), "")
    mutation, given = wish(api, ada)
    below = -(10**12) - 1 if wish is to_add else -1
    kind = mutation[0].upper() + mutation[1:]
    query = f"mutation ($i: {kind}Input!) {{ {mutation}(input: $i) {{ replayed }} }}"

    for points in (0, below, 10**12 + 1, str(2**63 - 1)):
        wrong = {"idempotencyKey": "wrong", "points": points, **given}
        assert api.refusal(mutation, wrong) == ("INVALID_INPUT", "points")
    for points in (2**63, -(2**63) - 1, str(2**64)):
        wrong = {"idempotencyKey": "wrong", "points": points, **given}
        assert api.error(query, {"i": wrong}) == "BAD_REQUEST"


@pytest.mark.parametrize("points", [-1, 10**12 + 1])
def test_rows_of_fewer_points_than_none_and_of_too_many_are_refused(api: Api, points: int):
    lots = [{"points": points, "neverExpires": True}]
    wish = {"idempotencyKey": "i", "rows": [{"key": "a", "externalId": "new", "lots": lots}]}

    assert api.refusal("importBalances", wish) == ("BALANCE_FILE", "content")
    [fault] = api.do("importBalances", wish, "rowErrors { line code field }")["rowErrors"]
    assert (fault["line"], fault["code"]) == (1, "INVALID_INPUT")
