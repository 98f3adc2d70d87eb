import asyncio
from datetime import date
from typing import Any

import pytest

from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    MemberExistsError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.ledger.models import AccountRow, TransferRow
from loyalty_graph.members import reads, service
from loyalty_graph.members.models import Consent, Member, MemberReference
from loyalty_graph.members.rules import ConsentPurpose, MemberStatus, Reference, ReferenceKind
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.usecases import membership, proof
from tests.shop import DAY, NOON, Shop, by_id, open_shop, program

TABLES = (
    AccountRow,
    CardMark,
    Consent,
    FactRow,
    IdempotencyRow,
    Member,
    MemberReference,
    TransferRow,
)
NOBODY = Reference(ReferenceKind.EXTERNAL_ID, "nobody")


async def rows() -> list[object]:
    return [sorted(map(str, await table.all().values_list())) for table in TABLES]


async def update(shop: Shop, member: Member, /, **changes: Any) -> Member:
    return await membership.update(shop.program_id, by_id(member), changes, now=NOON)


async def close(
    shop: Shop, member: Member, key: str = "close-1", caller: str = "partner:till"
) -> membership.MemberClosed:
    command = membership.CloseMember(caller, key, by_id(member))
    return await membership.close(shop.program_id, command, now=shop.now)


async def directory(member: Member) -> dict[str, str]:
    found = await MemberReference.filter(member_id=member.id)
    return {row.kind: row.value for row in found if row.kind != "NUMBER"}


async def test_what_is_named_changes_and_the_rest_stays(shop: Shop, ada: Member):
    changed = await update(shop, ada, first_name=" Augusta ", birthday=date(1815, 12, 10))

    stored = await Member.get(id=ada.id)
    for member in (changed, stored):
        assert (member.first_name, member.last_name) == ("Augusta", "Lovelace")
        assert (member.birthday, member.email) == (date(1815, 12, 10), "ada@example.com")
    fact = await FactRow.get(kind="member.updated")
    assert (fact.member_id, fact.payload) == (ada.id, {"changed": ["first_name", "birthday"]})
    assert await CardMark.filter(member_id=ada.id).count() == 1


async def test_a_new_address_finds_the_member_and_the_old_one_is_free(shop: Shop, ada: Member):
    await update(shop, ada, email="Countess@Example.com", phone="+49 151 12345678")

    bob = await shop.enrol(email="ada@example.com")

    assert await directory(ada) == {"EMAIL": "countess@example.com", "PHONE": "+4915112345678"}
    assert await directory(bob) == {"EMAIL": "ada@example.com"}


async def test_null_forgets_what_was_known(shop: Shop):
    ada = await shop.enrol(external_id="a1", email="ada@example.com", first_name="Ada")

    changed = await update(shop, ada, external_id=None, email=None, first_name=None)

    assert (changed.external_id, changed.email, changed.first_name) == (None, None, None)
    assert await directory(ada) == {}


async def test_a_change_that_changes_nothing_writes_nothing(shop: Shop, ada: Member):
    before = await rows()

    await update(shop, ada, email="ADA@example.com", first_name="Ada ", phone=None)
    await update(shop, ada)

    assert await rows() == before


@pytest.mark.parametrize(
    ("case", "changes", "error", "field"),
    [
        ("e-mail", {"email": "bob@example.com"}, MemberExistsError, "email"),
        ("phone", {"phone": "+49 151 12345678"}, MemberExistsError, "phone"),
        ("external id", {"external_id": "b1 "}, MemberExistsError, "externalId"),
        ("no e-mail", {"email": "bob@"}, InvalidInputError, "email"),
        ("no locale", {"locale": "x"}, InvalidInputError, "locale"),
        ("a good one beside it", {"first_name": "A", "phone": "1"}, InvalidInputError, "phone"),
    ],
)
async def test_a_refused_change_changes_nothing(
    shop: Shop,
    ada: Member,
    *,
    case: str,
    changes: dict[str, Any],
    error: type[LoyaltyError],
    field: str,
):
    await shop.enrol(email="bob@example.com", phone="+4915112345678", external_id="b1")
    before = await rows()

    with pytest.raises(error) as refusal:
        await update(shop, ada, **changes)

    assert refusal.value.field == field
    assert await rows() == before


