import pytest

from loyalty_graph.errors import MemberNotActiveError, NotFoundError
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.outbox import FactRow
from loyalty_graph.usecases import members
from tests.shop import NOON, Shop, by_id


async def test_a_suspended_member_neither_earns_nor_spends(shop: Shop, ada: Member):
    await shop.buy(ada)
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=NOON)

    with pytest.raises(MemberNotActiveError, match="suspended"):
        await shop.buy(ada)
    with pytest.raises(MemberNotActiveError, match="suspended"):
        await shop.redeem(ada, 1)

    assert await shop.balance(ada) == 108
    fact = await FactRow.get(kind="member.status_changed")
    assert fact.payload == {"from": "ACTIVE", "to": "SUSPENDED"}


async def test_a_suspended_member_can_come_back(shop: Shop, ada: Member):
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=NOON)

    back = await members.set_status(shop.program_id, by_id(ada), MemberStatus.ACTIVE, now=NOON)

    assert back.status == MemberStatus.ACTIVE
    assert (await shop.buy(ada)).points == 108


async def test_nobody_has_no_status(shop: Shop):
    nobody = Reference(ReferenceKind.EXTERNAL_ID, "nobody")

    with pytest.raises(NotFoundError, match="no member nobody"):
        await members.set_status(shop.program_id, nobody, MemberStatus.SUSPENDED, now=NOON)
