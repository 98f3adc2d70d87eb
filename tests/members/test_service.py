from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.identifiers import new_id
from loyalty_graph.members import reads, service
from loyalty_graph.members.models import Consent, Member
from loyalty_graph.members.rules import ConsentPurpose, Reference, ReferenceKind
from loyalty_graph.members.service import Asked, Profile
from tests.shop import NOON

PROGRAM, OTHER = new_id(NOON), new_id(NOON + timedelta(seconds=1))
DAY = timedelta(days=1)


@transaction
async def add(*profiles: Profile, program_id: UUID = PROGRAM, days: int = 0) -> Sequence[Member]:
    checked = [one.checked() for one in profiles]
    members, rows = await service.add(program_id, checked, now=NOON + days * DAY)
    await store(program_id, rows)
    return members


@transaction
async def ask(*asked: Asked, days: int = 0) -> None:
    await store(PROGRAM, [service.consents(asked, now=NOON + days * DAY)])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ReferenceKind.EMAIL, " ADA@example.com"),
        (ReferenceKind.PHONE, "+49 151 12345678"),
        (ReferenceKind.EXTERNAL_ID, " a1 "),
        (ReferenceKind.NUMBER, None),
        (ReferenceKind.ID, None),
    ],
)
async def test_a_member_is_found_by_everything_known_of_him(
    database: object, kind: ReferenceKind, text: str | None
):
    [ada] = await add(Profile("a1", "ada@example.com", "+4915112345678"))
    own = {ReferenceKind.NUMBER: f"{ada.number[:6]} {ada.number[6:]}"}.get(
        kind, str(ada.id).upper()
    )

    found = await service.find(PROGRAM, service.reference(kind, text or own))

    assert (found.id, found.email, found.number) == (ada.id, "ada@example.com", ada.number)


async def test_no_member_of_another_programme_is_found(database: object):
    [ada] = await add(Profile(email="ada@example.com"), program_id=OTHER)

    for wanted in (
        Reference(ReferenceKind.EMAIL, "ada@example.com"),
        Reference(ReferenceKind.NUMBER, ada.number),
        Reference(ReferenceKind.ID, str(ada.id)),
    ):
        with pytest.raises(NotFoundError, match=f"no member {wanted.value}"):
            await service.find(PROGRAM, wanted)


async def test_the_same_address_may_join_two_programmes(database: object):
    await add(Profile(email="ada@example.com"))

    [ada] = await add(Profile(email="ada@example.com"), program_id=OTHER)

    assert ada.email == "ada@example.com"


async def test_many_references_are_resolved_in_their_order(database: object):
    ada, bob = await add(Profile(external_id="a"), Profile(external_id="b"))
    unknown = new_id(NOON)

    found = await service.resolve(
        PROGRAM,
        [
            Reference(ReferenceKind.EXTERNAL_ID, "b"),
            Reference(ReferenceKind.EXTERNAL_ID, "c"),
            Reference(ReferenceKind.ID, str(unknown)),
            Reference(ReferenceKind.NUMBER, ada.number),
            Reference(ReferenceKind.EXTERNAL_ID, "b"),
        ],
    )

    assert found == [bob.id, None, unknown, ada.id, bob.id]


async def test_nothing_is_asked_for_ids_alone(database: object):
    ids = [Reference(ReferenceKind.ID, str(new_id(NOON)))]

    assert await service.resolve(PROGRAM, ids) == [UUID(ids[0].value)]
    assert await service.resolve(PROGRAM, []) == []


@pytest.mark.parametrize("kind", list(ReferenceKind))
def test_what_is_nothing_of_its_kind_is_refused(kind: ReferenceKind):
    with pytest.raises(InvalidInputError):
        service.reference(kind, " ")


@pytest.mark.parametrize("locale", ["", "e", "en US", "de-", "x" * 21, "de-\0"], ids=repr)
def test_what_is_no_locale_is_refused(locale: str):
    with pytest.raises(InvalidInputError, match="no locale; use one such as de-DE"):
        Profile(locale=locale).checked()


def test_names_may_hold_joiners_but_no_control_characters():
    assert Profile(first_name=" علی‌رضا ").checked().first_name == "علی‌رضا"
    with pytest.raises(InvalidInputError) as refusal:
        Profile(last_name="Love\x1blace").checked()
    assert refusal.value.field == "lastName"


async def test_the_newest_answer_to_each_question_counts(database: object):
    ada, bob = await add(Profile(), Profile())
    await ask(
        Asked(ada.id, ConsentPurpose.TERMS, granted=True, source="till"),
        Asked(ada.id, ConsentPurpose.LOCATION, granted=True, source="app"),
    )
    await ask(Asked(ada.id, ConsentPurpose.LOCATION, granted=False, source="app"), days=1)

    found = await reads.consents(PROGRAM, [ada.id, bob.id])

    assert {(one.purpose, one.granted) for one in found[ada.id]} == {
        ("TERMS", True),
        ("LOCATION", False),
    }
    assert found[bob.id] == []
    assert await Consent.all().count() == 3


async def test_members_are_read_by_id_and_page_by_page(database: object):
    ids = [(await add(Profile(), days=day))[0].id for day in range(5)]
    await add(Profile(), program_id=OTHER)

    assert await reads.count(PROGRAM) == 5
    found = await reads.members(PROGRAM, [ids[3], new_id(NOON), ids[1]])
    assert set(found) == {ids[1], ids[3]}
    first = await reads.page(PROGRAM, first=2, after=None)
    second = await reads.page(PROGRAM, first=10, after=first[-1].id)
    assert [row.id for row in (*first, *second)] == ids


async def test_adding_members_needs_a_transaction(database: object):
    with pytest.raises(AssertionError, match="inside a transaction only"):
        await service.add(PROGRAM, [Profile()], now=NOON)