async def test_changes_at_once_lose_nothing(shop: Shop, ada: Member):
    await asyncio.gather(
        update(shop, ada, first_name="Augusta"),
        update(shop, ada, last_name="King"),
        update(shop, ada, email="countess@example.com"),
        update(shop, ada, locale="en-GB"),
    )

    stored = await Member.get(id=ada.id)
    assert (stored.first_name, stored.last_name) == ("Augusta", "King")
    assert (stored.email, stored.locale) == ("countess@example.com", "en-GB")
    assert await directory(ada) == {"EMAIL": "countess@example.com"}


async def test_of_many_who_want_one_address_one_gets_it(shop: Shop):
    members = [await shop.enrol() for _ in range(5)]

    done = await asyncio.gather(
        *(update(shop, one, email="same@example.com") for one in members), return_exceptions=True
    )

    refused = [one for one in done if isinstance(one, MemberExistsError)]
    assert (len(refused), len(done)) == (4, 5)
    assert await MemberReference.filter(kind="EMAIL").count() == 1
    assert await Member.filter(email="same@example.com").count() == 1


@pytest.mark.parametrize("status", [MemberStatus.MERGED, MemberStatus.ERASED])
async def test_nothing_is_written_of_who_is_gone(shop: Shop, ada: Member, status: MemberStatus):
    await Member.filter(id=ada.id).update(status=status)
    before = await rows()

    with pytest.raises(MemberNotActiveError, match=status.lower()):
        await update(shop, ada, first_name="Augusta")
    with pytest.raises(MemberNotActiveError, match=status.lower()):
        await consent(shop, ada, TERMS=True)

    assert await rows() == before


async def test_nobody_is_not_found(shop: Shop):
    command = membership.CloseMember("partner:till", "k", NOBODY)
    before = await rows()

    with pytest.raises(NotFoundError):
        await membership.update(shop.program_id, NOBODY, {"first_name": "x"}, now=NOON)
    with pytest.raises(NotFoundError):
        await membership.close(shop.program_id, command, now=NOON)

    assert await rows() == before


async def consent(shop: Shop, member: Member, /, **answers: bool) -> Member:
    asked = {ConsentPurpose(purpose): granted for purpose, granted in answers.items()}
    return await membership.set_consents(
        shop.program_id, by_id(member), asked, source="app", now=shop.now
    )


async def test_the_newest_answer_counts_and_every_answer_is_kept(shop: Shop, ada: Member):
    await consent(shop, ada, TERMS=True, LOCATION=True)

    await consent(shop.later(DAY), ada, TERMS=True, LOCATION=False)

    newest = (await reads.consents(shop.program_id, [ada.id]))[ada.id]
    assert {(one.purpose, one.granted, one.at) for one in newest} == {
        ("TERMS", True, NOON + DAY),
        ("LOCATION", False, NOON + DAY),
    }
    assert await Consent.filter(member_id=ada.id).count() == 4
    facts = await FactRow.filter(kind="consent.changed").order_by("at")
    assert [fact.payload for fact in facts] == [
        {"granted": {"TERMS": True, "LOCATION": True}},
        {"granted": {"LOCATION": False}},
    ]


async def test_an_answer_given_before_is_kept_but_is_no_change(shop: Shop, ada: Member):
    await consent(shop, ada, TERMS=True)

    await consent(shop.later(DAY), ada, TERMS=True)

    assert await Consent.all().count() == 2
    assert await FactRow.filter(kind="consent.changed").count() == 1


async def test_consents_are_never_changed_or_removed(shop: Shop, ada: Member):
    await consent(shop, ada, TERMS=True)

    with pytest.raises(Exception, match="append"):
        await Consent.all().update(granted=False)
    with pytest.raises(Exception, match="append"):
        await Consent.all().delete()

    assert await Consent.filter(granted=True).count() == 1


async def test_who_leaves_forfeits_the_points_by_an_entry(shop: Shop, ada: Member):
    await shop.buy(ada)
    await shop.later(DAY).buy(ada)

    done = await close(shop.later(2 * DAY), ada)

    assert (done.member_id, done.forfeited_points, done.replayed) == (ada.id, 216, False)
    account = await AccountRow.get(member_id=ada.id)
    assert (account.balance_points, account.status) == (0, "CLOSED")
    assert (await Member.get(id=ada.id)).status == "CLOSED"
    entry = await TransferRow.get(member_id=ada.id, kind="EXPIRE")
    assert (entry.points, entry.balance_after, entry.actor) == (216, 0, "partner:till")
    fact = await FactRow.get(kind="member.closed")
    assert fact.payload == {"entry": 3, "from": "ACTIVE", "forfeited": 216, "balance": 0}
    assert await CardMark.filter(member_id=ada.id).count() == 1
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []


