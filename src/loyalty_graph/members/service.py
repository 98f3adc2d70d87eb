"""Adding members, finding them, and keeping what they allowed."""

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from unicodedata import category
from uuid import UUID

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Insert, Lookup, Update, Write, fetch
from loyalty_graph.errors import InvalidInputError, MemberExistsError, NotFoundError, shown
from loyalty_graph.identifiers import new_id
from loyalty_graph.members.models import Consent, Member, MemberReference
from loyalty_graph.members.rules import (
    ConsentPurpose,
    MemberStatus,
    Reference,
    ReferenceKind,
    member_number,
    one_email,
    one_external_id,
    one_member_number,
    one_phone,
)

NUMBER_SEEDS = 10**10
NAME_LENGTH_MAX = 100
CONTROL = {"Cc", "Cs"}
LOCALE = re.compile(r"(?=.{2,20}$)[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a new member; everything may be missing."""

    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    birthday: date | None = None
    locale: str = "en"

    def checked(self) -> "Profile":
        """Return the profile in its one spelling.

        Raises:
            InvalidInputError: A field cannot be used.
        """
        return Profile(
            external_id=None if self.external_id is None else one_external_id(self.external_id),
            email=None if self.email is None else one_email(self.email),
            phone=None if self.phone is None else one_phone(self.phone),
            first_name=_name(self.first_name, "firstName"),
            last_name=_name(self.last_name, "lastName"),
            birthday=self.birthday,
            locale=_locale(self.locale),
        )

    def references(self) -> list[Reference]:
        """Return what this member can be found by."""
        known = (
            (ReferenceKind.EXTERNAL_ID, self.external_id),
            (ReferenceKind.EMAIL, self.email),
            (ReferenceKind.PHONE, self.phone),
        )
        return [Reference(kind, value) for kind, value in known if value is not None]


def _name(text: str | None, field: str) -> str | None:
    value = (text or "").strip()
    if len(value) > NAME_LENGTH_MAX or any(category(one) in CONTROL for one in value):
        raise InvalidInputError(
            f"At most {NAME_LENGTH_MAX} characters, none of them control characters.", field=field
        )
    return value or None


def _locale(text: str) -> str:
    if LOCALE.fullmatch(text) is None:
        raise InvalidInputError(f"{text!r} is no locale; use one such as de-DE.", field="locale")
    return text


def reference(kind: ReferenceKind, text: str) -> Reference:
    """Return a caller's reference in its one spelling.

    Raises:
        InvalidInputError: The text is nothing of that kind.
    """
    spell = {
        ReferenceKind.ID: _one_id,
        ReferenceKind.NUMBER: one_member_number,
        ReferenceKind.EMAIL: one_email,
        ReferenceKind.PHONE: one_phone,
        ReferenceKind.EXTERNAL_ID: one_external_id,
    }[kind]
    return Reference(kind, spell(text))


def _one_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise InvalidInputError(f"{shown(text)} is no member id.", field="member") from error


async def resolve(program_id: UUID, references: Sequence[Reference]) -> list[UUID | None]:
    """Return the member each reference finds, or None; an id is returned unchecked."""
    keys = [(one.kind, one.value) for one in references if one.kind is not ReferenceKind.ID]
    found: dict[tuple[str, str], UUID] = {}
    if keys:
        [rows] = await fetch(
            program_id, Lookup(MemberReference, ("kind", "value"), keys, ("member_id",))
        )
        found = {key: hits[0][0] for key, hits in zip(keys, rows, strict=True) if hits}
    return [
        UUID(one.value) if one.kind is ReferenceKind.ID else found.get((one.kind, one.value))
        for one in references
    ]


async def find(program_id: UUID, wanted: Reference) -> Member:
    """Return the member a reference finds.

    Raises:
        NotFoundError: No such member.
    """
    [member_id] = await resolve(program_id, [wanted])
    member = None
    if member_id is not None:
        member = await Member.get_or_none(program_id=program_id, id=member_id)
    if member is None:
        raise NotFoundError("member", wanted.value, field="member")
    return member


_MEMBER = (
    "id",
    "number",
    "status",
    "external_id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "birthday",
    "locale",
    "enrolled_at",
)


async def add(
    program_id: UUID, profiles: Sequence[Profile], *, now: datetime
) -> tuple[list[Member], list[Write]]:
    """Return new members with these checked profiles, and the writes that store them.

    Raises:
        MemberExistsError: A profile's e-mail, phone or external id belongs to a member already.
    """
    assert_in_transaction()
    wanted = [one for profile in profiles for one in profile.references()]
    times = Counter(wanted)
    for one, owner in zip(wanted, await resolve(program_id, wanted), strict=True):
        if owner is not None or times[one] > 1:
            raise MemberExistsError(one.kind)
    members = [_new_member(program_id, profile, now) for profile in profiles]
    directory = [
        (one.kind, one.value, member.id)
        for member, profile in zip(members, profiles, strict=True)
        for one in (Reference(ReferenceKind.NUMBER, member.number), *profile.references())
    ]
    rows = [tuple(getattr(member, column) for column in _MEMBER) for member in members]
    return members, [
        Insert(Member, _MEMBER, rows),
        Insert(MemberReference, ("kind", "value", "member_id"), directory),
    ]


def _new_member(program_id: UUID, profile: Profile, now: datetime) -> Member:
    return Member(
        id=new_id(now),
        program_id=program_id,
        number=member_number(secrets.randbelow(NUMBER_SEEDS)),
        status=MemberStatus.ACTIVE,
        external_id=profile.external_id,
        email=profile.email,
        phone=profile.phone,
        first_name=profile.first_name,
        last_name=profile.last_name,
        birthday=profile.birthday,
        locale=profile.locale,
        enrolled_at=now,
    )


def set_status(member_id: UUID, status: MemberStatus) -> Update:
    """Return the write that gives a member another status."""
    return Update(Member, ("id",), ("status",), [(member_id, status)])


@dataclass(frozen=True, slots=True)
class Asked:
    """What a member allowed or refused, and where he was asked."""

    member_id: UUID
    purpose: ConsentPurpose
    granted: bool
    source: str


def consents(asked: Sequence[Asked], *, now: datetime) -> Insert:
    """Return the write that keeps what members allowed or refused."""
    columns = ("id", "member_id", "purpose", "granted", "at", "source")
    rows = [
        (new_id(now), one.member_id, one.purpose, one.granted, now, one.source) for one in asked
    ]
    return Insert(Consent, columns, rows)
