"""Links to the card page: opaque, several for each member, and gone as soon as they are revoked.

The database holds a token's hash. The token itself is worked out again from the link's id and the
server's key when it must be shown, so a copy of the database opens no card.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Insert, Lookup, fetch
from loyalty_graph.errors import NotFoundError
from loyalty_graph.wallet.models import CardLinkRow

TOKEN_BYTES = 24
LINKS_MAX = 20
"""How many links of one member work at a time."""

_SHOWN = ("id", "token_sha256", "created_at", "revoked_at")


@dataclass(frozen=True, slots=True)
class CardLink:
    """A member's link. It works while `revoked_at` is None."""

    program_id: UUID
    member_id: UUID
    id: UUID
    token_sha256: str
    created_at: datetime
    revoked_at: datetime | None

    def token(self, key: bytes) -> str | None:
        """Return the token, or None when the link was made with another key than this one."""
        token = token_of(self.program_id, self.id, key=key)
        return token if hmac.compare_digest(_hash_of(token), self.token_sha256) else None


def token_of(program_id: UUID, link_id: UUID, *, key: bytes) -> str:
    """Return a link's token: 192 bits that only the key's holder can work out."""
    # The purpose comes first, so that nothing else signed with this key can be a token.
    text = f"card-link/{program_id}/{link_id}".encode()
    mac = hmac.digest(key, text, hashlib.sha256)
    return base64.urlsafe_b64encode(mac[:TOKEN_BYTES]).decode()


def opened(link: CardLink) -> Insert:
    """Return the write that makes a link work."""
    columns = ("member_id", *_SHOWN)
    row = (link.member_id, link.id, link.token_sha256, link.created_at, link.revoked_at)
    return Insert(CardLinkRow, columns, [row])


def new_link(
    program_id: UUID, member_id: UUID, link_id: UUID, *, key: bytes, now: datetime
) -> CardLink:
    """Return a link that works from now on, once it is stored."""
    token = token_of(program_id, link_id, key=key)
    return CardLink(program_id, member_id, link_id, _hash_of(token), now, None)


async def find(token: str) -> CardLink:
    """Return the link a token opens.

    Raises:
        NotFoundError: There is no such link, or it was revoked; nobody is told which.
    """
    row = await CardLinkRow.get_or_none(token_sha256=_hash_of(token), revoked_at__isnull=True)
    if row is None:
        raise NotFoundError("card link", "like this")
    return _link(row)


async def links(
    program_id: UUID, keys: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], CardLink]:
    """Return the links with these (member id, link id) keys; unknown ones are absent."""
    [found] = await fetch(program_id, Lookup(CardLinkRow, ("member_id", "id"), keys, _SHOWN))
    return {
        key: CardLink(program_id, key[0], *rows[0])
        for key, rows in zip(keys, found, strict=True)
        if rows
    }


async def working(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, list[CardLink]]:
    """Return each member's links that work, newest first."""
    keys = [(one,) for one in member_ids]
    lookup = Lookup(
        CardLinkRow,
        ("member_id",),
        keys,
        _SHOWN,
        where="revoked_at IS NULL",
        order_by="created_at DESC, id DESC",
    )
    [found] = await fetch(program_id, lookup)
    return {
        member_id: [CardLink(program_id, member_id, *row) for row in rows]
        for member_id, rows in zip(member_ids, found, strict=True)
    }


async def revoke(
    program_id: UUID, member_id: UUID, link_id: UUID, *, now: datetime
) -> tuple[CardLink, bool]:
    """Stop a link from working, from now on; say whether it worked until now.

    One revoked before keeps its moment.

    Raises:
        NotFoundError: The member has no such link.
    """
    of_link = CardLinkRow.filter(program_id=program_id, member_id=member_id, id=link_id)
    stopped = await of_link.filter(revoked_at__isnull=True).update(revoked_at=now)
    row = await of_link.get_or_none()
    if row is None:
        raise NotFoundError("card link", link_id, field="linkId")
    return _link(row), bool(stopped)


async def revoke_all(program_id: UUID, member_id: UUID, *, now: datetime) -> None:
    """Stop every link of a member from working, from now on."""
    of_member = CardLinkRow.filter(program_id=program_id, member_id=member_id)
    await of_member.filter(revoked_at__isnull=True).update(revoked_at=now)


def _link(row: CardLinkRow) -> CardLink:
    return CardLink(
        row.program_id, row.member_id, row.id, row.token_sha256, row.created_at, row.revoked_at
    )


def _hash_of(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
