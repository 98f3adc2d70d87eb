import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from tortoise.exceptions import IntegrityError

from loyalty_graph.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.models import ApiToken, Partner
from loyalty_graph.identity.rules import Scope, TokenMode, Viewer, ViewerKind
from loyalty_graph.identity.service import NewToken
from loyalty_graph.programs.models import Program

pytestmark = pytest.mark.usefixtures("database")

PROGRAM = UUID(int=1)
SANDBOX = UUID(int=2)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


async def new_token(
    *,
    program_id: UUID = PROGRAM,
    mode: TokenMode = TokenMode.LIVE,
    expires_at: datetime | None = None,
    randomness: bytes = bytes(32),
) -> NewToken:
    partner = await Partner.get_or_none(program_id=program_id, name="Corner shop")
    partner = partner or await identity.create_partner(program_id, "Corner shop", now=NOON)
    return await identity.create_token(
        program_id,
        partner.id,
        name="till 7",
        scopes=["purchases:write", "members:read"],
        mode=mode,
        randomness=randomness,
        now=NOON,
        expires_at=expires_at,
    )


async def viewer(text: str, *, now: datetime = NOON) -> Viewer:
    return await identity.viewer_for(text, now)


async def test_a_token_tells_who_asks_and_what_they_may_do():
    new = await new_token()

    assert await viewer(new.text) == Viewer(
        kind=ViewerKind.PARTNER,
        program_id=PROGRAM,
        partner_id=new.token.partner_id,
        token_id=new.token.id,
        scopes=frozenset({Scope.PURCHASES_WRITE, Scope.MEMBERS_READ}),
    )


async def test_only_the_hash_of_a_token_is_kept():
    new = await new_token()

    stored = await ApiToken.get(id=new.token.id)
    assert stored.token_sha256 == hashlib.sha256(new.text.encode()).hexdigest()
    assert (stored.prefix, stored.last_four) == ("lg_live_", new.text[-4:])
    assert stored.scopes == ["members:read", "purchases:write"]
    assert new.text not in str(dict(stored))


async def test_an_unknown_token_is_refused():
    new = await new_token()
    await ApiToken.filter(id=new.token.id).update(token_sha256="0" * 64)

    with pytest.raises(UnauthenticatedError, match="not known"):
        await viewer(new.text)


async def test_a_token_of_another_form_is_refused():
    with pytest.raises(UnauthenticatedError, match="not an API token"):
        await viewer("swordfish")


async def test_an_expired_token_is_refused():
    new = await new_token(expires_at=NOON + SECOND)

    assert (await viewer(new.text)).kind is ViewerKind.PARTNER
    with pytest.raises(UnauthenticatedError, match="expired"):
        await viewer(new.text, now=NOON + SECOND)


async def test_a_revoked_token_is_refused_and_keeps_the_moment():
    new = await new_token()

    first = await identity.revoke_token(PROGRAM, new.token.id, now=NOON)
    again = await identity.revoke_token(PROGRAM, new.token.id, now=NOON + SECOND)

    assert first.revoked_at == again.revoked_at == NOON
    with pytest.raises(UnauthenticatedError, match="revoked"):
        await viewer(new.text)
    assert (await ApiToken.get(id=new.token.id)).last_used_at is None


async def test_a_test_token_works_in_a_sandbox_only():
    await Program.create(id=SANDBOX, slug="play", version=1, sandbox=True, created_at=NOON)
    in_sandbox = await new_token(program_id=SANDBOX, mode=TokenMode.TEST, randomness=b"a" * 32)
    elsewhere = await new_token(mode=TokenMode.TEST, randomness=b"b" * 32)

    assert in_sandbox.text.startswith("lg_test_")
    assert (await viewer(in_sandbox.text)).program_id == SANDBOX
    with pytest.raises(UnauthenticatedError, match="works in sandbox programmes only"):
        await viewer(elsewhere.text)


@pytest.mark.parametrize(
    ("later", "noted"),
    [
        (timedelta(seconds=59), NOON),
        (timedelta(minutes=1), NOON + timedelta(minutes=1)),
        (timedelta(hours=1), NOON + timedelta(hours=1)),
    ],
)
async def test_use_is_noted_once_a_minute(later: timedelta, noted: datetime):
    new = await new_token()

    await viewer(new.text)
    await viewer(new.text, now=NOON + later)

    assert (await ApiToken.get(id=new.token.id)).last_used_at == noted


async def test_another_programme_cannot_revoke_a_token():
    new = await new_token()

    with pytest.raises(NotFoundError, match=f"There is no token {new.token.id}"):
        await identity.revoke_token(SANDBOX, new.token.id, now=NOON)

    assert (await ApiToken.get(id=new.token.id)).revoked_at is None


async def test_tokens_are_listed_by_programme_with_their_partner():
    new = await new_token(randomness=b"a" * 32)
    await new_token(program_id=SANDBOX, randomness=b"b" * 32)

    listed = await identity.list_tokens(PROGRAM)

    assert [(token.id, token.partner.name) for token in listed] == [(new.token.id, "Corner shop")]


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"scopes": ["everything"]}, InvalidInputError, "scopes"),
        ({"name": "  "}, InvalidInputError, "name"),
        ({"name": "x" * 101}, InvalidInputError, "name"),
        ({"expires_at": NOON}, InvalidInputError, "expiresAt"),
        ({"partner_id": UUID(int=7)}, NotFoundError, "partner"),
        ({"program_id": SANDBOX}, NotFoundError, "partner"),
    ],
)
async def test_a_token_that_will_not_do_is_not_made(
    change: dict[str, object], error: type[Exception], field: str
):
    partner = await identity.create_partner(PROGRAM, "Corner shop", now=NOON)
    wanted: dict[str, object] = {
        "program_id": PROGRAM,
        "partner_id": partner.id,
        "name": "till 7",
        "scopes": ["admin"],
        "mode": TokenMode.LIVE,
        "randomness": bytes(32),
        "now": NOON,
    }

    with pytest.raises(error) as refused:
        await identity.create_token(**{**wanted, **change})

    assert refused.value.field == field
    assert await ApiToken.all().count() == 0


async def test_the_same_token_is_never_two():
    await new_token()

    with pytest.raises(IntegrityError):
        await new_token()

    assert await ApiToken.all().count() == 1


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "Corner shop", " Corner shop "])
async def test_a_partner_has_a_name_of_its_own(name: str):
    await identity.create_partner(PROGRAM, "Corner shop", now=NOON)

    with pytest.raises(InvalidInputError) as refused:
        await identity.create_partner(PROGRAM, name, now=NOON)

    assert refused.value.field == "name"
    assert await Partner.all().count() == 1
    assert (await identity.create_partner(SANDBOX, "Corner shop", now=NOON)).program_id == SANDBOX