async def test_closing_finds_more_lots_than_are_loaded_at_once(shop: Shop, ada: Member):
    for _ in range(65):
        await shop.buy(ada)

    done = await close(shop, ada)

    assert done.forfeited_points == 65 * 108
    assert await shop.balance(ada) == 0


async def test_points_past_their_date_expire_before_the_rest_is_forfeited(shop: Shop, ada: Member):
    await shop.buy(ada)
    later = shop.later(200 * DAY)
    await later.buy(ada)

    done = await close(later, ada)

    assert done.forfeited_points == 108
    entries = await TransferRow.filter(kind="EXPIRE").order_by("sequence")
    assert [entry.points for entry in entries] == [108, 108]
    assert entries[0].at < entries[1].at == later.now


async def test_who_has_nothing_leaves_without_an_entry(shop: Shop, ada: Member):
    done = await close(shop, ada)

    assert done.forfeited_points == 0
    assert await TransferRow.all().count() == 0
    assert await CardMark.filter(member_id=ada.id).count() == 1


async def test_debt_stays_on_the_books(database: object):
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada = await shop.enrol()
    bought = await shop.buy(ada)
    await shop.redeem(ada, 100)
    await shop.bring_back(bought, None)

    done = await close(shop, ada)

    assert done.forfeited_points == 0
    assert await shop.balance(ada) == -100


async def test_closing_again_changes_nothing(shop: Shop, ada: Member):
    await shop.buy(ada)
    first = await close(shop, ada)
    before = await rows()

    retry = await close(shop, ada)
    assert await rows() == before
    again = await close(shop, ada, key="close-2")

    assert (retry.forfeited_points, retry.replayed) == (first.forfeited_points, True)
    assert (again.forfeited_points, again.replayed) == (0, False)
    assert await FactRow.filter(kind="member.closed").count() == 1
    assert await TransferRow.filter(kind="EXPIRE").count() == 1


async def test_many_closings_at_once_are_one(shop: Shop, ada: Member):
    await shop.buy(ada)

    done = await asyncio.gather(*(close(shop, ada) for _ in range(10)))

    assert {one.forfeited_points for one in done} == {108}
    assert sorted(one.replayed for one in done) == [False, *[True] * 9]
    assert await TransferRow.filter(kind="EXPIRE").count() == 1


async def test_the_key_that_closed_one_member_closes_no_other(shop: Shop, ada: Member):
    bob = await shop.enrol()
    await close(shop, ada)
    before = await rows()

    with pytest.raises(IdempotencyMismatchError):
        await close(shop, bob)

    assert await rows() == before


async def test_a_closed_member_neither_earns_nor_spends(shop: Shop, ada: Member):
    await shop.buy(ada)
    await close(shop, ada)

    with pytest.raises(MemberNotActiveError, match="closed"):
        await shop.buy(ada)
    with pytest.raises(MemberNotActiveError, match="closed"):
        await shop.redeem(ada, 1)

    assert await shop.balance(ada) == 0


async def test_closed_is_for_good(shop: Shop, ada: Member):
    from loyalty_graph.usecases import members

    await close(shop, ada)

    with pytest.raises(InvalidInputError, match="CLOSED may become nothing else, not ACTIVE"):
        await members.set_status(shop.program_id, by_id(ada), MemberStatus.ACTIVE, now=NOON)

    assert (await AccountRow.get(member_id=ada.id)).status == MemberStatus.CLOSED


async def test_goods_may_come_back_from_a_closed_member(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await close(shop, ada)

    refund = await shop.bring_back(bought, None)

    assert (refund.clawed_back_points, await shop.balance(ada)) == (0, 0)


async def test_who_left_can_join_anew_with_an_address_that_was_removed(shop: Shop, ada: Member):
    await close(shop, ada)
    with pytest.raises(MemberExistsError):
        await shop.enrol(email="ada@example.com")

    await update(shop, ada, email=None)
    back = await shop.enrol(email="ada@example.com")

    found = await service.find(
        shop.program_id, service.reference(ReferenceKind.EMAIL, "ada@example.com")
    )
    assert found.id == back.id
