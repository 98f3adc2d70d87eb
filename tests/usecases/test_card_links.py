"""Links to the card page: made once for each key, and gone once revoked."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InvalidInputError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.outbox import FactRow
from loyalty_graph.usecases import card_links, members
from loyalty_graph.wallet import links
from loyalty_graph.wallet.models import CardLinkRow
from tests.shop import DAY, NOON, Shop, by_id

KEY = b"k" * 32


@pytest.fixture
async def ada(shop: Shop) -> Member:
    return await shop.enrol()


def wanted(member: Member, key: str = "k", **changes: Any) -> card_links.CreateCardLink:
    return replace(card_links.CreateCardLink("partner:app", key, by_id(member)), **changes)


async def created(shop: Shop, member: Member, key: str = "k") -> card_links.CardLinkCreated:
    return await card_links.create(shop.program_id, wanted(member, key), key=KEY, now=shop.now)


async def facts() -> list[str]:
    return [row.kind for row in await FactRow.filter(kind__startswith="card_link").order_by("id")]


async def test_a_link_is_found_by_its_token_and_the_database_holds_only_its_hash(
    shop: Shop, ada: Member
):
    made = await created(shop, ada)
    token = links.token_of(shop.program_id, made.link_id, key=KEY)

    found = await links.find(token)

    assert (found.program_id, found.member_id, found.id) == (shop.program_id, ada.id, made.link_id)
    assert found.token(KEY) == token
    assert len(token) == 32
    [row] = await CardLinkRow.all().values()
    assert token not in str(row)
    assert await facts() == ["card_link.created"]


async def test_a_retry_makes_no_second_link(shop: Shop, ada: Member):
    first = await created(shop, ada)
    again = await created(shop, ada)

    assert again == replace(first, replayed=True)
    assert await CardLinkRow.all().count() == 1
    assert await facts() == ["card_link.created"]


async def test_the_same_key_for_another_member_is_refused(shop: Shop, ada: Member):
    await created(shop, ada)

    with pytest.raises(IdempotencyMismatchError):
        await created(shop, await shop.enrol())

    assert await CardLinkRow.all().count() == 1


async def test_a_member_may_have_several_and_the_newest_comes_first(shop: Shop, ada: Member):
    made = [await created(shop.later(day * DAY), ada, key=str(day)) for day in range(3)]

    found = await links.working(shop.program_id, [ada.id])

    assert [one.id for one in found[ada.id]] == [one.link_id for one in reversed(made)]


async def test_no_more_links_are_made_than_may_work(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(links, "LINKS_MAX", 2)
    first = await created(shop, ada, key="1")
    await created(shop, ada, key="2")

    with pytest.raises(InvalidInputError, match="2 links that work; revoke one first"):
        await created(shop, ada, key="3")
    assert await CardLinkRow.all().count() == 2

    await card_links.revoke(shop.program_id, ada.id, first.link_id, now=NOON)
    await created(shop, ada, key="3")


async def test_a_suspended_member_gets_none(shop: Shop, ada: Member):
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=NOON)

    with pytest.raises(MemberNotActiveError):
        await created(shop, ada)

    assert await CardLinkRow.all().count() == 0


async def test_a_revoked_link_opens_nothing_and_the_others_still_do(shop: Shop, ada: Member):
    gone, stays = [await created(shop, ada, key=key) for key in ("1", "2")]

    revoked = await card_links.revoke(shop.program_id, ada.id, gone.link_id, now=NOON + DAY)
    again = await card_links.revoke(shop.program_id, ada.id, gone.link_id, now=NOON + 2 * DAY)

    assert revoked.revoked_at == again.revoked_at == NOON + DAY
    with pytest.raises(NotFoundError):
        await links.find(links.token_of(shop.program_id, gone.link_id, key=KEY))
    assert await links.find(links.token_of(shop.program_id, stays.link_id, key=KEY))
    assert await facts() == ["card_link.created", "card_link.created", "card_link.revoked"]


async def test_what_is_no_link_cannot_be_revoked(shop: Shop, ada: Member):
    with pytest.raises(NotFoundError):
        await card_links.revoke(shop.program_id, ada.id, UUID(int=7), now=NOON)

    assert await facts() == []


async def test_a_link_outlives_the_key_it_was_made_with_but_is_not_shown_again(
    shop: Shop, ada: Member
):
    made = await created(shop, ada)
    token = links.token_of(shop.program_id, made.link_id, key=KEY)

    found = await links.find(token)

    assert found.token(b"n" * 32) is None


@pytest.mark.parametrize("token", ["", "x", "\0", "é" * 500, "\ud800"])
async def test_a_token_that_was_never_made_opens_nothing(shop: Shop, token: str):
    with pytest.raises(NotFoundError):
        await links.find(token)
