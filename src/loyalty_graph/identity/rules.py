"""What a token looks like, what a viewer may do: pure, without storage or clock."""

import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.errors import (
    ForbiddenError,
    InvalidInputError,
    UnauthenticatedError,
    WrongStoreError,
)

TOKEN_RANDOM_BYTES = 32
TOKEN_RANDOM_CHARACTERS = 32
TOKEN_CHECKSUM_CHARACTERS = 6
TOKEN_PATTERN = re.compile(r"(lg_(live|test)_)([0-9A-Za-z]{32})([0-9A-Za-z]{6})", re.ASCII)
TOKEN_LAST_CHARACTERS = 4
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Scope(StrEnum):
    """What a caller may do; `admin` includes every other scope."""

    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    PURCHASES_WRITE = "purchases:write"
    POINTS_ADJUST = "points:adjust"
    POINTS_APPROVE = "points:approve"
    REWARDS_REDEEM = "rewards:redeem"
    PASSES_ISSUE = "passes:issue"
    WEBHOOKS_MANAGE = "webhooks:manage"
    PROGRAM_WRITE = "program:write"
    AUDIT_READ = "audit:read"
    ADMIN = "admin"


class TokenMode(StrEnum):
    """Whether a token works in real programmes or in sandboxes only."""

    LIVE = "live"
    TEST = "test"

    @property
    def prefix(self) -> str:
        """What a token of this mode begins with; secret scanners look for it."""
        return f"lg_{self.value}_"


class ViewerKind(StrEnum):
    """What kind of caller is asking."""

    NOBODY = "NOBODY"
    MEMBER = "MEMBER"
    PARTNER = "PARTNER"
    STAFF = "STAFF"


class Role(StrEnum):
    """What a staff user is there for."""

    OWNER = "OWNER"
    MANAGER = "MANAGER"
    AGENT = "AGENT"
    AUDITOR = "AUDITOR"

    @property
    def scopes(self) -> "frozenset[Scope]":
        """What the role may do: an agent serves members, a manager also approves what agents do."""
        serving = {
            Scope.MEMBERS_READ,
            Scope.MEMBERS_WRITE,
            Scope.PURCHASES_WRITE,
            Scope.POINTS_ADJUST,
            Scope.REWARDS_REDEEM,
            Scope.PASSES_ISSUE,
        }
        may = {
            Role.OWNER: {Scope.ADMIN},
            Role.MANAGER: {*serving, Scope.POINTS_APPROVE, Scope.PROGRAM_WRITE, Scope.AUDIT_READ},
            Role.AGENT: serving,
            Role.AUDITOR: {Scope.MEMBERS_READ, Scope.AUDIT_READ},
        }
        return frozenset(may[self])


class Issuer(NamedTuple):
    """A partner whose calls issue no more than so many points in a day."""

    partner_id: UUID
    daily_points: int


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking, and what they may do.

    Attributes:
        kind: Which of the ids below says who it is.
        program_id: The only programme they may ask about.
        partner_id: The partner.
        member_id: The member; he sees what is his, without scopes.
        staff_id: The staff user.
        token_id: The API token that was sent.
        scopes: What partners and staff may do.
        store: The only store they may act for; any, if not given.
        expires_at: When what they sent stops working; never, if not given.
        daily_points: How many points their calls may issue in a day; any, if not given.
    """

    kind: ViewerKind
    program_id: UUID | None = None
    partner_id: UUID | None = None
    member_id: UUID | None = None
    staff_id: UUID | None = None
    token_id: UUID | None = None
    scopes: frozenset[Scope] = field(default_factory=frozenset)
    store: str | None = None
    expires_at: datetime | None = None
    daily_points: int | None = None

    @property
    def issuer(self) -> Issuer | None:
        """Whose daily cap limits what is issued; None without one."""
        if self.partner_id is None or self.daily_points is None:
            return None
        return Issuer(self.partner_id, self.daily_points)

    @property
    def caller(self) -> str:
        """Whose idempotency keys these are: the partner's, whichever of its tokens is used."""
        owner = {
            ViewerKind.MEMBER: self.member_id,
            ViewerKind.PARTNER: self.partner_id,
            ViewerKind.STAFF: self.staff_id,
        }[self.kind]
        return f"{self.kind.lower()}:{owner}"

    def acting_store(self, store: str | None) -> str | None:
        """Return the store a command is for: the one given, or the only one that is allowed.

        Raises:
            WrongStoreError: another one is given than the token is for.
        """
        if self.store is not None and store not in (None, self.store):
            raise WrongStoreError(self.store, what="This token")
        return self.store if store is None else store


