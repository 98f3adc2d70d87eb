"""Partners and staff, their tokens, and who a token belongs to."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from tortoise.expressions import Q

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import fetch_unique, store
from loyalty_graph.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from loyalty_graph.identifiers import new_id
from loyalty_graph.identity.models import (
    NAME_CHARACTERS_MAX,
    STORE_CHARACTERS_MAX,
    ApiToken,
    Partner,
    Staff,
)
from loyalty_graph.identity.rules import (
    Role,
    Scope,
    TokenMode,
    Viewer,
    ViewerKind,
    read_token,
    refuse_unusable,
    scopes_from,
    token_text,
)
from loyalty_graph.programs import service as programs

USE_IS_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; `text` is shown now and never again."""

    text: str
    token: ApiToken


class KnownToken(NamedTuple):
    """What every request asks of its token: one row, found by an index; and its owner's role."""

    id: UUID
    program_id: UUID
    partner_id: UUID | None
    staff_id: UUID | None
    scopes: list[str]
    store: str | None
    daily_points: int | None
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    role: Role | None = None


LookUpToken: TypeAlias = Callable[[str], Awaitable[KnownToken | None]]


@transaction
async def create_partner(program_id: UUID, name: str, *, now: datetime) -> Partner:
    """Store a partner of a programme.

    Raises:
        InvalidInputError: the name is empty, too long or taken in this programme.
    """
    wanted = _name(name)
    if await Partner.exists(program_id=program_id, name=wanted):
        raise InvalidInputError(f"There is a partner {wanted} already.", field="name")
    partner = await Partner.create(
        id=new_id(now), program_id=program_id, name=wanted, created_at=now
    )
    await _tell("partner.created", partner, now=now, after={"name": partner.name})
    return partner


@transaction
async def partner_named(program_id: UUID, name: str, *, now: datetime) -> Partner:
    """Return the partner with this name, stored now if there is none.

    Raises:
        InvalidInputError: the name is empty or too long.
    """
    known = await Partner.get_or_none(program_id=program_id, name=_name(name))
    return known or await create_partner(program_id, name, now=now)


@transaction
async def staff_named(program_id: UUID, name: str, role: Role, *, now: datetime) -> Staff:
    """Return the staff user with this name, stored now with this role if there is none.

    Raises:
        InvalidInputError: the name is empty or too long.
    """
    known = await Staff.get_or_none(program_id=program_id, name=_name(name))
    if known is not None:
        return known
    staff = await Staff.create(
        id=new_id(now), program_id=program_id, name=_name(name), role=role, created_at=now
    )
    await _tell("staff.created", staff, now=now, after={"name": staff.name, "role": role})
    return staff


@transaction
async def create_token(  # noqa: PLR0913 - each is a choice of the operator or the clock
    program_id: UUID,
    partner_id: UUID,
    *,
    name: str,
    scopes: Iterable[str],
    mode: TokenMode,
    randomness: bytes,
    now: datetime,
    expires_at: datetime | None = None,
    store: str | None = None,
) -> NewToken:
    """Store a partner's token's hash and return its text, which nobody can show again.

    Args:
        program_id: The programme it works in.
        partner_id: Whose token it is.
        name: What it is for, such as "till 7".
        scopes: What it may do.
        mode: Whether it works in real programmes or in sandboxes only.
        randomness: 32 unpredictable bytes.
        now: The moment of the request.
        expires_at: When it stops working; never, if not given.
        store: The only store it may act for; any, if not given.

    Raises:
        NotFoundError: the programme has no such partner.
        InvalidInputError: a scope does not exist, name or store will not do, or it expires in the
            past.
    """
    granted = scopes_from(scopes)
    # Locked, so that a change of its cap finds the new token or is found by it.
    known = Partner.filter(program_id=program_id, id=partner_id).select_for_update()
    partner = await known.get_or_none()
    if partner is None:
        raise NotFoundError("partner", partner_id, field="partner")
    owned = {
        "partner_id": partner_id,
        "scopes": sorted(granted),
        "store": _store(store),
        "daily_points": partner.daily_points,
    }
    return await _create(program_id, token_text(mode, randomness), name, now, expires_at, owned)


@transaction
async def create_staff_token(
    staff: Staff,
    *,
    mode: TokenMode,
    randomness: bytes,
    now: datetime,
    expires_at: datetime | None = None,
) -> NewToken:
    """Store a staff user's token's hash and return its text, which nobody can show again.

    What it may do is what the user's role may do at the time of each request.

    Raises:
        InvalidInputError: it expires in the past.
    """
    text = token_text(mode, randomness)
    owned = {"staff_id": staff.id, "scopes": []}
    return await _create(staff.program_id, text, staff.name, now, expires_at, owned)


async def _create(
    program_id: UUID,
    text: str,
    name: str,
    now: datetime,
    expires_at: datetime | None,
    owned: dict[str, Any],
) -> NewToken:
    if expires_at is not None and expires_at <= now:
        raise InvalidInputError("A token expires in the future.", field="expiresAt")
    parts = read_token(text)
    token = await ApiToken.create(
        id=new_id(now),
        program_id=program_id,
        name=_name(name),
        prefix=parts.prefix,
        last_four=parts.last_four,
        token_sha256=parts.sha256,
        created_at=now,
        expires_at=expires_at,
        **owned,
    )
    granted = {"name": token.name, "scopes": token.scopes, "store": token.store}
    await _tell("token.created", token, now=now, after=granted)
    return NewToken(text, token)


