"""Plays a story through the API, over HTTP alone, and compares every figure that it names."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from loyalty_graph.sandbox.stories import (
    Activity,
    BasketLine,
    Buy,
    Enrol,
    Redeem,
    Refund,
    Spend,
    Step,
    Story,
    StoryError,
    Subscribe,
    UseBenefit,
)

SOURCE = "story"
STANDING = """query ($ref: MemberRef!) { member(ref: $ref) {
    wallet { available pending debt expirations { points } }
    tier { tier { code } next { code } amountToNext { amount } pointsToNext }
    entitlements { benefit { code } }
    availableRewards { reward { code } reasons }
    redemptions(first: 100) { nodes { id status voucher { remaining { amount } } } }
    subscription { status plan { code }
        amountDue { amount } feesPaid { amount } savedValue { amount } }
} }"""

Given = Mapping[str, Any]
Wait = Callable[[int], Awaitable[None]]
"""Lets so many days go by where the programme runs, and everything happen that falls into them."""


@dataclass(frozen=True, slots=True)
class Played:
    """A step that went as it says: what was found, by the names of what a step can expect."""

    number: int
    step: Step
    found: Given


@dataclass(slots=True)
class Player:
    """Plays one story; `client` reaches the server with a token that may do everything.

    A programme of its own must be behind it, that opened at the story's beginning.
    """

    client: httpx2.AsyncClient
    wait: Wait
    _number: int = 0
    _step: Step = field(init=False)
    _redeemed: dict[str, str] = field(default_factory=dict)
    _subscriptions: dict[str, str] = field(default_factory=dict)
    _found: dict[str, Any] = field(default_factory=dict)

    async def play(self, story: Story) -> AsyncIterator[Played]:
        """Play the steps in order, and yield each that went as it says.

        Raises:
            StoryError: A step went otherwise; the message says which, what was expected and came.
        """
        for self._number, self._step in enumerate(story.steps, 1):
            self._found = {}
            action = self._step.action
            if action is not None:
                await _DO[action](self, getattr(self._step, action))
            self._found |= await self._standing()
            wrong = [
                f"{name}: expected {shown(value)}, came {shown(self._found.get(name))}"
                for name, value in self._step.expect.given.items()
                if value != self._found.get(name)
            ]
            if wrong:
                raise self._fault("; ".join(wrong))
            yield Played(self._number, self._step, self._found)

    def _fault(self, what: str) -> StoryError:
        return StoryError(f"Step {self._number} ({self._step.says}): {what}.")

    @property
    def _member(self) -> Given:
        return {"externalId": self._step.member}

    async def _enrol(self, who: Enrol) -> None:
        told = {"firstName": who.first_name, "email": who.email, "birthday": who.birthday}
        await self._do("enrolMember", {**self._member, **told}, "member { id }")

    async def _buy(self, buy: Buy) -> None:
        given = {
            "member": self._member,
            "source": SOURCE,
            "externalId": buy.receipt or f"receipt-{self._number}",
            "lines": [_line(line) for line in buy.lines],
            "channel": buy.channel,
            "store": buy.store,
            "payment": buy.payment,
            "payWithPoints": buy.pay_with_points,
        }
        done = await self._do("recordPurchase", given, "points paidWithPoints { amount }")
        self._found["earned"] = done["points"]
        self._found["paid_with_points"] = _amount(done["paidWithPoints"])

    async def _refund(self, back: Refund) -> None:
        given = {
            "purchase": {"receipt": {"source": SOURCE, "externalId": back.receipt}},
            "lines": back.lines and [line.model_dump() for line in back.lines],
        }
        done = await self._do("refundPurchase", given, "pointsTakenBack")
        self._found["taken_back"] = done["pointsTakenBack"]

    async def _activity(self, deed: Activity) -> None:
        given = {"member": self._member, **deed.model_dump(exclude_none=True)}
        done = await self._do("recordActivity", given, "points")
        self._found["earned"] = done["points"]

    async def _subscribe(self, wish: Subscribe) -> None:
        given = {"member": self._member, "plan": wish.plan, "card": wish.card}
        done = await self._do("subscribe", given, "subscription { id }")
        if done["subscription"] is not None:
            self._subscriptions[self._step.member] = done["subscription"]["id"]

    async def _pay(self, amount: str) -> None:
        paid = {"provider": SOURCE, "externalId": f"payment-{self._number}", "amount": amount}
        await self._do("recordSubscriptionPayment", {**self._subscription(), **paid})

    async def _change_plan(self, plan: str) -> None:
        await self._do("changePlan", {**self._subscription(), "plan": plan})

    async def _unsubscribe(self, _wanted: bool) -> None:  # noqa: FBT001 - what the step holds
        await self._do("cancelSubscription", self._subscription())

    async def _redeem(self, wish: Redeem) -> None:
        given = {"member": self._member, "reward": wish.reward}
        done = await self._do("redeemReward", given, "redemption { id }")
        if done["redemption"] is not None:
            self._redeemed[wish.called or wish.reward] = done["redemption"]["id"]

    async def _use(self, called: str) -> None:
        await self._do("useRedemption", {"redemption": {"id": self._called(called)}})

    async def _cancel(self, called: str) -> None:
        await self._do("cancelRedemption", {"redemption": {"id": self._called(called)}})

    async def _spend(self, spend: Spend) -> None:
        query = "query ($id: ID!) { node(id: $id) { ... on Redemption { voucher { id } } } }"
        of = (await self._ask(query, {"id": self._called(spend.voucher)}))["node"]
        if of["voucher"] is None:
            raise self._fault(f"{spend.voucher} is no voucher")
        voucher = {"id": of["voucher"]["id"]}
        await self._do("useVoucher", {"voucher": voucher, "amount": spend.amount})

    async def _benefit(self, use: UseBenefit) -> None:
        given = {"member": self._member, "benefit": use.code, "saved": use.saved}
        done = await self._do("useEntitlement", given, "left")
        self._found["uses_left"] = done["left"]

    async def _wait(self, days: int) -> None:
        await self.wait(days)

    def _subscription(self) -> Given:
        if self._step.member not in self._subscriptions:
            raise self._fault(f"{self._step.member} has no subscription")
        return {"subscriptionId": self._subscriptions[self._step.member]}

    def _called(self, name: str) -> str:
        if name not in self._redeemed:
            raise self._fault(f"nothing was redeemed that is called {name}")
        return self._redeemed[name]

    async def _standing(self) -> Given:
        """Return how the step's member stands, by the names of what a step can expect."""
        member = (await self._ask(STANDING, {"ref": self._member}))["member"]
        if member is None:
            return {}
        tier = member["tier"] or {}
        made = {one["id"]: one for one in member["redemptions"]["nodes"]}
        mine = {name: made[key] for name, key in self._redeemed.items() if key in made}
        return {
            "points": member["wallet"]["available"],
            "pending": member["wallet"]["pending"],
            "debt": member["wallet"]["debt"],
            "expiring": sum(one["points"] for one in member["wallet"]["expirations"]),
            "tier": (tier.get("tier") or {}).get("code"),
            "next_tier": (tier.get("next") or {}).get("code"),
            "to_next": _to_next(tier),
            "entitlements": tuple(one["benefit"]["code"] for one in member["entitlements"]),
            "rewards": tuple(
                one["reward"]["code"] for one in member["availableRewards"] if not one["reasons"]
            ),
            "redemptions": {name: one["status"] for name, one in mine.items()},
            "vouchers": {
                name: _amount(one["voucher"]["remaining"])
                for name, one in mine.items()
                if one["voucher"] is not None
            },
            **_subscribed(member["subscription"]),
        }

    async def _do(self, mutation: str, given: Given, fields: str = "") -> Mapping[str, Any]:
        """Call a mutation and return its payload; a refusal must be the one that is expected."""
        kind = mutation[0].upper() + mutation[1:]
        query = (
            f"mutation ($input: {kind}Input!) {{ {mutation}(input: $input)"
            f" {{ userErrors {{ code message }} {fields} }} }}"
        )
        told = {name: value for name, value in given.items() if value is not None}
        keyed = {"idempotencyKey": f"{SOURCE}-{self._number}", **told}
        payload: Mapping[str, Any] = (await self._ask(query, {"input": keyed}))[mutation]
        for error in payload["userErrors"]:
            self._found["refused"] = error["code"]
            if self._step.expect.refused is None:
                raise self._fault(f"{error['code']} {error['message'].rstrip('.')}")
        return payload

    async def _ask(self, query: str, variables: Given) -> Mapping[str, Any]:
        """Return the data that the API answers."""
        asked = {"query": query, "variables": variables}
        body = (await self.client.post("/graphql", json=asked)).json()
        if errors := body.get("errors"):
            raise self._fault(errors[0]["message"].rstrip("."))
        data: Mapping[str, Any] = body["data"]
        return data


