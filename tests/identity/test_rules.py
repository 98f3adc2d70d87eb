import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.errors import (
    ForbiddenError,
    InvalidInputError,
    UnauthenticatedError,
    WrongStoreError,
)
from loyalty_graph.identity.rules import (
    NOBODY,
    Role,
    Scope,
    TokenMode,
    TokenParts,
    Viewer,
    ViewerKind,
    has_scope,
    read_token,
    refuse_unusable,
    require_scope,
    scopes_from,
    token_text,
)

# CRC32 of the text before it, in base62; reckoned independently with Python's zlib and divmod.
ZERO = "lg_live_" + "0" * 32 + "04ZbIe"


def test_a_token_is_prefix_randomness_and_checksum():
    assert token_text(TokenMode.LIVE, bytes(32)) == ZERO
    assert token_text(TokenMode.TEST, bytes(31) + b"\x3f").startswith("lg_test_" + "0" * 30 + "11")


def test_a_token_is_found_by_its_hash():
    assert read_token(ZERO) == TokenParts(
        mode=TokenMode.LIVE,
        prefix="lg_live_",
        last_four=ZERO[-4:],
        sha256=hashlib.sha256(ZERO.encode()).hexdigest(),
    )


@given(st.binary(min_size=32, max_size=32), st.sampled_from(TokenMode))
def test_every_token_made_is_read(randomness: bytes, mode: TokenMode):
    text = token_text(mode, randomness)

    assert len(text) == 46
    assert read_token(text).mode is mode


@given(st.binary(min_size=32, max_size=32), st.integers(8, 39), st.sampled_from("xX7"))
def test_one_wrong_character_is_noticed(randomness: bytes, place: int, wrong: str):
    text = token_text(TokenMode.LIVE, randomness)
    mistyped = text[:place] + wrong + text[place + 1 :]

    if mistyped != text:
        with pytest.raises(UnauthenticatedError, match="mistyped or cut off"):
            read_token(mistyped)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(ZERO[:-1], id="cut off"),
        pytest.param(ZERO + "0", id="too long"),
        pytest.param(ZERO + "\n", id="with a line end"),
        pytest.param(ZERO.replace("live", "prod"), id="another mode"),
        pytest.param(ZERO.replace("0", "-", 1), id="not base62"),
        pytest.param(ZERO.replace("0", "\u0660", 1), id="digits of another script"),
    ],
)
def test_what_is_no_token_is_refused_before_any_look_up(text: str):
    with pytest.raises(UnauthenticatedError, match="not an API token"):
        read_token(text)


def test_scopes_are_named_exactly():
    assert scopes_from(["members:read", "admin", "admin"]) == {Scope.MEMBERS_READ, Scope.ADMIN}


@pytest.mark.parametrize(
    ("names", "complaint"),
    [([], "none given"), (["members:read", "ledger:write", "x"], "ledger:write, x")],
)
def test_unknown_scopes_are_refused_by_name(names: list[str], complaint: str):
    with pytest.raises(InvalidInputError, match=f"Unknown scopes: {complaint}") as refused:
        scopes_from(names)

    assert refused.value.field == "scopes"


def partner(*scopes: Scope) -> Viewer:
    return Viewer(ViewerKind.PARTNER, scopes=frozenset(scopes))


def test_a_scope_allows_itself_and_admin_allows_all():
    assert has_scope(partner(Scope.MEMBERS_READ), Scope.MEMBERS_READ)
    assert has_scope(partner(Scope.ADMIN), Scope.POINTS_ADJUST)
    assert not has_scope(partner(Scope.MEMBERS_WRITE), Scope.MEMBERS_READ)
    assert not has_scope(NOBODY, Scope.MEMBERS_READ)


def test_a_missing_scope_is_named():
    require_scope(partner(Scope.POINTS_ADJUST), Scope.POINTS_ADJUST)

    with pytest.raises(ForbiddenError, match="points:adjust"):
        require_scope(partner(Scope.MEMBERS_READ), Scope.POINTS_ADJUST)
    with pytest.raises(UnauthenticatedError, match="needs an API token"):
        require_scope(NOBODY, Scope.POINTS_ADJUST)


NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("revoked_at", "expires_at", "complaint"),
    [
        (NOON, None, "revoked"),
        (NOON - timedelta(days=1), NOON - timedelta(days=1), "revoked"),
        (None, NOON, "expired"),
    ],
)
def test_a_revoked_or_expired_token_does_not_work(
    revoked_at: datetime | None, expires_at: datetime | None, complaint: str
):
    with pytest.raises(UnauthenticatedError, match=complaint):
        refuse_unusable(revoked_at=revoked_at, expires_at=expires_at, now=NOON)


def test_a_token_works_until_it_expires():
    refuse_unusable(revoked_at=None, expires_at=None, now=NOON)
    refuse_unusable(revoked_at=None, expires_at=NOON + timedelta(microseconds=1), now=NOON)


def test_a_viewer_for_one_store_acts_there_and_nowhere_else():
    bound = Viewer(ViewerKind.PARTNER, store="Main Street")
    free = Viewer(ViewerKind.PARTNER)

    assert bound.acting_store(None) == bound.acting_store("Main Street") == "Main Street"
    assert (free.acting_store(None), free.acting_store("Side Street")) == (None, "Side Street")
    with pytest.raises(WrongStoreError, match="in store Main Street only"):
        bound.acting_store("Side Street")


def test_keys_belong_to_whoever_asks_not_to_the_token():
    one = UUID(int=1)

    assert Viewer(ViewerKind.MEMBER, member_id=one).caller == f"member:{one}"
    assert Viewer(ViewerKind.PARTNER, partner_id=one).caller == f"partner:{one}"
    assert Viewer(ViewerKind.STAFF, staff_id=one).caller == f"staff:{one}"


def test_only_managers_and_owners_approve_what_agents_do():
    approving = {
        role
        for role in Role
        if has_scope(Viewer(ViewerKind.STAFF, scopes=role.scopes), Scope.POINTS_APPROVE)
    }

    assert approving == {Role.MANAGER, Role.OWNER}
    assert Role.AUDITOR.scopes == {Scope.MEMBERS_READ, Scope.AUDIT_READ}
