"""A small schema, a view that serves it and callers, for the tests of the API's ground."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest
import strawberry
from starlette.testclient import TestClient

from loyalty_graph.errors import (
    DatabaseError,
    ForbiddenError,
    InsufficientPointsError,
    InvalidInputError,
    UnauthenticatedError,
)
from loyalty_graph.graphql.connections import Connection, connection
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import Payload, RefusalsAsData
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.inputs import Input
from loyalty_graph.graphql.permissions import NeedsMember, NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.graphql.schema import LoyaltySchema, build_schema
from loyalty_graph.graphql.view import LoyaltyView
from loyalty_graph.identity.rules import NOBODY, Scope, Viewer, ViewerKind
from loyalty_graph.members.models import Member
from loyalty_graph.outbox.live import Live
from loyalty_graph.paging import Cursor, page_of, page_size
from loyalty_graph.purchases.rules import ActivityKind
from loyalty_graph.rate_limits import RateLimits
from loyalty_graph.usecases.purchases import PurchaseRecorded, RecordCall
from loyalty_graph.wallet.desk import PassDesk
from tests.api import Api, card_link, member_id, open_api
from tests.shop import DAY, NOTE, giving
from tests.usecases.subscribing import WITH_PLANS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PARTNER = Viewer(
    ViewerKind.PARTNER,
    program_id=UUID(int=1),
    partner_id=UUID(int=2),
    token_id=UUID(int=3),
    scopes=frozenset({Scope.MEMBERS_READ}),
)
DESK = cast("PassDesk", None)  # a cupboard hands out no passes
LIVE = Live()
CUPS = Cursor("cups", (int,))
batches: list[tuple[str, list[int], object]] = []
ended: set[UUID | None] = set()


async def colours_of(cups: Sequence["Cup"], *, suffix: str) -> list[str | Exception]:
    batches.append(("colours", [cup.number for cup in cups], suffix))
    return [
        InvalidInputError("This cup has no colour.") if cup.number == 13 else f"red{suffix}"
        for cup in cups
    ]


async def fillings_of(cups: Sequence["Cup"]) -> list["Cup"]:
    batches.append(("fillings", [cup.number for cup in cups], None))
    return [Cup(number=cup.number * 10) for cup in cups]


async def count_cups(_parents: Sequence[object]) -> list[int]:
    batches.append(("count", [], None))
    return [300]


@strawberry.type
class Cup:
    number: int

    @strawberry.field
    async def colour(self, info: Info, suffix: str = "") -> str | None:
        return await info.context.batchers.load(colours_of, self, suffix=suffix)

    @strawberry.field
    async def filling(self, info: Info) -> "Cup":
        return await info.context.batchers.load(fillings_of, self)


@strawberry.type
class FillPayload(Payload):
    cup: Cup | None = None


@strawberry.type
class CupboardQuery:
    @strawberry.field(description="Who asks and when.")
    def asked(self, info: Info) -> str:
        return f"{info.context.viewer.kind.value} at {info.context.now.isoformat()}"

    @strawberry.field
    def greeting(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def points(self, value: Points) -> Points:
        return value

    @strawberry.field
    def instant(self, value: datetime) -> datetime:
        return value

    @strawberry.field
    def amount(self, value: Decimal) -> Decimal:
        return value

    @strawberry.field(description="A secret.", extensions=[NeedsScope(Scope.MEMBERS_READ)])
    def secret(self) -> str | None:
        return "42"

    @strawberry.field(description="Another.", extensions=[NeedsScope(Scope.POINTS_ADJUST)])
    async def other_secret(self) -> str | None:
        return "43"

    @strawberry.field(extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")])
    def own(self) -> str | None:
        return "44"

    @strawberry.field(extensions=[NeedsMember()])
    def mine(self) -> str | None:
        return "45"

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("the password is swordfish")

    @strawberry.field
    def too_large(self) -> int:
        return 2**31

    @strawberry.field
    def refused(self) -> str | None:
        raise InvalidInputError("That will not do.", field="name")

    @strawberry.field
    async def cups(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[Cup]:
        start = CUPS.decode(after)[0] if after else 0
        size = page_size(first)
        numbers = [number for number in range(1, 31) if number > int(str(start))][: size + 1]
        return connection(
            page_of(numbers, size=size, after=after),
            cursor=CUPS,
            key=lambda number: (number,),
            node=lambda number: Cup(number=number),
            count=lambda: info.context.batchers.load(count_cups, self),
        )


@strawberry.input
class KeepInput:
    things: list[strawberry.ID]


@strawberry.type
class CupboardMutation:
    @strawberry.mutation(
        extensions=[NeedsScope(Scope.POINTS_ADJUST, member="own"), RefusalsAsData(FillPayload)]
    )
    async def keep(self, given: Input[KeepInput]) -> FillPayload | None:
        return FillPayload(cup=Cup(number=len(given.things)))

    @strawberry.mutation(extensions=[RefusalsAsData(FillPayload)])
    async def fill(self, number: int) -> FillPayload | None:
        if number == 401:
            raise UnauthenticatedError("Who are you?")
        if number == 403:
            raise ForbiddenError("points:adjust")
        if number == 500:
            raise RuntimeError("the password is swordfish")
        if number == 503:
            raise DatabaseError("The database at swordfish is gone.")
        if number < 0:
            raise InsufficientPointsError(needed=5, available=3)
        return FillPayload(cup=Cup(number=number))


CUPBOARD: LoyaltySchema = build_schema(CupboardQuery, CupboardMutation)


async def viewer_for(token: str, now: datetime) -> Viewer:
    assert now == NOON
    if token == "broken":
        raise RuntimeError("the database is gone")
    if token != "good":
        raise UnauthenticatedError("This API token is not known.")
    return PARTNER


async def refuse_ended(viewer: Viewer, *, now: datetime) -> None:
    if viewer.token_id in ended:
        raise UnauthenticatedError("This API token was revoked.")


async def no_purchase(call: RecordCall) -> PurchaseRecorded:
    raise AssertionError(f"a cupboard sells nothing: {call}")


def view_of(schema: LoyaltySchema, clock: Callable[[], datetime] = lambda: NOON) -> LoyaltyView:
    return LoyaltyView(
        schema,
        desk=DESK,
        viewer_for=viewer_for,
        refuse_ended=refuse_ended,
        live=LIVE,
        clock=clock,
        record_purchase=no_purchase,
        limits=RateLimits(),
    )


def context_of(viewer: Viewer = NOBODY) -> Context:
    return Context(viewer, NOON, "request-1", DESK, lambda: NOON, no_purchase, refuse_ended, LIVE)


@pytest.fixture
def client() -> TestClient:
    view = view_of(CUPBOARD)
    return TestClient(view, headers={"Accept": "application/graphql-response+json"})


@pytest.fixture
def api(database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The whole application at noon, with a shop in it."""
    with open_api(database_url, data_dir, monkeypatch) as api:
        yield api


