"""What a device is told of its passes: each change, in the order of the tags."""

from uuid import UUID

import pytest

from loyalty_graph.wallet.apple.listing import changed
from loyalty_graph.wallet.apple.models import RegistrationRow
from loyalty_graph.wallet.models import PassRow
from tests.shop import NOON

pytestmark = pytest.mark.usefixtures("database")

CARDS = "pass.com.example.cards"
PHONE, TABLET = "phone", "tablet"


async def hold(serial: str, *, tag: int, device: str = PHONE, pass_type: str = CARDS) -> None:
    """Let a device hold a pass of a member, and a programme, of its own."""
    member_id = UUID(int=tag + 100)
    pass_ = {"serial": serial, "program_id": UUID(int=tag), "member_id": member_id}
    await PassRow.create(
        **pass_,
        platform="APPLE",
        issued_at=NOON,
        update_tag=tag,
        changed_at=NOON,
        stale_since=NOON,
        last_modified=NOON,
    )
    await RegistrationRow.create(**pass_, pass_type=pass_type, device=device, registered_at=NOON)


async def test_a_device_hears_of_what_changed_after_the_tag_it_has():
    await hold("a", tag=2)
    await hold("b", tag=5)
    await hold("c", tag=7)
    await hold("elsewhere", tag=8, device=TABLET)
    await hold("other", tag=9, pass_type="pass.com.example.vip")

    assert await changed(CARDS, PHONE, since=2) == (7, ["b", "c"])
    assert await changed(CARDS, PHONE, since=7) == (7, [])
    assert await changed(CARDS, TABLET, since=None) == (8, ["elsewhere"])


async def test_a_device_without_a_tag_or_with_one_never_given_hears_of_all():
    await hold("new", tag=0)
    await hold("b", tag=5)

    assert await changed(CARDS, PHONE, since=None) == (5, ["new", "b"])
    assert await changed(CARDS, PHONE, since=0) == (5, ["b"])
    assert await changed(CARDS, PHONE, since=10) == (5, ["new", "b"])
    assert await changed(CARDS, PHONE, since=5) == (5, [])


async def test_a_tag_given_before_the_database_was_restored_hides_no_change():
    # The device was told of tag 8, which is lost; since then others have come to tag 9.
    await hold("restored", tag=3)
    await hold("changed since", tag=7)
    await hold("elsewhere", tag=9, device=TABLET)

    assert await changed(CARDS, PHONE, since=8) == (7, ["restored", "changed since"])
    assert await changed(CARDS, PHONE, since=7) == (7, [])


async def test_changes_of_several_passes_are_all_listed_not_the_newest_alone():
    for tag in range(1, 8):
        await hold(f"serial-{tag}", tag=tag)

    assert await changed(CARDS, PHONE, since=3) == (7, [f"serial-{tag}" for tag in range(4, 8)])


async def test_a_device_nobody_knows_has_no_passes():
    assert await changed(CARDS, "nobody", since=None) == (0, [])
