"""Who asks: tokens of partners, staff and members become viewers, until they end."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from loyalty_graph.config import MemberIssuer, Settings
from loyalty_graph.db import Gatherer
from loyalty_graph.errors import SettingsError, UnauthenticatedError
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.development_issuer import member_issuers, sign_in
from loyalty_graph.identity.member_tokens import MemberTokens
from loyalty_graph.identity.models import Staff
from loyalty_graph.identity.rules import Role, Scope, TokenMode, Viewer, ViewerKind, token_text
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.usecases import members
from loyalty_graph.usecases.login import Login, refuse_ended
from tests.identity.signers import ED, jwks
from tests.shop import NOON, PROGRAM, Shop, by_id, open_shop

HOUR = timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def login(settings: Settings) -> Login:
    return Login(MemberTokens(member_issuers(settings)))


@pytest.fixture
async def ada(shop: Shop) -> Member:
    return await shop.enrol(external_id="crm-7")


def token_of(settings: Settings, member: Member, *, slug: str = "bean-club") -> str:
    return sign_in(settings, program=slug, subject=str(member.id), now=NOON, life=HOUR)


async def owner(shop: Shop) -> tuple[Staff, str]:
    staff = await identity.staff_named(shop.program_id, "Grace", Role.OWNER, now=NOON)
    made = await identity.create_staff_token(
        staff, mode=TokenMode.LIVE, randomness=bytes(32), now=NOON, expires_at=NOON + HOUR
    )
    return staff, made.text


async def set_status(shop: Shop, member: Member, status: MemberStatus) -> None:
    await members.set_status(shop.program_id, by_id(member), status, now=NOON)


async def test_a_member_is_who_the_token_names(login: Login, settings: Settings, ada: Member):
    viewer = await login.viewer_for(token_of(settings, ada), NOON)

    assert viewer == Viewer(
        ViewerKind.MEMBER,
        program_id=ada.program_id,
        member_id=ada.id,
        expires_at=NOON + HOUR + timedelta(seconds=30),
    )
    assert viewer.caller == f"member:{ada.id}"


async def test_an_issuer_may_name_members_by_their_external_id(ada: Member):
    issuer = MemberIssuer(issuer="x", audience="loyalty", jwks="keys", program="bean-club")
    ends = int((NOON + HOUR).timestamp())
    text = ED.sign({"iss": "x", "aud": "loyalty", "sub": "crm-7", "exp": ends})

    async def fetch(_source: str) -> bytes:
        return jwks(ED)

    viewer = await Login(MemberTokens([issuer], fetch=fetch)).viewer_for(text, NOON)

    assert viewer.member_id == ada.id


async def test_an_owner_may_do_everything_in_the_programme(login: Login, shop: Shop):
    staff, text = await owner(shop)

    viewer = await login.viewer_for(text, NOON)

    assert viewer == Viewer(
        ViewerKind.STAFF,
        program_id=shop.program_id,
        staff_id=staff.id,
        token_id=viewer.token_id,
        scopes=frozenset({Scope.ADMIN}),
        expires_at=NOON + HOUR,
    )
    assert viewer.caller == f"staff:{staff.id}"
    assert (await identity.staff_named(shop.program_id, "Grace", Role.OWNER, now=NOON)).id == (
        staff.id
    )


async def test_who_has_left_cannot_sign_in(
    login: Login, settings: Settings, shop: Shop, ada: Member
):
    text = token_of(settings, ada)
    viewer = await login.viewer_for(text, NOON)

    await shop.close(ada)

    with pytest.raises(UnauthenticatedError, match="has left"):
        await login.viewer_for(text, NOON)
    with pytest.raises(UnauthenticatedError, match="has left"):
        await refuse_ended(viewer, now=NOON)


async def test_who_is_suspended_may_still_look(
    login: Login, settings: Settings, shop: Shop, ada: Member
):
    await set_status(shop, ada, MemberStatus.SUSPENDED)

    assert (await login.viewer_for(token_of(settings, ada), NOON)).member_id == ada.id


async def test_a_token_names_members_of_its_own_programme_only(
    login: Login, settings: Settings, ada: Member
):
    await open_shop({**PROGRAM, "program": {**PROGRAM["program"], "slug": "tea-club"}})
    nobody = Member(id=UUID(int=1))

    for text in (
        token_of(settings, ada, slug="tea-club"),
        token_of(settings, ada, slug="no-club"),
        token_of(settings, nobody),
    ):
        with pytest.raises(UnauthenticatedError, match="names nobody who is a member"):
            await login.viewer_for(text, NOON)


async def test_a_viewer_ends_with_the_token(login: Login, settings: Settings, ada: Member):
    viewer = await login.viewer_for(token_of(settings, ada), NOON)

    await refuse_ended(viewer, now=NOON + HOUR)
    with pytest.raises(UnauthenticatedError, match="has expired"):
        await refuse_ended(viewer, now=NOON + HOUR + timedelta(seconds=30))


async def test_a_viewer_ends_at_once_when_the_token_is_revoked(login: Login, shop: Shop):
    _, text = await owner(shop)
    viewer = await login.viewer_for(text, NOON)
    await refuse_ended(viewer, now=NOON)
    assert viewer.token_id is not None

    await identity.revoke_token(shop.program_id, viewer.token_id, now=NOON)

    with pytest.raises(UnauthenticatedError, match="was revoked"):
        await refuse_ended(viewer, now=NOON)
    with pytest.raises(UnauthenticatedError, match="was revoked"):
        await login.viewer_for(text, NOON)


async def test_requests_of_one_moment_look_up_their_tokens_together(shop: Shop):
    _, text = await owner(shop)
    async with Gatherer(identity.known_tokens) as look_up:
        login = Login(MemberTokens([]), look_up=look_up)
        unknown = token_text(TokenMode.LIVE, b"x" * 32)

        *viewers, stranger = await asyncio.gather(
            *(login.viewer_for(sent, NOON) for sent in (text, text, text, unknown)),
            return_exceptions=True,
        )

        assert (look_up.batches, look_up.commands) == (1, 4)
        assert {viewer.scopes for viewer in viewers if isinstance(viewer, Viewer)} == {
            frozenset({Scope.ADMIN})
        }
        assert len(viewers) == 3
        assert isinstance(stranger, UnauthenticatedError)


async def test_a_revoked_token_is_refused_to_the_next_who_ask_together(shop: Shop):
    _, text = await owner(shop)
    async with Gatherer(identity.known_tokens) as look_up:
        login = Login(MemberTokens([]), look_up=look_up)
        viewer = await login.viewer_for(text, NOON)
        assert viewer.token_id is not None

        await identity.revoke_token(shop.program_id, viewer.token_id, now=NOON)

        answers = await asyncio.gather(
            *(login.viewer_for(text, NOON) for _ in range(3)), return_exceptions=True
        )
        assert [str(answer) for answer in answers] == ["This API token was revoked."] * 3


def test_the_development_key_is_made_once_and_is_nobody_elses(settings: Settings):
    first, second = member_issuers(settings), member_issuers(settings)
    key = settings.data_dir / "member-development.pem"

    assert first == second
    assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (settings.data_dir / "member-development.jwks.json").read_text()


def test_the_development_key_signs_nobody_in_where_issuers_are_set(tmp_path: Path):
    issuer = MemberIssuer(issuer="x", audience="loyalty", jwks="keys")
    settings = Settings(data_dir=tmp_path / "data", member_issuers=(issuer,))

    with pytest.raises(SettingsError, match="only those issuers"):
        sign_in(settings, program="bean-club", subject="x", now=NOON, life=HOUR)

    assert member_issuers(settings) == (issuer,)
    assert not (tmp_path / "data").exists()
