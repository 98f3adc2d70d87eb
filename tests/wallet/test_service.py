"""Issuing passes, and what a card shows."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.db import connection
from loyalty_graph.errors import MemberNotActiveError, NotFoundError
from loyalty_graph.ledger.kinds import Forgiveness, Kind
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.money import Money
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards.rules import Step
from loyalty_graph.usecases import adjustments, expiry
from loyalty_graph.wallet import service
from loyalty_graph.wallet.colours import Colours
from loyalty_graph.wallet.face import CardFace, ValueFace
from loyalty_graph.wallet.models import PassRow
from tests.shop import DAY, NOON, Shop, by_id, giving, open_shop, program
from tests.tiers.shop import tea, with_tiers

TEA = (Line("TEA", 1, 100),)
"""Earns 1 point."""


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


@pytest.fixture
async def ada(shop: Shop) -> Member:
    return await shop.enrol(first_name="Ada", last_name="Lovelace")


async def face(shop: Shop, member: Member) -> CardFace:
    return (await service.faces(shop.program_id, [member.id], now=shop.now))[member.id]


async def test_a_pass_is_issued_once(shop: Shop, ada: Member):
    first = await service.issue(shop.program_id, [ada.id], now=NOON)
    again = await service.issue(shop.program_id, [ada.id], now=NOON + DAY)

    [row] = await PassRow.all()
    assert first == again == {ada.id: row.serial}
    assert len(row.serial) == 32
    assert (row.platform, row.issued_at, row.update_tag) == ("APPLE", NOON, 0)


async def test_the_card_shows_the_tier_of_the_moment(database: object):
    shop = await open_shop(with_tiers())
    ada = await shop.enrol()
    await shop.buy(ada, tea(10_000))

    assert (await face(shop, ada)).tier_name == "Silver"
    assert (await face(shop.later(2 * 365 * DAY), ada)).tier_name == "Base"


async def test_a_batch_gives_each_member_one_and_keeps_those_there_are(shop: Shop, ada: Member):
    had = await service.issue(shop.program_id, [ada.id], now=NOON)
    others = [await shop.enrol() for _ in range(2)]

    serials = await service.issue(shop.program_id, [ada.id, *(one.id for one in others)], now=NOON)

    assert serials[ada.id] == had[ada.id]
    assert len(set(serials.values())) == 3
    assert await PassRow.all().count() == 3


async def test_a_serial_leads_back_to_its_holder(shop: Shop, ada: Member):
    serials = await service.issue(shop.program_id, [ada.id], now=NOON)

    assert await service.holder(shop.program_id, serials[ada.id]) == ada.id
    with pytest.raises(NotFoundError):
        await service.holder(UUID(int=1), serials[ada.id])


@pytest.mark.parametrize("status", [one for one in MemberStatus if one is not MemberStatus.ACTIVE])
async def test_a_member_who_is_not_active_gets_none_and_nobody_beside_him(
    shop: Shop, ada: Member, status: MemberStatus
):
    gone = await shop.enrol()
    await Member.filter(id=gone.id).update(status=status)

    with pytest.raises(MemberNotActiveError):
        await service.issue(shop.program_id, [ada.id, gone.id], now=NOON)

    assert await PassRow.all().count() == 0


async def test_an_unknown_member_gets_none_and_nobody_beside_him(shop: Shop, ada: Member):
    for program_id, members in (
        (shop.program_id, [ada.id, UUID(int=7)]),
        (UUID(int=1), [ada.id]),
    ):
        with pytest.raises(NotFoundError):
            await service.issue(program_id, members, now=NOON)

    assert await PassRow.all().count() == 0


async def test_a_new_members_card_shows_who_he_is_and_nothing_else(shop: Shop, ada: Member):
    assert await face(shop, ada) == CardFace(
        program_name="Bean Club",
        member_name="Ada Lovelace",
        member_number=ada.number,
        member_since=NOON,
        points_balance=0,
        points_unit="beans",
        time_zone="Europe/Berlin",
        locale="en",
        colours=(await face(shop, ada)).colours,
        value=ValueFace(balance=Money(0, "EUR")),
    )


@pytest.mark.parametrize(
    ("status", "void", "message"),
    [
        (MemberStatus.ACTIVE, False, None),
        (MemberStatus.SUSPENDED, False, None),
        (MemberStatus.CLOSED, True, "This membership has ended."),
        (MemberStatus.MERGED, True, "This membership has ended."),
        (MemberStatus.ERASED, True, "This membership has ended."),
    ],
)
async def test_the_card_of_who_has_left_is_void(
    shop: Shop, ada: Member, *, status: MemberStatus, void: bool, message: str | None
):
    await Member.filter(id=ada.id).update(status=status)

    face = (await service.faces(shop.program_id, [ada.id], now=NOON))[ada.id]

    assert (face.void, face.message) == (void, message)


async def test_the_programmes_colours_are_the_cards(shop: Shop, ada: Member):
    colours = (await face(shop, ada)).colours

    assert isinstance(colours, Colours)
    assert str(colours.background) == "rgb(18, 54, 42)"
    assert str(colours.foreground) == "rgb(250, 247, 238)"
    assert str(colours.label) == "rgb(228, 184, 92)"


@pytest.mark.parametrize(
    ("case", "profile", "expected"),
    [
        ("both", {"first_name": "Ada", "last_name": "Lovelace"}, "Ada Lovelace"),
        ("one", {"last_name": "Lovelace"}, "Lovelace"),
        ("none", {}, None),
    ],
)
async def test_a_member_without_a_name_is_called_by_number(
    shop: Shop, case: str, profile: dict[str, str], expected: str | None
):
    member = await shop.enrol(**profile)

    assert (await face(shop, member)).member_name == (expected or member.number)


async def test_one_point_has_its_own_word(shop: Shop, ada: Member):
    await shop.buy(ada, TEA)

    shown = await face(shop, ada)

    assert (shown.points_balance, shown.points_unit) == (1, "bean")
    assert shown.last_change == "Mar 2, 2026: +1 bean earned"


async def test_points_past_their_date_are_not_shown_though_the_expiry_has_not_run(
    shop: Shop, ada: Member
):
    await shop.buy(ada)
    last_day = datetime(2026, 9, 2, 21, 59, tzinfo=UTC)

    assert (await face(shop.at(last_day), ada)).points_balance == 108
    after = await face(shop.at(last_day + timedelta(minutes=1)), ada)
    assert (after.points_balance, after.expiring_points) == (0, 0)


async def test_what_expires_within_two_months_is_named_soonest_first(shop: Shop, ada: Member):
    await shop.buy(ada, TEA)
    await shop.later(3 * DAY).buy(ada)
    expires_at = datetime(2026, 9, 2, 22, tzinfo=UTC)

    early = await face(shop.at(expires_at - timedelta(days=60, seconds=1)), ada)
    soon = await face(shop.at(expires_at - timedelta(days=60)), ada)

    assert (early.expiring_points, early.expires_at) == (0, None)
    assert (soon.expiring_points, soon.expires_at) == (1, expires_at)


async def test_points_that_never_expire_are_not_announced(database: object):
    shop = await open_shop(program(expiry_months=None))
    ada = await shop.enrol()
    await shop.buy(ada)

    shown = await face(shop.later(3650 * DAY), ada)

    assert (shown.points_balance, shown.expiring_points, shown.expires_at) == (108, 0, None)


async def test_debt_is_shown_below_zero(database: object):
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada = await shop.enrol()
    bought = await shop.buy(ada)
    await shop.redeem(ada, 100)
    await shop.bring_back(bought, None)

    shown = await face(shop, ada)

    assert (shown.points_balance, shown.points_unit) == (-100, "beans")
    assert shown.last_change == "Mar 2, 2026: \N{MINUS SIGN}108 beans taken back for a return"


async def change(shop: Shop, ada: Member, kind: Kind | Forgiveness) -> None:
    """Make this the newest entry of a member."""
    bought = await shop.buy(ada)
    match kind:
        case Kind.REDEEM:
            await shop.redeem(ada, 40)
        case Kind.UNREDEEM:
            await shop.give_back(await shop.redeem(ada, 40))
        case Kind.REVERSE:
            await shop.bring_back(bought, {1: 3})
        case Forgiveness.FORGIVEN:
            await shop.redeem(ada, 100)
            await shop.bring_back(bought, None)
        case Kind.EXPIRE:
            await expiry.run(shop.program_id, now=NOON + 200 * DAY)
        case Kind.ADJUST:
            gift = adjustments.AdjustPoints("cli", "gift", by_id(ada), 5, "thanks")
            await adjustments.adjust(shop.program_id, gift, now=NOON)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.EARN, "Mar 2, 2026: +108 beans earned"),
        (Kind.REDEEM, "Mar 2, 2026: \N{MINUS SIGN}40 beans spent"),
        (Kind.UNREDEEM, "Mar 2, 2026: +40 beans given back"),
        (Kind.REVERSE, "Mar 2, 2026: \N{MINUS SIGN}27 beans taken back for a return"),
        (Forgiveness.FORGIVEN, "Mar 2, 2026: +100 beans forgiven"),
        (Kind.EXPIRE, "Sep 3, 2026: \N{MINUS SIGN}108 beans expired"),
        (Kind.ADJUST, "Mar 2, 2026: +5 beans adjusted by hand"),
    ],
)
async def test_the_card_says_what_changed_last(
    shop: Shop, ada: Member, kind: Kind | Forgiveness, expected: str
):
    await change(shop, ada, kind)

    assert (await face(shop, ada)).last_change == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (None, "Mar 2, 2026: \N{MINUS SIGN}40 beans set aside"),
        (Step.CONFIRM, "Mar 2, 2026: \N{MINUS SIGN}40 beans set aside before, now spent"),
        (Step.CANCEL, "Mar 2, 2026: +40 beans no longer set aside"),
    ],
)
async def test_the_card_says_what_became_of_points_set_aside(
    database: object, step: Step | None, expected: str
):
    shop = await open_shop(giving())
    ada = await shop.enrol()
    await shop.buy(ada)
    held = await shop.want(ada, hold_minutes=5)
    if step is not None:
        await shop.take(step, held)

    assert (await face(shop, ada)).last_change == expected


async def test_unknown_members_have_no_face(shop: Shop, ada: Member):
    shown = await service.faces(shop.program_id, [ada.id, UUID(int=7)], now=NOON)

    assert set(shown) == {ada.id}
    assert await service.faces(shop.program_id, [], now=NOON) == {}


@pytest.mark.usefixtures("database")
async def test_many_faces_cost_one_statement_as_does_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    many = [await shop.enrol() for _ in range(50)]
    for member in many:
        await shop.buy(member)
    hops: list[str] = []
    client = type(connection())
    for name in ("execute_query", "execute_query_dict", "run"):
        if ask := getattr(client, name, None):
            monkeypatch.setattr(client, name, _noting(ask, hops))

    await service.faces(shop.program_id, [many[0].id], now=NOON)
    hops.clear()
    await service.faces(shop.program_id, [many[0].id], now=NOON)
    for_one = len(hops)
    hops.clear()
    shown = await service.faces(shop.program_id, [one.id for one in many], now=NOON)

    assert len(shown) == 50
    assert len(hops) == for_one == 1


def _noting(ask: Any, hops: list[str]) -> Any:
    async def noting(self: object, *given: Any, **named: Any) -> Any:
        hops.append(ask.__name__)
        return await ask(self, *given, **named)

    return noting


async def test_many_who_ask_at_once_get_the_same_card(shop: Shop, ada: Member):
    done = await asyncio.gather(
        *(service.issue(shop.program_id, [ada.id], now=NOON) for _ in range(10))
    )

    row = await PassRow.get(member_id=ada.id)
    assert done == [{ada.id: row.serial}] * 10
