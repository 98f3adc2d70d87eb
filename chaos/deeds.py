"""What tills ask for, and what each of it must leave in the ledger."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any

ENTRY = "entry { id sequence kind points hash }"
ANSWER = f"balance replayed {ENTRY} userErrors {{ code message }}"
PRODUCT = "BREAD"
REWARD = "COFFEE"
ARRIVAL = "TRANSFER_IN"

EXPECTED_REFUSALS = {"INSUFFICIENT_POINTS"}
"""What may be refused when members spend as they like."""

Move = tuple[str, str, int]
"""An entry of the ledger: the member's number, its kind, and the points it moves."""


@dataclass(eq=False)
class Deed:
    """One thing asked for, under one idempotency key.

    Attributes:
        mutation: Its name in the API.
        given: Its input, without the key.
        key: The idempotency key, the same in each try.
        member: The number of the member whose points it moves.
        also: Entries that it leaves beside the one it answers with.
        answer: The first answer that arrived; None while there is none.
        refused: The code of a refusal; it must have left nothing.
    """

    mutation: str
    given: Mapping[str, Any]
    key: str
    member: str
    also: tuple[Move, ...] = ()
    shown: str = ""
    answer: dict[str, Any] | None = None
    refused: str | None = None

    @property
    def query(self) -> dict[str, Any]:
        """Return the request's body."""
        kind = f"{self.mutation[0].upper()}{self.mutation[1:]}Input"
        asked = f"{self.mutation}(input: $input) {{ {ANSWER} {self.shown} }}"
        text = f"mutation ($input: {kind}!) {{ {asked} }}"
        return {"query": text, "variables": {"input": {"idempotencyKey": self.key, **self.given}}}

    def moves(self) -> Iterator[Move]:
        """Yield what must be in the ledger because of it."""
        if self.answer is not None:
            entry = self.answer["entry"]
            yield from moves(self.member, entry["kind"], int(entry["points"]))
            yield from self.also


def moves(member: str, kind: str, points: int) -> Iterator[Move]:
    """Yield what an entry is counted as.

    Points from another member come in one entry for each day on which they end: each counts.
    """
    if kind == ARRIVAL:
        yield from repeat((member, kind, 1), points)
    else:
        yield member, kind, points


def buy(key: str, member: str, euros: int) -> Deed:
    """Return a purchase; a euro earns a point."""
    line = {"productType": PRODUCT, "quantity": 1, "unitAmount": f"{euros}.00"}
    given = {"member": {"number": member}, "source": "chaos", "externalId": key, "lines": [line]}
    return Deed("recordPurchase", given, key, member)


def refund(key: str, bought: Deed) -> Deed:
    """Return the refund of a whole purchase."""
    receipt = {"source": "chaos", "externalId": bought.given["externalId"]}
    given = {"purchase": {"receipt": receipt}, "reason": "brought back"}
    return Deed("refundPurchase", given, key, bought.member)


def adjust(key: str, member: str, points: int) -> Deed:
    """Return an adjustment."""
    given = {"member": {"number": member}, "points": points, "reason": "chaos"}
    return Deed("adjustPoints", given, key, member)


def redeem(key: str, member: str) -> Deed:
    """Return the redemption of a coffee."""
    given = {"member": {"number": member}, "reward": REWARD}
    return Deed("redeemReward", given, key, member, shown="redemption { code }")


def give(key: str, member: str, to: str, points: int) -> Deed:
    """Return points given to another member, who gets them at once or a little later."""
    given = {"member": {"number": member}, "to": {"number": to}, "points": points}
    return Deed("transferPoints", given, key, member, also=tuple(moves(to, ARRIVAL, points)))


def hold(key: str, member: str, points: int) -> Deed:
    """Return points set aside."""
    given = {"member": {"number": member}, "points": points, "minutes": 43_200, "reason": "chaos"}
    return Deed("holdPoints", given, key, member, shown="hold { id }")


def capture(key: str, held: Deed) -> Deed:
    """Return the spending of all that was set aside."""
    assert held.answer is not None, "it is held first"
    return Deed("captureHold", {"holdId": held.answer["hold"]["id"]}, key, held.member)


def release(key: str, held: Deed) -> Deed:
    """Return the giving back of what was set aside."""
    assert held.answer is not None, "it is held first"
    return Deed("releaseHold", {"holdId": held.answer["hold"]["id"]}, key, held.member)
