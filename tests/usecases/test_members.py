import asyncio
from datetime import date

import pytest

from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    MemberExistsError,
)
from loyalty_graph.ledger.chain import genesis
from loyalty_graph.ledger.models import AccountRow
from loyalty_graph.members import reads
from loyalty_graph.members.models import Consent, Member, MemberReference
from loyalty_graph.members.rules import ConsentPurpose
from loyalty_graph.members.service import Profile
from loyalty_graph.outbox import FactRow
from loyalty_graph.usecases.members import Enrolment, enrol, enrol_once
from tests.shop import NOON, Shop

TABLES = (AccountRow, Consent, FactRow, Member, MemberReference)


async def rows() -> list[object]:
    return [sorted(map(str, await table.all().values_list())) for table in TABLES]


async def test_a_new_member_has_a_number_an_empty_account_and_a_fact(shop: Shop):
    member = await shop.enrol(first_name=" Ada ", last_name="  ", birthday=date(1990, 12, 10))

    stored = await Member.get(id=member.id)
    assert (stored.first_name, stored.last_name) == ("Ada", None)
    assert (stored.birthday, stored.status, stored.locale) == (date(1990, 12, 10), "ACTIVE", "en")
    assert stored.enrolled_at == NOON
    account = await AccountRow.get(member_id=member.id)
    assert (account.balance_points, account.sequence, account.status) == (0, 0, "ACTIVE")
    assert bytes(account.head) == genesis(shop.program_id, member.id)
    fact = await FactRow.get(kind="member.enrolled")
    assert (fact.member_id, fact.at, fact.payload) == (member.id, NOON, {})


async def test_what_a_member_allowed_on_joining_is_kept(shop: Shop):
    wanted = (ConsentPurpose.TERMS, ConsentPurpose.MARKETING_PUSH)

    [member] = await enrol(shop.program_id, [Enrolment(Profile(), wanted, source="till")], now=NOON)

    kept = (await reads.consents(shop.program_id, [member.id]))[member.id]
    assert {(one.purpose, one.granted, one.source) for one in kept} == {
        ("TERMS", True, "till"),
        ("MARKETING_PUSH", True, "till"),
    }


@pytest.mark.parametrize(
    ("case", "profile", "error", "message"),
    [
        ("e-mail", Profile(email="ADA@example.com"), MemberExistsError, "This email belongs"),
        ("phone", Profile(phone="+49 151 12345678"), MemberExistsError, "This phone belongs"),
        ("external id", Profile(external_id=" a1 "), MemberExistsError, "This external id belongs"),
        ("no e-mail", Profile(email="ada@"), InvalidInputError, "no e-mail address"),
        ("no phone", Profile(phone="0151 12345678"), InvalidInputError, "international form"),
        ("short phone", Profile(phone="+491"), InvalidInputError, "no phone number"),
        ("no external id", Profile(external_id=" "), InvalidInputError, "1 to 100 characters"),
        ("NUL in it", Profile(external_id="a\0"), InvalidInputError, "1 to 100 characters"),
        ("long name", Profile(first_name="x" * 101), InvalidInputError, "At most 100"),
        ("NUL in a name", Profile(last_name="x\0"), InvalidInputError, "none of them control"),
        ("no locale", Profile(locale="x" * 21), InvalidInputError, "no locale"),
    ],
)
async def test_a_refused_enrolment_changes_nothing_for_anybody(
    shop: Shop,
    ada: Member,
    case: str,
    profile: Profile,
    error: type[LoyaltyError],
    message: str,
):
    await shop.enrol(external_id="a1", phone="+4915112345678")
    before = await rows()

    with pytest.raises(error, match=message):
        await enrol(shop.program_id, [Enrolment(Profile()), Enrolment(profile)], now=NOON)

    assert await rows() == before


async def test_two_in_one_batch_cannot_share_an_address(shop: Shop):
    both = [Enrolment(Profile(email="bob@example.com"))] * 2
    before = await rows()

    with pytest.raises(MemberExistsError):
        await enrol(shop.program_id, both, now=NOON)

    assert await rows() == before


async def test_a_batch_is_enrolled_in_its_order(shop: Shop):
    wanted = [Enrolment(Profile(external_id=str(number))) for number in range(20)]

    members = await enrol(shop.program_id, wanted, now=NOON)

    assert [one.external_id for one in members] == [str(number) for number in range(20)]
    assert await AccountRow.all().count() == 20


async def test_an_enrolment_with_a_key_counts_once(shop: Shop):
    wanted = Enrolment(Profile(email="bob@example.com", birthday=date(1990, 12, 10)))
    claim = wanted.claim("partner:till", "join-1")

    first, was_replayed = await enrol_once(shop.program_id, claim, wanted, now=NOON)
    again, is_replayed = await enrol_once(shop.program_id, claim, wanted, now=NOON)

    assert (again.id, was_replayed, is_replayed) == (first.id, False, True)
    assert await Member.all().count() == 1


async def test_many_retries_at_once_enrol_one_member(shop: Shop):
    wanted = Enrolment(Profile(email="bob@example.com"))
    claim = wanted.claim("partner:till", "join-1")

    done = await asyncio.gather(
        *(enrol_once(shop.program_id, claim, wanted, now=NOON) for _ in range(20))
    )

    assert len({member.id for member, _ in done}) == 1
    assert sorted(replayed for _, replayed in done) == [False, *[True] * 19]
    assert await Member.all().count() == 1


async def test_the_key_of_another_enrolment_is_refused(shop: Shop):
    wanted = Enrolment(Profile(email="bob@example.com"))
    other = Enrolment(Profile(email="cleo@example.com"))
    await enrol_once(shop.program_id, wanted.claim("partner:till", "k"), wanted, now=NOON)
    before = await rows()

    with pytest.raises(IdempotencyMismatchError):
        await enrol_once(shop.program_id, other.claim("partner:till", "k"), other, now=NOON)

    assert await rows() == before


async def test_a_taken_address_is_refused_with_a_fresh_key_too(shop: Shop, ada: Member):
    wanted = Enrolment(Profile(email="ada@example.com"))
    before = await rows()

    with pytest.raises(MemberExistsError):
        await enrol_once(shop.program_id, wanted.claim("partner:till", "k"), wanted, now=NOON)

    assert await rows() == before