async def list_tokens(program_id: UUID) -> list[ApiToken]:
    """Return a programme's tokens with their owners, oldest first, the revoked ones too."""
    tokens = ApiToken.filter(program_id=program_id).order_by("created_at", "id")
    return await tokens.prefetch_related("partner", "staff")


@transaction
async def revoke_token(program_id: UUID, token_id: UUID, *, now: datetime) -> ApiToken:
    """Stop a token from working, from now on; one revoked before keeps its moment.

    Raises:
        NotFoundError: the programme has no such token.
    """
    worked = ApiToken.filter(program_id=program_id, id=token_id, revoked_at__isnull=True)
    stopped = await worked.update(revoked_at=now)
    token = await ApiToken.get_or_none(program_id=program_id, id=token_id)
    if token is None:
        raise NotFoundError("token", token_id)
    if stopped:
        await _tell("token.revoked", token, now=now, before={"name": token.name})
    return token


async def _tell(
    kind: str,
    row: ApiToken | Partner | Staff,
    *,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Tell the audit log of a partner, a staff user or a token; only operators change them."""
    noun, _, _ = kind.partition(".")
    told = outbox.change("cli", about=f"{noun}:{row.id}", before=before, after=after)
    fact = outbox.Fact(new_id(now), kind, None, now, {noun: str(row.id)}, told)
    await store(row.program_id, [outbox.facts([fact])])


async def known_tokens(hashes: Sequence[str]) -> list[KnownToken | None]:
    """Return the tokens with these SHA-256 as they are now; many callers may send the same one."""
    wanted = list(dict.fromkeys(hashes))
    columns = KnownToken._fields[:-1]
    rows = await fetch_unique(ApiToken, "token_sha256", wanted, columns)
    found = {
        one: KnownToken._make((*row, None))
        for one, row in zip(wanted, rows, strict=True)
        if row is not None
    }
    roles = await _roles({token.staff_id for token in found.values() if token.staff_id})
    return [
        token and token._replace(role=roles.get(token.staff_id)) for token in map(found.get, hashes)
    ]


async def _roles(staff_ids: Collection[UUID]) -> dict[UUID | None, Role]:
    ids = sorted(staff_ids)
    rows = await fetch_unique(Staff, "id", ids, ("role",)) if ids else []
    return {one: Role(row[0]) for one, row in zip(ids, rows, strict=True) if row is not None}


async def known_token(token_sha256: str) -> KnownToken | None:
    """Return the token with this SHA-256 as it is now."""
    [token] = await known_tokens([token_sha256])
    return token


async def viewer_for(text: str, now: datetime, *, look_up: LookUpToken = known_token) -> Viewer:
    """Return who a token belongs to, and note once a minute that it was used.

    Args:
        text: The token, as the caller sent it.
        now: The moment of the request.
        look_up: Finds the token by its hash, perhaps together with those of other requests.

    Raises:
        UnauthenticatedError: malformed, unknown, revoked, expired, or a test token elsewhere.
    """
    parts = read_token(text)
    token = await look_up(parts.sha256)
    if token is None:
        raise UnauthenticatedError("This API token is not known here.")
    refuse_unusable(revoked_at=token.revoked_at, expires_at=token.expires_at, now=now)
    if parts.mode is TokenMode.TEST and not await programs.is_sandbox(token.program_id):
        raise UnauthenticatedError("A test token works in sandbox programmes only.")
    if token.last_used_at is None or token.last_used_at <= now - USE_IS_NOTED_EVERY:
        await _note_use(token.id, now=now)
    return _viewer(token)


async def refuse_revoked(token_id: UUID, *, now: datetime) -> None:
    """Do nothing while a token works; streams ask again and again.

    Raises:
        UnauthenticatedError: it was revoked, or its time is over.
    """
    [row] = await fetch_unique(ApiToken, "id", [token_id], ("revoked_at", "expires_at"))
    assert row is not None, "tokens are never deleted"
    revoked_at, expires_at = row
    refuse_unusable(revoked_at=revoked_at, expires_at=expires_at, now=now)


def _viewer(token: KnownToken) -> Viewer:
    scopes = map(Scope, token.scopes) if token.role is None else token.role.scopes
    return Viewer(
        kind=ViewerKind.PARTNER if token.staff_id is None else ViewerKind.STAFF,
        program_id=token.program_id,
        partner_id=token.partner_id,
        staff_id=token.staff_id,
        token_id=token.id,
        scopes=frozenset(scopes),
        store=token.store,
        expires_at=token.expires_at,
        daily_points=token.daily_points,
    )


@transaction
async def _note_use(token_id: UUID, *, now: datetime) -> None:
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - USE_IS_NOTED_EVERY)
    await ApiToken.filter(stale, id=token_id).update(last_used_at=now)


def _name(name: str) -> str:
    wanted = name.strip()
    if not 1 <= len(wanted) <= NAME_CHARACTERS_MAX:
        raise InvalidInputError(f"A name has 1 to {NAME_CHARACTERS_MAX} characters.", field="name")
    return wanted


def _store(store: str | None) -> str | None:
    if store is not None and not 1 <= len(store.strip()) <= STORE_CHARACTERS_MAX:
        raise InvalidInputError(
            f"A store has 1 to {STORE_CHARACTERS_MAX} characters.", field="store"
        )
    return store and store.strip()
