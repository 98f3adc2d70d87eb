"""The application as clients meet it: a shop at noon, tokens with given scopes, and questions."""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tortoise.models import Model

from loyalty_graph.app import create_app
from loyalty_graph.benefits.models import BenefitUse
from loyalty_graph.config import Settings
from loyalty_graph.db import connection
from loyalty_graph.earning.models import EarningBudget, EarningCounter, OfferActivation
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.development_issuer import sign_in
from loyalty_graph.identity.models import PartnerIssuance
from loyalty_graph.identity.rules import Role, TokenMode
from loyalty_graph.ledger.models import (
    AccountRow,
    ApprovalRow,
    BalanceImportRow,
    ExpiryNoticeRow,
    HoldRow,
    LapseRow,
    LotRow,
    LotUseRow,
    PointsTransferRow,
    TransferRow,
)
from loyalty_graph.members.models import Consent, Member, MemberLock, MemberMerge, MemberReference
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.models import (
    Activity,
    ActivityCount,
    ActivityProof,
    MemberSummary,
    Purchase,
    PurchaseLine,
    PurchaseReference,
    Refund,
    RefundLine,
    UnclaimedReceipt,
)
from loyalty_graph.rewards.models import RedemptionRow, RewardStock, VoucherRow, VoucherUseRow
from loyalty_graph.subscriptions.models import (
    MemberSubscription,
    SubscriptionPayment,
    SubscriptionPeriod,
    SubscriptionSaving,
)
from loyalty_graph.tiers.models import TierChange, TierStanding
from loyalty_graph.wallet.models import CardLinkRow, PassRow
from tests.shop import NOON, PROGRAM, Shop, open_shop

Result = TypeVar("Result")
TABLES: tuple[type[Model], ...] = (
    AccountRow,
    Activity,
    ActivityCount,
    ActivityProof,
    BalanceImportRow,
    ApprovalRow,
    CardLinkRow,
    BenefitUse,
    CardMark,
    Consent,
    EarningBudget,
    EarningCounter,
    FactRow,
    HoldRow,
    IdempotencyRow,
    LapseRow,
    ExpiryNoticeRow,
    LotRow,
    LotUseRow,
    Member,
    MemberLock,
    MemberMerge,
    MemberReference,
    MemberSubscription,
    MemberSummary,
    OfferActivation,
    PartnerIssuance,
    PassRow,
    PointsTransferRow,
    Purchase,
    PurchaseLine,
    PurchaseReference,
    RedemptionRow,
    Refund,
    RefundLine,
    SubscriptionPayment,
    SubscriptionPeriod,
    SubscriptionSaving,
    RewardStock,
    TierChange,
    TierStanding,
    TransferRow,
    UnclaimedReceipt,
    VoucherRow,
    VoucherUseRow,
)
OTHER_PROGRAM: dict[str, Any] = {
    **PROGRAM,
    "program": {**PROGRAM["program"], "name": "Tea Club", "slug": "tea-club"},
}
GOLDEN_LINES = [
    {"productType": "COFFEE", "quantity": 3, "unitAmount": "4.50"},
    {"productType": "MUG", "quantity": 1, "unitAmount": "14.99"},
    {"productType": "GIFT_CARD", "quantity": 1, "unitAmount": "25.00"},
    {"productType": "TEA", "quantity": 2, "unitAmount": "3.75"},
]
"""Earn 27 + 74 + 0 + 7 = 108 points, as `tests.shop.GOLDEN` does."""

ADMIN = "admin"
_numbers = count(1)


def application(client: TestClient) -> Starlette:
    """Return what a client asks."""
    assert isinstance(client.app, Starlette)
    return client.app


