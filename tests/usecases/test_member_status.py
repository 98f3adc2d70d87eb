import pytest

from loyalty_graph.errors import InvalidInputError, MemberNotActiveError, NotFoundError
from loyalty_graph.ledger.models import AccountRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.outbox import FactRow
from loyalty_graph.usecases import members
from tests.shop import NOON, Shop, by_id


@pytest.mark.parametrize("status", [MemberStatus.SUSPENDED, MemberStatus.CLOSED])
async def test_a_member_who_is_not_active_neither_earns_nor_spends(
    shop: Shop, ada: Member, status: MemberStatus
):
    await shop.buy(ada)
    await members.set_status(shop.program_id, by_id(ada), status, now=NOON)

    with pytest.raises(MemberNotActiveError, match=status.lower()):
        await shop.buy(ada)
    with pytest.raises(MemberNotActiveError, match=status.lower()):
        await shop.redeem(ada, 1)

    assert await shop.balance(ada) == 108
    fact = await FactRow.get(kind="member.status_changed")
    assert fact.payload == {"from": "ACTIVE", "to": status}


async def test_a_suspended_member_can_come_back(shop: Shop, ada: Member):
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=NOON)

    back = await members.set_status(shop.program_id, by_id(ada), MemberStatus.ACTIVE, now=NOON)

    assert back.status == MemberStatus.ACTIVE
    assert (await shop.buy(ada)).points == 108


async def test_closed_is_for_good(shop: Shop, ada: Member):
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.CLOSED, now=NOON)

    with pytest.raises(InvalidInputError, match="CLOSED may become nothing else, not ACTIVE"):
        await members.set_status(shop.program_id, by_id(ada), MemberStatus.ACTIVE, now=NOON)

    assert (await Member.get(id=ada.id)).status == MemberStatus.CLOSED
    assert (await AccountRow.get(member_id=ada.id)).status == MemberStatus.CLOSED


async def test_a_member_who_is_brought_back_goods_may_be_closed(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.CLOSED, now=NOON)

    refund = await shop.bring_back(bought, None)

    assert refund.clawed_back_points == 108


async def test_nobody_has_no_status(shop: Shop):
    nobody = Reference(ReferenceKind.EXTERNAL_ID, "nobody")

    with pytest.raises(NotFoundError, match="no member nobody"):
        await members.set_status(shop.program_id, nobody, MemberStatus.CLOSED, now=NOON)
