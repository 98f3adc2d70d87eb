"""The development key that signs members in, and another one in its place."""

from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest

from loyalty_graph.config import MemberIssuer, Settings
from loyalty_graph.errors import SettingsError, UnauthenticatedError
from loyalty_graph.identity.development_issuer import (
    JWKS_FILE,
    member_issuers,
    published,
    replace_key,
    sign_in,
)
from loyalty_graph.identity.member_tokens import MemberTokens
from tests.shop import DAY, NOON

HOUR = timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def signed(settings: Settings, now: datetime, *, life: timedelta = 30 * DAY) -> str:
    return sign_in(settings, program="bean-club", subject="ada", now=now, life=life)


async def test_tokens_of_both_keys_are_good_in_a_server_that_runs(settings: Settings):
    server = MemberTokens(member_issuers(settings))
    old = signed(settings, NOON)
    assert (await server.claims(old, now=NOON)).subject == "ada"

    name = replace_key(settings, now=NOON + HOUR)
    new = signed(settings, NOON + HOUR)

    assert name == "development-20260302T130000Z"
    assert (await server.claims(new, now=NOON + HOUR)).subject == "ada"
    assert (await server.claims(old, now=NOON + HOUR)).subject == "ada"
    assert published(settings) == ["development", name]


async def test_a_key_is_taken_away_when_no_token_of_it_can_be_good(settings: Settings):
    signed(settings, NOON)
    first = replace_key(settings, now=NOON)
    second = replace_key(settings, now=NOON + 29 * DAY)
    assert published(settings) == ["development", first, second]

    third = replace_key(settings, now=NOON + 30 * DAY)

    assert published(settings) == [first, second, third]
    assert b'"d"' not in (settings.data_dir / JWKS_FILE).read_bytes()


async def test_who_has_the_old_key_alone_signs_nobody_in_after_that(settings: Settings):
    old = signed(settings, NOON, life=90 * DAY)
    replace_key(settings, now=NOON)
    replace_key(settings, now=NOON + 31 * DAY)
    server = MemberTokens(member_issuers(settings))

    with pytest.raises(UnauthenticatedError, match="its issuer does not name"):
        await server.claims(old, now=NOON + 31 * DAY)


def test_keys_of_others_are_not_replaced_here(tmp_path: Path):
    theirs = MemberIssuer(issuer="https://id.example", audience="shop", jwks="keys.json")
    settings = Settings(data_dir=tmp_path / "data", member_issuers=(theirs,))

    with pytest.raises(SettingsError, match="LOYALTY_MEMBER_ISSUERS is set"):
        replace_key(settings, now=NOON)

    assert published(settings) == []
    assert not (tmp_path / "data").exists()


def test_what_is_published_is_a_key_set(settings: Settings):
    assert published(settings) == []

    replace_key(settings, now=NOON)

    keys = orjson.loads((settings.data_dir / JWKS_FILE).read_bytes())["keys"]
    assert [sorted(one) for one in keys] == [
        ["alg", "crv", "kid", "kty", "replaced_at", "use", "x"],
        ["alg", "crv", "kid", "kty", "use", "x"],
    ]
