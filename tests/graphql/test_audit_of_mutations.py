"""Whoever of the staff changes something stands in the audit log: every mutation is tried."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.identity.rules import Role
from loyalty_graph.members.models import Member
from loyalty_graph.usecases import expiry
from loyalty_graph.wallet import rollouts
from tests.api import Api, card_link, member_id, receipt
from tests.delays import waiting
from tests.graphql.test_auditing import LOG, number
from tests.graphql.test_own import fields_of, input_of
from tests.shop import DAY, NOTE, PROGRAM, giving
from tests.tiers.shop import BENEFITS, TIERS, tea
from tests.usecases.subscribing import PLANS
from tests.usecases.test_offers import BREAD
from tests.usecases.test_program_versions import TEXT

SHOP: dict[str, Any] = {
    **giving(NOTE, approval_above=500, transfers={}),
    "benefits": BENEFITS,
    "tiers": TIERS,
    "subscription_plans": PLANS,
    "earning": {**PROGRAM["earning"], "offers": [BREAD]},
}
ASKED = "approval { id }"
UNTIL = "2026-04-01T00:00:00Z"
SALES = {
    "recordPurchase": "the entry of the ledger says who, when, why, and the balance after it",
    "recordPurchases": "as recordPurchase",
    "claimPurchase": "as recordPurchase",
    "refundPurchase": "as recordPurchase; what undoes a whole one, voidPurchase, is told",
    "recordActivity": "as recordPurchase",
    "recordActivities": "as recordPurchase",
    "redeemReward": "the entry of the ledger, a REDEEM or HOLD, says who; undoing it is told",
    "confirmRedemption": "the entry of the ledger, a CAPTURE, says who",
}
"""What the audit log leaves to the ledger: the sales of a shop, each an entry with its actor."""
KINDS = {
    "enrolMember": ["member.enrolled"],
    "updateMember": ["member.updated"],
    "setConsent": ["consent.changed"],
    "lockMember": ["member.status_changed"],
    "unlockMember": ["member.status_changed"],
    "exportMemberData": ["member.exported"],
    "closeMember": ["member.closed"],
    "eraseMember": ["member.erased"],
    "mergeMembers": ["member.merged"],
    "unmergeMembers": ["member.unmerged"],
    "overrideTier": ["member.tier_overridden"],
    "adjustPoints": ["points.adjusted"],
    "approveAdjustment": ["points.adjusted", "approval.approved"],
    "rejectAdjustment": ["approval.rejected"],
    "reverseEntry": ["points.reversed"],
    "reinstateExpired": ["points.reinstated"],
    "transferPoints": ["points.sent"],
    "activatePending": ["pending.activated"],
    "cancelPending": ["points.cancelled"],
    "holdPoints": ["points.held"],
    "captureHold": ["points.captured"],
    "releaseHold": ["points.released"],
    "importBalances": ["balances.import_begun"],
    "voidPurchase": ["purchase.voided"],
    "useRedemption": ["redemption.used"],
    "cancelRedemption": ["redemption.cancelled"],
    "refundRedemption": ["redemption.refunded"],
    "useVoucher": ["voucher.used"],
    "refundVoucher": ["voucher.refunded"],
    "useEntitlement": ["entitlement.used"],
    "activateOffer": ["offer.activated"],
    "issuePass": ["pass.issued"],
    "refreshPass": ["pass.refreshed"],
    "voidPass": ["pass.voided"],
    "createCardLink": ["card_link.created"],
    "revokeCardLink": ["card_link.revoked"],
    "pauseRollout": ["rollout.paused"],
    "resumeRollout": ["rollout.resumed"],
    "applyProgram": ["program.applied"],
    "subscribe": ["subscription.started"],
    "recordSubscriptionPayment": ["subscription.paid", "subscription.started"],
    "pauseSubscription": ["subscription.paused"],
    "resumeSubscription": ["subscription.resumed"],
    "changePlan": ["subscription.plan_changed"],
    "cancelSubscription": ["subscription.cancelled"],
    "reactivateSubscription": ["subscription.reactivated"],
}
"""What each mutation leaves in the log, the oldest first."""


@dataclass
class Desk:
    """Mona, who owns the shop, does everything once; `told` is what the log says of each."""

    api: Api
    mona: str
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _keys: int = 0
    _known: int = 0

    def do(self, mutation: str, given: Mapping[str, Any], fields: str = "") -> dict[str, Any]:
        """Do it as Mona, and keep what the log says of her since she did something last."""
        self._keys += 1
        keyed = "idempotencyKey" in input_of(mutation).fields
        key = {"idempotencyKey": f"desk-{self._keys}"} if keyed else {}
        done = self.api.do(mutation, {**given, **key}, fields, token=self.mona)
        assert done["userErrors"] == [], (mutation, done["userErrors"])
        hers = [one for one in self._log() if one["actor"] == {"kind": "STAFF", "name": "Mona"}]
        fresh = hers[: len(hers) - self._known]
        self._known = len(hers)
        self.told.setdefault(mutation, fresh[::-1])
        return done

    def _log(self) -> list[dict[str, Any]]:
        number(self.api)
        nodes: list[dict[str, Any]] = []
        after = None
        while True:
            page = self.api.data(LOG, {"after": after})["auditLog"]
            nodes += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return nodes

    def member(self, **profile: Any) -> Member:
        return self.api.run(self.api.shop.enrol, **profile)


@pytest.fixture
def desk(api: Api) -> Desk:
    desk = Desk(api, api.staff("Mona", Role.OWNER))
    desk.do("applyProgram", {"toml": TEXT, "note": "opening"})
    api.shop = api.open_shop(SHOP)
    return desk


def of(member: Member) -> dict[str, Any]:
    return {"member": {"id": member_id(member)}}


def entry(member: Member, sequence: int) -> dict[str, Any]:
    return {"entryId": encode_id("LedgerEntry", member.id, sequence)}


def serve_members(desk: Desk) -> None:
    ada, bea = desk.member(), desk.member()
    desk.do("enrolMember", {"email": "cy@example.com"})
    desk.do("updateMember", {**of(ada), "firstName": "Ada"})
    desk.do("setConsent", {**of(ada), "consents": [{"purpose": "TERMS", "granted": True}]})
    desk.do("lockMember", {**of(ada), "reason": "odd", "mayEarn": True})
    desk.do("unlockMember", {**of(ada), "reason": "all is well"})
    desk.do("overrideTier", {**of(ada), "tier": "GOLD", "until": UNTIL, "reason": "a match"})
    desk.do("exportMemberData", of(ada))
    both = {"from": {"id": member_id(ada)}, "into": {"id": member_id(bea)}}
    desk.do("mergeMembers", {**both, "reason": "two cards"})
    desk.do("unmergeMembers", {"memberId": member_id(ada), "reason": "father and son"})
    desk.do("closeMember", of(ada))
    desk.do("eraseMember", of(ada))


def move_points(desk: Desk) -> None:
    api, ada, bea = desk.api, desk.member(), desk.member()
    gift = {**of(ada), "points": 100, "reason": "a gift"}
    desk.do("adjustPoints", gift)
    desk.do("reverseEntry", {**entry(ada, 1), "reason": "typed twice"})
    alan = api.staff("Alan", Role.AGENT)
    asked = [
        api.do("adjustPoints", {**gift, "points": 501, "idempotencyKey": key}, ASKED, token=alan)
        for key in ("one", "two")
    ]
    [one, two] = [{"approvalId": done["approval"]["id"]} for done in asked]
    desk.do("approveAdjustment", {**one, "note": "seen"})
    desk.do("rejectAdjustment", {**two, "note": "once is enough"})
    desk.do("transferPoints", {**of(ada), "to": {"id": member_id(bea)}, "points": 5})
    aside = {**of(ada), "points": 10, "minutes": 5, "reason": "a deposit"}
    holds = [desk.do("holdPoints", aside, "hold { id }")["hold"]["id"] for _ in range(2)]
    desk.do("captureHold", {"holdId": holds[0], "points": 4, "reason": "broken"})
    desk.do("releaseHold", {"holdId": holds[1], "reason": "whole"})
    content = "external_id,points,expires_at\nold-1,100,2026-06-30\n"
    desk.do("importBalances", {"source": "crm", "format": "CSV", "content": content})


def mend_purchases(desk: Desk) -> None:
    api, ada = desk.api, desk.member()
    with waiting(lambda points: [(points - 100, 0), (60, 14), (40, 30)]):
        api.run(api.shop.buy, ada, external_id="r-1")
    desk.do("cancelPending", {"pending": entry(ada, 2), "points": 20, "reason": "a mistake"})
    bought = {"receipt": {"source": "till", "externalId": "r-1"}}
    desk.do("activatePending", {"pending": {"purchase": bought}, "reason": "delivered"})
    desk.do("voidPurchase", {"purchase": bought, "reason": "rung up twice"})


def serve_rewards(desk: Desk) -> None:
    api, ada = desk.api, desk.member()
    api.run(api.shop.buy, ada, tea(20_000))

    def redeem(reward: str) -> dict[str, Any]:
        wish = {**of(ada), "reward": reward}
        found: dict[str, Any] = desk.do("redeemReward", wish, "redemption { id voucher { id } }")
        kept: dict[str, Any] = found["redemption"]
        return kept

    coffee, other = [{"redemption": {"id": redeem("COFFEE")["id"]}} for _ in range(2)]
    desk.do("useRedemption", coffee)
    desk.do("refundRedemption", {**coffee, "reason": "cold"})
    desk.do("cancelRedemption", {**other, "reason": "none left"})
    voucher = {"voucher": {"id": redeem("NOTE")["voucher"]["id"]}}
    desk.do("useVoucher", {**voucher, "amount": "5.00"})
    desk.do("refundVoucher", {**voucher, "use": 1, "amount": "2.00"})
    desk.do("useEntitlement", {**of(ada), "benefit": "REFILL"})
    desk.do("activateOffer", {**of(ada), "offer": "BREAD"})


def give_out_cards(desk: Desk) -> None:
    api, ada = desk.api, desk.member()
    made = desk.do("issuePass", of(ada), "pass { id }")["pass"]
    desk.do("refreshPass", {"passId": made["id"]})
    desk.do("voidPass", {"passId": made["id"]})
    link = {name: one for name, one in card_link(ada).items() if name != "idempotencyKey"}
    made = desk.do("createCardLink", link, "link { id }")["link"]
    desk.do("revokeCardLink", {"linkId": made["id"]})
    begun = api.run(rollouts.start, api.shop.program_id, "branding", now=api.now)
    rollout = {"rolloutId": encode_id("CardRollout", str(begun.id))}
    desk.do("pauseRollout", rollout)
    desk.do("resumeRollout", rollout)


def keep_subscriptions(desk: Desk) -> None:
    ada = desk.member()
    # What is not paid yet is no subscription; a trial is one at once.
    desk.do("subscribe", {**of(desk.member()), "plan": "TRY"})
    begun = desk.do("subscribe", {**of(ada), "plan": "PLUS"}, "subscription { id }")
    mine = {"subscriptionId": begun["subscription"]["id"]}
    fee = {"provider": "stripe", "externalId": "pi-1", "amount": "10.00"}
    desk.do("recordSubscriptionPayment", {**mine, **fee})
    desk.do("pauseSubscription", mine)
    desk.do("resumeSubscription", mine)
    desk.do("cancelSubscription", mine)
    desk.do("reactivateSubscription", mine)
    desk.do("changePlan", {**mine, "plan": "PLUS_YEAR"})


def reinstate(desk: Desk) -> None:
    api, ada = desk.api, desk.member()
    api.do("recordPurchase", receipt(ada), "")
    api.now += 200 * DAY
    api.run(expiry.run, api.shop.program_id, now=api.now)
    desk.do("reinstateExpired", {**entry(ada, 2), "reason": "she was ill"})


def test_every_mutation_is_told_of_or_is_a_sale(desk: Desk):
    for story in (
        *(serve_members, move_points, mend_purchases, serve_rewards),
        *(give_out_cards, keep_subscriptions, reinstate),
    ):
        story(desk)

    told = {name: [one["kind"] for one in kept] for name, kept in desk.told.items()}
    assert {name: kinds for name, kinds in told.items() if kinds} == KINDS
    assert {name for name, kinds in told.items() if not kinds} <= set(SALES)
    assert set(KINDS) | set(SALES) == set(fields_of("Mutation"))
    for name, kept in desk.told.items():
        for one in kept:
            assert one["after"] or one["before"] or name == "exportMemberData", name
