"""Who collects a subscription's fee: the interface to a provider, and a local one for sandboxes.

We charge nobody. In a real programme somebody else collects and tells us of each payment.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.subscriptions.rules import PaymentOutcome

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Charge:
    """A fee to be collected from a card.

    The same `key` is the same charge, however often it is asked for. `attempt` counts from 1 since
    the fee fell due.
    """

    key: str
    card: str
    amount_minor: int
    currency: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Charged:
    """What a provider answered: its id for the charge, and whether it was paid."""

    external_id: str
    outcome: PaymentOutcome


class BillingProvider(Protocol):
    """Collects fees from cards that it knows."""

    def check(self, card: str) -> None:
        """Refuse a card that cannot be charged at all.

        Raises:
            InvalidInputError: There is no such card.
        """

    async def charge(self, charge: Charge) -> Charged:
        """Collect a fee; asked again for the same key, it answers the same and collects once."""


class LocalBilling:
    """A provider without money, for sandbox programmes: the card says what becomes of a charge.

    `ok` pays, `declined` never does, `fails_2` pays at the third attempt, and `expires_2026-05`
    pays until the end of May by the provider's clock, which is handed in and can be moved. It
    remembers nothing, so that a charge asked for twice, even after a crash, is the same charge.
    """

    _CARD = re.compile(r"ok|declined|fails_[1-9]|expires_\d{4}-(0[1-9]|1[0-2])", re.ASCII)

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def check(self, card: str) -> None:
        """Refuse what is none of the cards that there are.

        Raises:
            InvalidInputError: There is no such card.
        """
        if self._CARD.fullmatch(card) is None:
            raise InvalidInputError(
                "The sandbox knows the cards ok, declined, fails_1 to fails_9,"
                " and expires_ with a month such as 2026-05.",
                field="card",
            )

    async def charge(self, charge: Charge) -> Charged:
        """Answer as the card says."""
        pays = _pays(charge, self._clock())
        outcome = PaymentOutcome.SUCCEEDED if pays else PaymentOutcome.FAILED
        return Charged(f"{LOCAL}:{charge.key}", outcome)


def _pays(charge: Charge, now: datetime) -> bool:
    kind, _, detail = charge.card.partition("_")
    if kind == "fails":
        return charge.attempt > int(detail)
    if kind == "expires":
        return f"{now.astimezone(UTC):%Y-%m}" <= detail
    return kind == "ok"