@dataclass
class Api:
    """The application, its first shop, and the clock both live by."""

    client: TestClient
    settings: Settings
    now: datetime = NOON
    shop: Shop = field(init=False)
    _tokens: dict[tuple[UUID, tuple[str, ...], str | None], str] = field(default_factory=dict)

    def run(
        self, work: Callable[..., Coroutine[Any, Any, Result]], *given: Any, **named: Any
    ) -> Result:
        """Run something in the application's own event loop."""
        assert self.client.portal is not None
        return self.client.portal.call(partial(work, *given, **named))

    def open_shop(self, data: Mapping[str, Any] = PROGRAM) -> Shop:
        return self.run(open_shop, dict(data), now=self.now)

    def token(self, *scopes: str, shop: Shop | None = None, store: str | None = None) -> str:
        """Return a token of the shop's till with these scopes, perhaps for one store only."""
        key = ((shop or self.shop).program_id, scopes, store)
        if key not in self._tokens:
            self._tokens[key] = self.run(self._make_token, *key)
        return self._tokens[key]

    async def _make_token(
        self, program_id: UUID, scopes: tuple[str, ...], store: str | None
    ) -> str:
        partner = await identity.partner_named(program_id, "Till", now=self.now)
        made = await identity.create_token(
            program_id,
            partner.id,
            name=" ".join(scopes)[:100],
            scopes=scopes,
            mode=TokenMode.LIVE,
            randomness=next(_numbers).to_bytes(32),
            now=self.now,
            store=store,
        )
        return made.text

    def owner(self, *, shop: Shop | None = None) -> str:
        """Return a token of the shop's owner."""
        return self.run(self._make_owner, (shop or self.shop).program_id)

    async def _make_owner(self, program_id: UUID) -> str:
        return await self._make_staff(program_id, "Owner", Role.OWNER)

    async def _make_staff(self, program_id: UUID, name: str, role: Role) -> str:
        staff = await identity.staff_named(program_id, name, role, now=self.now)
        made = await identity.create_staff_token(
            staff, mode=TokenMode.LIVE, randomness=next(_numbers).to_bytes(32), now=self.now
        )
        return made.text

    def staff(self, name: str, role: Role = Role.MANAGER, *, shop: Shop | None = None) -> str:
        """Return a token of somebody who runs the shop."""
        return self.run(self._make_staff, (shop or self.shop).program_id, name, role)

    def member_token(self, member: Member, *, slug: str = "bean-club") -> str:
        """Return a token with which the member asks, good for an hour."""
        life = timedelta(hours=1)
        return sign_in(self.settings, program=slug, subject=str(member.id), now=self.now, life=life)

    def ask(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str | None = ADMIN,
    ) -> dict[str, Any]:
        """Return the whole answer; `token` is a text, or `admin`, or None for nobody."""
        headers = {}
        if token is not None:
            text = self.token(ADMIN) if token == ADMIN else token
            headers["Authorization"] = f"Bearer {text}"
        answer = self.client.post(
            "/graphql", json={"query": query, "variables": variables}, headers=headers
        )
        body: dict[str, Any] = answer.json()
        return body

    def data(
        self, query: str, variables: Mapping[str, Any] | None = None, **named: Any
    ) -> dict[str, Any]:
        """Return the data of an answer without errors."""
        body = self.ask(query, variables, **named)
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    def do(
        self, mutation: str, given: Mapping[str, Any], fields: str, **named: Any
    ) -> dict[str, Any]:
        """Call a mutation with its input and return its payload."""
        kind = mutation[0].upper() + mutation[1:]
        query = (
            f"mutation ($input: {kind}Input!) {{ {mutation}(input: $input)"
            f" {{ userErrors {{ code field message }} {fields} }} }}"
        )
        payload: dict[str, Any] = self.data(query, {"input": given}, **named)[mutation]
        return payload

    def refusal(
        self, mutation: str, given: Mapping[str, Any], **named: Any
    ) -> tuple[str, str | None]:
        """Call a mutation that is refused and changes nothing; return code and field."""
        before = self.everything()
        [error] = self.do(mutation, given, "", **named)["userErrors"]
        assert self.everything() == before
        return error["code"], error["field"]

    def error(self, query: str, variables: Mapping[str, Any] | None = None, **named: Any) -> str:
        """Ask what is answered with one error; return its code, nothing having changed."""
        before = self.everything()
        [error] = self.ask(query, variables, **named)["errors"]
        assert self.everything() == before
        code: str = error["extensions"]["code"]
        return code

    def everything(self) -> list[object]:
        """Return all rows that a caller could change; the admin's token, a fact too, is made."""
        self.token(ADMIN)
        return self.run(_everything)


async def _everything() -> list[object]:
    # Most tables are empty in most tests; one statement finds those that are worth reading.
    names = [table._meta.db_table for table in TABLES]
    asked = ", ".join(f'EXISTS (SELECT 1 FROM "{name}")' for name in names)  # noqa: S608 - our own
    _, [filled] = await connection().execute_query(f"SELECT {asked}")
    return [
        sorted(map(str, await table.all().values_list())) if has_row else []
        for table, has_row in zip(TABLES, tuple(filled), strict=True)
    ]


@contextmanager
def open_api(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> Iterator[Api]:
    """Start the application on this database, with a shop, at noon."""
    alone = {"database_url": database_url, "data_dir": folder, "worker": False}
    settings = Settings(**{**alone, **changes})
    started: list[Api] = []
    with monkeypatch.context() as patch:
        patch.setattr("loyalty_graph.app.utc_now", lambda: started[0].now if started else NOON)
        with TestClient(create_app(settings)) as client:
            api = Api(client, settings)
            started.append(api)
            api.shop = api.open_shop()
            yield api


def member_id(member: Member) -> str:
    return encode_id("Member", member.id)


def receipt(member: Member, /, **changes: Any) -> dict[str, Any]:
    """Return the input of recordPurchase for the golden basket."""
    number = next(_numbers)
    return {
        "idempotencyKey": f"key-{number}",
        "member": {"id": member_id(member)},
        "source": "till",
        "externalId": f"till-receipt-{number}",
        "lines": GOLDEN_LINES,
        **changes,
    }


def card_link(member: Member, /, **changes: Any) -> dict[str, Any]:
    """Return the input of createCardLink."""
    number = next(_numbers)
    return {"idempotencyKey": f"key-{number}", "member": {"id": member_id(member)}, **changes}