_DO: Mapping[str, Callable[[Player, Any], Awaitable[None]]] = {
    "enrol": Player._enrol,
    "buy": Player._buy,
    "refund": Player._refund,
    "activity": Player._activity,
    "subscribe": Player._subscribe,
    "pay": Player._pay,
    "change_plan": Player._change_plan,
    "unsubscribe": Player._unsubscribe,
    "redeem": Player._redeem,
    "use": Player._use,
    "cancel": Player._cancel,
    "spend": Player._spend,
    "benefit": Player._benefit,
    "wait": Player._wait,
}


def _line(line: BasketLine) -> Given:
    told = line.model_dump(exclude_none=True)
    return {"productType": told.pop("type"), "unitAmount": told.pop("amount"), **told}


def _subscribed(plan: Mapping[str, Any] | None) -> Given:
    if plan is None:
        return {}
    return {
        "subscription": plan["status"],
        "plan": plan["plan"]["code"],
        "due": _amount(plan["amountDue"]),
        "fees_paid": _amount(plan["feesPaid"]),
        "saved": _amount(plan["savedValue"]),
    }


def _amount(money: Mapping[str, str] | None) -> str | None:
    return None if money is None else money["amount"]


def _to_next(tier: Mapping[str, Any]) -> str | None:
    """Return what is missing for the next tier: an amount, or points, as the tiers count."""
    points = tier.get("pointsToNext")
    return _amount(tier.get("amountToNext")) if points is None else str(points)


def shown(value: object) -> str:
    """Return a figure as people read it."""
    if isinstance(value, dict):
        value = tuple(f"{name} {one}" for name, one in value.items())
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)
