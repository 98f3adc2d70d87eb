"""Changing what is known of a member: the row and the directory move together."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Insert, Update, Write
from loyalty_graph.errors import MemberExistsError, MemberNotActiveError
from loyalty_graph.members.models import Member, MemberReference
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.members.service import Profile, find, resolve

GONE = {MemberStatus.MERGED, MemberStatus.ERASED}
_DIRECTORY = {
    "external_id": ReferenceKind.EXTERNAL_ID,
    "email": ReferenceKind.EMAIL,
    "phone": ReferenceKind.PHONE,
}


async def lock(program_id: UUID, wanted: Reference) -> Member:
    """Return a member whom nobody else changes until the transaction ends.

    Raises:
        NotFoundError: No such member.
        MemberNotActiveError: He is merged or erased: nothing may be written of him any more.
    """
    assert_in_transaction()
    found = await find(program_id, wanted)
    member = await Member.filter(program_id=program_id, id=found.id).select_for_update().get()
    if member.status in GONE:
        raise MemberNotActiveError(member.id, member.status)
    return member


async def change(member: Member, changes: Mapping[str, Any]) -> tuple[list[str], list[Write]]:
    """Give a locked member these values of a profile, and return what differs and what stores it.

    `changes` holds the names of a profile's fields; None forgets what was known. What a member was
    found by is taken out of the directory at once.

    Raises:
        InvalidInputError: A value cannot be used.
        MemberExistsError: An e-mail, phone number or external id belongs to another member.
    """
    checked = Profile(**changes).checked()
    wanted = {name: getattr(checked, name) for name in changes}
    changed = {name: new for name, new in wanted.items() if new != getattr(member, name)}
    if not changed:
        return [], []
    kinds = {name: kind for name, kind in _DIRECTORY.items() if name in changed}
    found_by = [Reference(kind, changed[name]) for name, kind in kinds.items() if changed[name]]
    owners = await resolve(member.program_id, found_by)
    for one, owner in zip(found_by, owners, strict=True):
        if owner not in {None, member.id}:
            raise MemberExistsError(one.kind)
    for name, kind in kinds.items():
        await MemberReference.filter(
            program_id=member.program_id, kind=kind, value=getattr(member, name) or ""
        ).delete()
    member.update_from_dict(changed)
    # What found somebody who lives on as this member finds this member already.
    rows = [
        (one.kind, one.value, member.id)
        for one, owner in zip(found_by, owners, strict=True)
        if owner is None
    ]
    return list(changed), [
        Update(Member, ("id",), tuple(changed), [(member.id, *changed.values())]),
        Insert(MemberReference, ("kind", "value", "member_id"), rows),
    ]