@pytest.fixture
def ada(api: Api) -> Member:
    return api.run(
        api.shop.enrol, email="ada@example.com", phone="+4915112345678", external_id="crm-7"
    )


@pytest.fixture
def ids(api: Api, ada: Member) -> dict[str, str]:
    """One id of every type of node in the first programme."""
    bought = api.run(api.shop.buy, ada, external_id="r-1")
    did = api.run(api.shop.do, ada, ActivityKind.NEWSLETTER)
    api.open_shop({**giving(NOTE), "subscription_plans": WITH_PLANS["subscription_plans"]})
    wanted = {"idempotencyKey": "s", "member": {"id": member_id(ada)}, "plan": "TRY"}
    subscribed = api.do("subscribe", wanted, "subscription { id }")["subscription"]
    api.now += DAY
    wish = {"idempotencyKey": "note", "member": {"id": member_id(ada)}, "reward": "NOTE"}
    done = api.do("redeemReward", wish, "redemption { id voucher { id } }")["redemption"]
    aside = {"idempotencyKey": "hold", "member": {"id": member_id(ada)}, "points": 1}
    held = api.do("holdPoints", {**aside, "minutes": 5, "reason": "x"}, "hold { id }")["hold"]
    [reward, _] = api.data("{ rewards { id } }")["rewards"]
    return {
        "Program": encode_id("Program", api.shop.program_id),
        "Member": member_id(ada),
        "Purchase": encode_id("Purchase", ada.id, bought.purchase_id),
        "Activity": encode_id("Activity", ada.id, did.activity_id),
        "LedgerEntry": encode_id("LedgerEntry", ada.id, 1),
        "Lot": encode_id("Lot", ada.id, 1),
        "CardLink": api.do("createCardLink", card_link(ada), "link { id }")["link"]["id"],
        "Pass": api.do("issuePass", {"member": {"id": member_id(ada)}}, "pass { id }")["pass"][
            "id"
        ],
        "MemberSubscription": subscribed["id"],
        "Reward": reward["id"],
        "Redemption": done["id"],
        "Voucher": done["voucher"]["id"],
        "PointsHold": held["id"],
    }


@pytest.fixture
def ada_asks(api: Api, ada: Member) -> str:
    return api.member_token(ada)


@pytest.fixture
def bob_asks(api: Api) -> str:
    """Another member of the same programme."""
    return api.member_token(api.run(api.shop.enrol))


@pytest.fixture(autouse=True)
def no_batches_before():
    batches.clear()
    ended.clear()
