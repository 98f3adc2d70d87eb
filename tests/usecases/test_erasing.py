"""Erasing a person: nothing that tells of her is left anywhere, and the ledger still verifies."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from loyalty_graph.db import personal
from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InvalidInputError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members import service as members
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import ConsentPurpose, MemberStatus, Reference, ReferenceKind
from loyalty_graph.outbox import FactRow
from loyalty_graph.purchases.rules import ActivityKind
from loyalty_graph.subscriptions.models import MemberSubscription
from loyalty_graph.tiers.models import TierChange
from loyalty_graph.usecases import (
    adjustments,
    card_links,
    erasing,
    membership,
    merging,
    proof,
    tier_overrides,
)
from loyalty_graph.usecases import members as enrolling
from loyalty_graph.wallet import links
from loyalty_graph.wallet import service as wallet
from loyalty_graph.wallet.models import PassRow
from tests.shop import DAY, GOLDEN, NOON, Shop, by_id, giving, open_shop
from tests.tiers.shop import with_tiers
from tests.usecases.subscribing import PLANS, Club

KEY = b"k" * 32
PROFILE: dict[str, Any] = {
    "external_id": "zerlina-7",
    "email": "zerlina@example.com",
    "phone": "+4915112345678",
    "first_name": "Zerlina",
    "last_name": "Masetto",
}
TRACES = ("zerlina", "masetto", "4915112345678", "1787-10-29")
REVIEW = {"code": "REVIEW", "name": "A review", "on": "REVIEW", "points": 5, "once_per": "PROOF"}
CLUB = {
    **with_tiers(),
    "rewards": giving()["rewards"],
    "subscription_plans": PLANS,
    "earning": {**giving()["earning"], "rules": [REVIEW]},
}


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop(CLUB)


@pytest.fixture
async def zerlina(shop: Shop) -> Member:
    """A member of whom every table that can tell of a person does."""
    member = await shop.enrol(**PROFILE, birthday=NOON.date().replace(1787, 10, 29))
    bought = await shop.buy(member)
    await shop.bring_back(bought, {1: 1})
    await shop.redeem(member, 5, text="for Zerlina")
    await shop.do(member, ActivityKind.REVIEW, proof="review by Zerlina")
    await shop.want(member, "COFFEE")
    club = Club(shop, shop.now)
    await club.subscribe(member)
    await MemberSubscription.all().update(card="card of Zerlina Masetto")
    await adjust(shop, member, "Zerlina was kind")
    override = tier_overrides.OverrideTier(
        "partner:till", "o", by_id(member), "GOLD", NOON + DAY, "Zerlina asked"
    )
    await tier_overrides.override_tier(shop.program_id, override, now=shop.now)
    await membership.set_consents(
        shop.program_id, by_id(member), {ConsentPurpose.TERMS: True}, source="app", now=shop.now
    )
    await membership.update(
        shop.program_id, by_id(member), {"first_name": "Zerlina B."}, now=shop.now
    )
    await wallet.issue(shop.program_id, [member.id], now=shop.now)
    link = card_links.CreateCardLink("partner:app", "l", by_id(member))
    await card_links.create(shop.program_id, link, key=KEY, now=shop.now)
    return member


async def adjust(shop: Shop, member: Member, reason: str) -> None:
    gift = adjustments.AdjustPoints("partner:till", reason, by_id(member), 10, reason)
    await adjustments.adjust(shop.program_id, gift, now=shop.now)


def forget(member: Member, /, **changes: Any) -> erasing.EraseMember:
    return replace(erasing.EraseMember("staff:eve", "forget", by_id(member), KEY), **changes)


async def erase(shop: Shop, member: Member, /, **changes: Any) -> erasing.MemberErased:
    return await erasing.erase(shop.program_id, forget(member, **changes), now=shop.now)


async def everything() -> str:
    """Return the whole database as one text in lower case."""
    found = [await model.all().values() for model in personal.models()]
    return orjson.dumps(found, default=str).decode().lower()


async def traces() -> list[str]:
    text = await everything()
    return [one for one in TRACES if one in text]


async def test_nothing_tells_of_an_erased_person_and_the_ledger_verifies(
    shop: Shop, zerlina: Member
):
    bob = await shop.enrol(first_name="Bob", email="bob@example.com")
    await shop.buy(bob)
    before = await traces()

    done = await erase(shop, zerlina)

    assert before == list(TRACES)
    assert await traces() == []
    audit = await proof.verify(shop.program_id, now=shop.now)
    assert (audit.accounts, audit.findings) == (2, [])
    assert await proof.rebuild(shop.program_id, now=shop.now) == 0
    assert done.forfeited_points > 0
    assert await shop.balance(zerlina) == 0
    told = await TransferRow.filter(member_id=zerlina.id)
    assert {(one.text, one.actor, one.explanation, bytes(one.salt)) for one in told} == {
        ("", "", None, b"")
    }
    assert await members.find(shop.program_id, by_id(bob))
    assert (await TransferRow.get(member_id=bob.id)).actor == "partner:till"


async def test_an_erased_member_is_found_by_the_id_alone_and_may_do_nothing(
    shop: Shop, zerlina: Member
):
    await erase(shop, zerlina)

    row = await members.find(shop.program_id, by_id(zerlina))
    assert (row.status, row.number, row.enrolled_at) == (
        MemberStatus.ERASED,
        zerlina.number,
        zerlina.enrolled_at,
    )
    for kind, value in (
        (ReferenceKind.NUMBER, zerlina.number),
        (ReferenceKind.EMAIL, "zerlina@example.com"),
        (ReferenceKind.PHONE, "+4915112345678"),
        (ReferenceKind.EXTERNAL_ID, "zerlina-7"),
    ):
        with pytest.raises(NotFoundError):
            await members.find(shop.program_id, Reference(kind, value))
    with pytest.raises(MemberNotActiveError):
        await shop.buy(zerlina)
    with pytest.raises(MemberNotActiveError):
        await adjust(shop, zerlina, "again")
    with pytest.raises(MemberNotActiveError):
        await membership.update(
            shop.program_id, by_id(zerlina), {"first_name": "Zerlina"}, now=NOON
        )
    with pytest.raises(InvalidInputError):
        await enrolling.set_status(
            shop.program_id, by_id(zerlina), MemberStatus.ACTIVE, now=shop.now
        )


async def test_her_cards_are_void_and_her_links_closed(shop: Shop, zerlina: Member):
    await erase(shop, zerlina)

    assert [one.voided_at for one in await PassRow.all()] == [shop.now]
    assert await links.working(shop.program_id, [zerlina.id]) == {zerlina.id: []}


async def test_whoever_was_erased_can_join_anew_with_the_same_address(shop: Shop, zerlina: Member):
    await erase(shop, zerlina)

    anew = await shop.enrol(**PROFILE)

    assert anew.id != zerlina.id
    assert await shop.balance(anew) == 0


async def test_facts_keep_their_place_and_lose_their_contents(shop: Shop, zerlina: Member):
    kinds = [one.kind for one in await FactRow.filter(member_id=zerlina.id).order_by("id")]

    await erase(shop, zerlina)

    rows = await FactRow.filter(member_id=zerlina.id).order_by("id")
    assert [one.kind for one in rows][: len(kinds)] == kinds
    assert {str(one.payload) for one in rows[: len(kinds)]} == {"{}"}
    assert {"redemption.cancelled", "member.closed", "pass.voided"} <= {
        one.kind for one in rows[len(kinds) :] if one.payload
    }
    assert rows[-1].kind == "member.erased"
    assert rows[-1].payload == {"from": "ACTIVE"}


async def test_a_retry_gets_the_first_answer_however_she_was_named(shop: Shop, zerlina: Member):
    by_email = Reference(ReferenceKind.EMAIL, "zerlina@example.com")
    first = await erase(shop, zerlina, member=by_email)

    again = await erase(shop, zerlina, member=by_email)

    assert again == replace(first, replayed=True)
    assert [one.key for one in await IdempotencyRow.all()] == ["forget"]
    with pytest.raises(IdempotencyMismatchError):
        await erase(shop, zerlina)


async def test_erasing_again_removes_what_came_since(shop: Shop, zerlina: Member):
    bought = await shop.buy(zerlina, GOLDEN)
    await erase(shop, zerlina)
    await shop.bring_back(bought, None, caller="Zerlina's till")
    came = await traces()

    again = await erase(shop, zerlina, idempotency_key="again")

    assert came == ["zerlina"]
    assert await traces() == []
    assert again.forfeited_points == 0
    assert await FactRow.filter(kind="member.erased").count() == 1
    assert (await proof.verify(shop.program_id, now=shop.now)).findings == []


async def test_a_closed_member_is_erased_without_being_closed_again(shop: Shop, zerlina: Member):
    await shop.close(zerlina)

    done = await erase(shop, zerlina)

    assert done.forfeited_points == 0
    assert await traces() == []
    assert await FactRow.filter(kind="member.closed").count() == 1
    assert (await FactRow.get(kind="member.erased")).payload == {"from": "CLOSED"}


async def test_an_unknown_member_is_not_erased(shop: Shop, zerlina: Member):
    before = await everything()

    with pytest.raises(NotFoundError):
        await erase(shop, zerlina, member=Reference(ReferenceKind.EMAIL, "nobody@example.com"))

    assert await everything() == before


async def test_reasons_of_tier_changes_are_gone_and_the_changes_are_not(
    shop: Shop, zerlina: Member
):
    before = await TierChange.filter(member_id=zerlina.id).order_by("sequence")

    await erase(shop, zerlina)

    after = await TierChange.filter(member_id=zerlina.id).order_by("sequence")
    assert [one.tier_after for one in after][: len(before)] == [one.tier_after for one in before]
    assert {one.reason for one in after} == {""}


async def test_whoever_was_merged_into_her_is_erased_with_her(shop: Shop):
    zerlina = await shop.enrol(**PROFILE)
    await shop.buy(zerlina)
    bob = await shop.enrol(first_name="Bob", email="bob@example.com")
    command = merging.MergeMembers("staff:eve", "m", by_id(zerlina), by_id(bob), "one person")
    await merging.merge(shop.program_id, command, now=shop.now)

    await erase(shop, bob)

    assert await traces() == []
    assert "bob@example.com" not in await everything()
    assert (await members.find(shop.program_id, by_id(zerlina))).status == MemberStatus.ERASED
    assert (await proof.verify(shop.program_id, now=shop.now)).findings == []
