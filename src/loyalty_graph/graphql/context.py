"""What every resolver is handed: who asks, when, and what the doors opened."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple, Protocol, TypeAlias
from uuid import UUID

import strawberry

from loyalty_graph.errors import IdempotencyKeysDifferError, InvalidInputError
from loyalty_graph.graphql.batch import Batchers
from loyalty_graph.identity.rules import Viewer
from loyalty_graph.outbox.live import Live
from loyalty_graph.purchases.errors import TooManyClaimsError
from loyalty_graph.rate_limits import NO_WAIT, RateLimits, SharedRateLimit
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.usecases.purchases import PurchaseRecorded, RecordCall
from loyalty_graph.wallet.desk import PassDesk

RecordPurchase: TypeAlias = Callable[[RecordCall], Awaitable[PurchaseRecorded]]


CLAIMS_OF_ONE_CALLER = 60
CLAIMS_PER = timedelta(minutes=1)


def limited_claims(limits: RateLimits) -> SharedRateLimit:
    """Return how often one caller may try the code of a receipt."""
    return limits.limit("claims", CLAIMS_OF_ONE_CALLER, per=CLAIMS_PER)


class Asked(NamedTuple):
    """The root fields of an operation, each once, and whether they are answered again and again."""

    fields: tuple[str, ...]
    is_stream: bool


UNREAD = Asked(("none",), is_stream=False)
"""What is asked for by what is no operation, or not of our schema."""


class RefuseEnded(Protocol):
    """Asks whether a viewer may go on."""

    async def __call__(self, viewer: Viewer, *, now: datetime) -> None:
        """Raise UnauthenticatedError when not."""


@dataclass
class Context:
    """One request's surroundings, or over WebSocket one operation's.

    `record_purchase` gathers the purchases of concurrent requests into one transaction;
    `connection_params` is what a WebSocket client sent with `connection_init`; `key_header` is
    what the request's header Idempotency-Key says. `claims` counts how often callers try codes.
    `asked` is what the operation asks for, and `is_refused` whether a use case refused any of it.
    """

    viewer: Viewer
    now: datetime
    request_id: str
    desk: PassDesk
    clock: Callable[[], datetime]
    record_purchase: RecordPurchase
    refuse_ended: RefuseEnded
    live: Live
    batchers: Batchers = field(default_factory=Batchers)
    connection_params: Mapping[str, object] | None = None
    key_header: str | None = None
    claims: SharedRateLimit = field(default_factory=lambda: limited_claims(RateLimits()))
    asked: Asked = UNREAD
    is_refused: bool = False

    @property
    def program_id(self) -> UUID:
        """The programme of the viewer's token; only fields that need a scope may ask."""
        assert self.viewer.program_id is not None, "who has a scope has it in a programme"
        return self.viewer.program_id

    @property
    def caller(self) -> str:
        """Whose idempotency keys these are."""
        return self.viewer.caller

    def idempotency_key(self, given: str | None) -> str:
        """Return the key of a mutation that needs one: its input's, or the request's.

        Raises:
            InvalidInputError: there is none.
            IdempotencyKeysDifferError: there are two.
        """
        key = self.idempotency_key_if_any(given)
        if key is None:
            raise InvalidInputError(
                "Give an idempotency key, so that a retry counts once.", field="idempotencyKey"
            )
        return key

    def idempotency_key_if_any(self, given: str | None) -> str | None:
        """Return the key of a mutation: its input's, or the request's, or None.

        Raises:
            IdempotencyKeysDifferError: there are two.
        """
        if given is not None and self.key_header not in (None, given):
            raise IdempotencyKeysDifferError
        return self.key_header if given is None else given

    def at_place(self, place: int) -> "Context":
        """Return the surroundings of one item of a batch: the request's key holds for all items."""
        return replace(self, key_header=self.key_header and f"{self.key_header}/{place}")

    async def check_viewer(self) -> None:
        """Do nothing while the viewer of an open connection may go on asking.

        Raises:
            UnauthenticatedError: the token has expired or was revoked, or the member has left.
        """
        await self.refuse_ended(self.viewer, now=self.clock())

    def begin_event(self) -> None:
        """Take the moment of an event of a stream, which shows what is there then."""
        self.now, self.batchers = self.clock(), Batchers()

    @property
    def codes(self) -> Codes:
        """Makes and finds the codes of redemptions."""
        return Codes(self.desk.link_key)

    @property
    def receipt_codes(self) -> Codes:
        """Makes and finds the codes of receipts without a member."""
        return Codes(self.desk.link_key, "receipt")

    async def check_claims(self) -> None:
        """Count a code that the caller tries.

        Raises:
            TooManyClaimsError: it comes too early after many others.
        """
        wait = await self.claims.wait((self.viewer.program_id, self.caller), now=self.now)
        if wait > NO_WAIT:
            raise TooManyClaimsError(ceil(wait.total_seconds()))

    def for_operation(self) -> "Context":
        """Return the surroundings of one operation: its own moment and batches.

        A WebSocket stays open for hours; what was now when it opened is not now.
        """
        return replace(self, now=self.clock(), batchers=Batchers())


Info: TypeAlias = strawberry.Info[Context, None]