NOBODY = Viewer(ViewerKind.NOBODY)


@dataclass(frozen=True, slots=True)
class TokenParts:
    """What may be kept and shown of a token, with the hash that finds it again."""

    mode: TokenMode
    prefix: str
    last_four: str
    sha256: str


def token_text(mode: TokenMode, randomness: bytes) -> str:
    """Make a token from 32 random bytes: prefix, 32 base62 characters (190 bits), checksum.

    The checksum lets a secret scanner tell a token from noise without asking us.
    Source: GitHub's token format of 2021.
    """
    assert len(randomness) == TOKEN_RANDOM_BYTES, "190 bits, nearly unbiased, need 32 bytes"
    number = int.from_bytes(randomness) % 62**TOKEN_RANDOM_CHARACTERS
    body = mode.prefix + _base62(number, TOKEN_RANDOM_CHARACTERS)
    return body + _checksum(body)


def read_token(text: str) -> TokenParts:
    """Return the parts of a well-formed token.

    Raises:
        UnauthenticatedError: not a token's form, or mistyped (the checksum differs).
    """
    match = TOKEN_PATTERN.fullmatch(text)
    if match is None:
        raise UnauthenticatedError(
            "This is not an API token; one looks like lg_live_ and 38 letters and digits."
        )
    if _checksum(text[:-TOKEN_CHECKSUM_CHARACTERS]) != match[4]:
        raise UnauthenticatedError("This API token is mistyped or cut off.")
    return TokenParts(
        mode=TokenMode(match[2]),
        prefix=match[1],
        last_four=text[-TOKEN_LAST_CHARACTERS:],
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def refuse_unusable(
    *, revoked_at: datetime | None, expires_at: datetime | None, now: datetime
) -> None:
    """Do nothing when a token works now.

    Raises:
        UnauthenticatedError: it was revoked, or its time is over.
    """
    if revoked_at is not None:
        raise UnauthenticatedError("This API token was revoked.")
    if expires_at is not None and expires_at <= now:
        raise UnauthenticatedError("This API token has expired.")


def scopes_from(names: Iterable[str]) -> frozenset[Scope]:
    """Return the named scopes.

    Raises:
        InvalidInputError: none is named, or one does not exist.
    """
    wanted = set(names)
    known = {scope.value for scope in Scope}
    if not wanted or wanted - known:
        unknown = ", ".join(sorted(wanted - known)) or "none given"
        raise InvalidInputError(
            f"Unknown scopes: {unknown}. Choose from {', '.join(scope.value for scope in Scope)}.",
            field="scopes",
        )
    return frozenset(Scope(name) for name in wanted)


def has_scope(viewer: Viewer, scope: Scope) -> bool:
    """Say whether the viewer may do what needs the scope."""
    return scope in viewer.scopes or Scope.ADMIN in viewer.scopes


def require_scope(viewer: Viewer, scope: Scope) -> None:
    """Do nothing when the viewer has the scope.

    Raises:
        UnauthenticatedError: nobody is asking.
        ForbiddenError: somebody is, without the scope; the message names it.
    """
    if viewer.kind is ViewerKind.NOBODY:
        raise UnauthenticatedError(
            "This needs an API token: send Authorization: Bearer lg_live_..."
        )
    if not has_scope(viewer, scope):
        raise ForbiddenError(scope.value)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits))


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), TOKEN_CHECKSUM_CHARACTERS)
