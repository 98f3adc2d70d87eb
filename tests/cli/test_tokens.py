"""Making, listing and revoking tokens."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.db import open_database
from loyalty_graph.errors import UnauthenticatedError
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.development_issuer import member_issuers
from loyalty_graph.identity.member_tokens import MemberTokens
from loyalty_graph.identity.models import ApiToken
from loyalty_graph.identity.rules import Scope, Viewer, ViewerKind
from loyalty_graph.members.models import Member
from loyalty_graph.usecases.login import Login
from tests.cli.conftest import CommandLine

SOON = utc_now() + timedelta(days=1)
READ = ("--scope", "members:read")


def scopes_of(url: str, text: str, *, now: datetime = SOON) -> set[str]:
    async def ask() -> set[str]:
        async with open_database(url):
            return {str(scope) for scope in (await identity.viewer_for(text, now)).scopes}

    return asyncio.run(ask())


def test_a_token_is_printed_alone_and_works(call: CommandLine, shop_url: str):
    done = call("token", "create", "Till 7", *READ, "--scope", "passes:issue")

    token = done.out.removesuffix("\n")
    assert (done.code, done.err) == (0, "Keep it safe; it cannot be shown again.\n")
    assert token.startswith("lg_live_")
    assert scopes_of(shop_url, token) == {"members:read", "passes:issue"}


def test_tokens_are_listed_by_what_may_be_shown(call: CommandLine, shop_url: str):
    token = call("token", "create", "Till [7]", *READ, "--name", "back office").out.strip()

    listed = call("token", "list")
    [row] = call("token", "list", "--json").json

    assert listed.out == (
        f"{row['id']}  lg_live_…{token[-4:]}  Till [7] / back office  members:read\n"
    )
    assert token not in listed.out
    assert (row["partner"], row["name"], row["scopes"]) == (
        "Till [7]",
        "back office",
        ["members:read"],
    )
    assert (row["last_used_at"], row["expires_at"], row["revoked_at"]) == (None, None, None)


def test_a_programme_without_tokens_says_so(call: CommandLine, shop_url: str):
    done = call("token", "list")

    assert (done.code, done.out) == (0, "")
    assert done.err == "There are no tokens yet; `loyalty-graph token create` makes one.\n"
    assert call("token", "list", "--json").json == []


def test_a_revoked_token_works_no_more(call: CommandLine, shop_url: str):
    token = call("token", "create", "Till 7", *READ).out.strip()
    [row] = call("token", "list", "--json").json

    done = call("token", "revoke", row["id"])

    assert (done.code, done.out) == (0, "✓ The token is revoked.\n")
    assert call("token", "list").out.endswith("Till 7 / cli  revoked\n")
    with pytest.raises(UnauthenticatedError):
        scopes_of(shop_url, token)


def test_a_token_stops_working_after_its_days(call: CommandLine, shop_url: str):
    token = call("token", "create", "Till 7", *READ, "--days", 2).out.strip()

    assert scopes_of(shop_url, token) == {"members:read"}
    with pytest.raises(UnauthenticatedError):
        scopes_of(shop_url, token, now=SOON + timedelta(days=2))


def test_one_that_has_stopped_is_listed_as_expired(call: CommandLine, shop_url: str):
    call("token", "create", "Till 7", *READ, "--days", 2)

    async def age() -> None:
        async with open_database(shop_url):
            await ApiToken.all().update(expires_at=datetime(2020, 1, 1, tzinfo=UTC))

    asyncio.run(age())

    assert call("token", "list").out.endswith("Till 7 / cli  expired\n")


@pytest.mark.parametrize(
    ("case", "words", "code", "message"),
    [
        ("no such scope", ["create", "Till", "--scope", "all"], 1, "INVALID_INPUT"),
        ("no scope", ["create", "Till"], 2, "Missing option '--scope'"),
        ("no days", ["create", "Till", *READ, "--days", "0"], 2, "--days"),
        ("beyond time", ["create", "Till", *READ, "--days", "9999999"], 2, "--days"),
        ("no name", ["create", " ", *READ], 1, "INVALID_INPUT A name has 1 to 100 characters."),
        ("no id", ["revoke", "7"], 1, "INVALID_INPUT 7 is no token id; `loyalty-graph token list`"),
        ("no such token", ["revoke", f"{0:032}"], 1, "NOT_FOUND There is no token"),
        (
            "no such programme",
            ["list", "--program", "tea"],
            1,
            "NOT_FOUND There is no programme tea",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_made(
    call: CommandLine, shop_url: str, case: str, words: list[str], code: int, message: str
):
    done = call("token", *words)

    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert call("token", "list", "--json").json == []


def viewer_of(url: str, text: str) -> Viewer:
    async def ask() -> Viewer:
        login = Login(MemberTokens(member_issuers(load_settings())))
        async with open_database(url):
            return await login.viewer_for(text, utc_now())

    return asyncio.run(ask())


def test_an_owners_token_may_do_everything(call: CommandLine, shop_url: str):
    text = call("token", "owner", "--name", "Grace", "--days", 1).out.strip()

    viewer = viewer_of(shop_url, text)
    [row] = call("token", "list", "--json").json

    assert (viewer.kind, viewer.scopes) == (ViewerKind.STAFF, frozenset({Scope.ADMIN}))
    assert (row["partner"], row["staff"], row["scopes"]) == (None, "Grace", [])
    assert call("token", "list").out.endswith("  Grace / Grace  owner\n")


def test_staff_may_do_what_their_role_says_and_keep_it(call: CommandLine, shop_url: str):
    agent = call("token", "staff", "Alan").out.strip()
    manager = call("token", "staff", "Mona", "--role", "MANAGER").out.strip()
    call("token", "staff", "Alan", "--role", "MANAGER")

    assert Scope.POINTS_ADJUST in viewer_of(shop_url, agent).scopes
    assert Scope.POINTS_APPROVE not in viewer_of(shop_url, agent).scopes
    assert Scope.POINTS_APPROVE in viewer_of(shop_url, manager).scopes
    roles = [row["role"] for row in call("token", "list", "--json").json]
    assert roles == ["AGENT", "MANAGER", "AGENT"]


def test_a_token_may_be_for_one_store(call: CommandLine, shop_url: str):
    text = call("token", "create", "Till 7", *READ, "--store", " Main Street ").out.strip()

    assert viewer_of(shop_url, text).store == "Main Street"
    assert call("token", "list").out.endswith("  members:read at Main Street\n")
    assert (
        "A store has 1 to 60 characters."
        in call("token", "create", "Till 7", *READ, "--store", " ").err
    )


def test_a_member_is_signed_in_for_development(
    call: CommandLine, ada: Member, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    done = call("token", "member", ada.number, "--minutes", 5)

    viewer = viewer_of(database_url, done.out.strip())
    assert (viewer.kind, viewer.member_id) == (ViewerKind.MEMBER, ada.id)
    assert done.err.startswith("Signed with the development key")

    issuer = {"issuer": "x", "audience": "loyalty", "jwks": "/keys.json"}
    monkeypatch.setenv("LOYALTY_MEMBER_ISSUERS", json.dumps([issuer]))
    refused = call("token", "member", ada.number)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("SETTINGS LOYALTY_MEMBER_ISSUERS is set")


def test_a_partner_may_issue_so_many_points_a_day_with_any_token(call: CommandLine, shop_url: str):
    call("token", "create", "Till 7", *READ)

    done = call("token", "partner", "Till 7", "--daily-points", "5000")
    call("token", "create", "Till 7", *READ, "--store", "north")
    rows = call("token", "list", "--json").json
    listed = call("token", "list").out

    assert done.out == "✓ Till 7 may issue at most 5000 points in a day.\n"
    assert [row["daily_points"] for row in rows] == [5000, 5000]
    assert listed.splitlines()[1].endswith("members:read at north 5000 points a day")
    assert call("token", "partner", "Till 7").out == "✓ Till 7 may issue any points in a day.\n"
    assert [row["daily_points"] for row in call("token", "list", "--json").json] == [None, None]
