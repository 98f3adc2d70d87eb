from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.matrix import document, rows, undecided
from loyalty_graph.graphql.schema import SCHEMA
from loyalty_graph.identity.rules import Scope, Viewer, ViewerKind
from tests.graphql.conftest import CUPBOARD, PARTNER, context_of

ROOT = Path(__file__).parents[2]

IN_A_FRAGMENT = """{ ...One } fragment One on CupboardQuery { ...Two ...Three }
    fragment Two on CupboardQuery { otherSecret ...Three }
    fragment Three on CupboardQuery { secret }"""
QUERY = "{ secret otherSecret }"


async def test_a_document_that_asks_for_one_thing_too_many_is_refused_as_a_whole():
    result = await CUPBOARD.execute(QUERY, None, context_of(PARTNER))

    assert result.data is None
    (error,) = result.errors or []
    assert error.message == "This needs the scope points:adjust."
    assert (error.extensions, error.path) == ({"code": "FORBIDDEN"}, None)


async def test_a_field_is_answered_to_those_with_its_scope():
    result = await CUPBOARD.execute("{ secret }", None, context_of(PARTNER))

    assert (result.data, result.errors) == ({"secret": "42"}, None)


async def test_admin_may_ask_for_everything():
    admin = replace(PARTNER, scopes=frozenset({Scope.ADMIN}))

    result = await CUPBOARD.execute(QUERY, None, context_of(admin))

    assert result.errors is None
    assert result.data == {"secret": "42", "otherSecret": "43"}


async def test_nobody_is_asked_for_a_token():
    result = await CUPBOARD.execute(QUERY, None, context_of())

    assert result.data is None
    assert [error.extensions for error in result.errors or []] == [{"code": "UNAUTHENTICATED"}] * 2


def test_the_schema_shows_the_scope_a_field_needs():
    sdl = CUPBOARD.as_str()

    assert '"""A secret. Needs the scope `members:read`."""' in sdl
    assert 'secret: String @needsScope(scope: "members:read")' in sdl
    assert "directive @needsScope(scope: String!) on FIELD_DEFINITION" in sdl


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("under another name", "{ a: otherSecret b: otherSecret }"),
        ("in a fragment", IN_A_FRAGMENT),
        ("in a fragment in place", "{ ... on CupboardQuery { otherSecret } }"),
        ("left out by a variable", "{ otherSecret @skip(if: true) }"),
    ],
)
async def test_a_field_is_found_wherever_it_hides_and_named_once(name: str, query: str):
    result = await CUPBOARD.execute(query, None, context_of(PARTNER))

    assert result.data is None
    assert [error.extensions for error in result.errors or []] == [{"code": "FORBIDDEN"}]


async def test_only_the_operation_that_is_run_counts():
    query = "query A { secret } query B { otherSecret }"

    ran = await CUPBOARD.execute(query, None, context_of(PARTNER), operation_name="A")
    other = await CUPBOARD.execute(query, None, context_of(PARTNER), operation_name="B")

    assert ran.data == {"secret": "42"}
    assert [error.extensions for error in other.errors or []] == [{"code": "FORBIDDEN"}]


async def test_members_ask_for_what_is_theirs_without_a_scope():
    member = Viewer(ViewerKind.MEMBER, program_id=UUID(int=1), member_id=UUID(int=4))

    own = await CUPBOARD.execute("{ own mine }", None, context_of(member))
    secret = await CUPBOARD.execute("{ secret }", None, context_of(member))
    partner = await CUPBOARD.execute("{ mine }", None, context_of(PARTNER))
    nobody = await CUPBOARD.execute("{ mine }", None, context_of())

    assert own.data == {"own": "44", "mine": "45"}
    assert [str(error.message) for error in secret.errors or []] == ["This is not for members."]
    assert [str(error.message) for error in partner.errors or []] == ["This is for members only."]
    assert [error.extensions for error in nobody.errors or []] == [{"code": "UNAUTHENTICATED"}]


async def test_what_a_member_names_in_a_mutation_must_be_hers():
    own, other = UUID(int=4), UUID(int=5)
    member = Viewer(ViewerKind.MEMBER, program_id=UUID(int=1), member_id=own)
    query = """mutation ($things: [ID!]!) { keep(input: {things: $things}) {
        cup { number } userErrors { code field } } }"""

    async def keep(viewer: Viewer, *things: str) -> object:
        done = await CUPBOARD.execute(query, {"things": things}, context_of(viewer))
        assert done.data is not None
        return done.data["keep"]

    hers = [encode_id("Purchase", own, UUID(int=9)), encode_id("Program", other), "any text"]
    others = [encode_id("LedgerEntry", other, 1), encode_id("Purchase", other, UUID(int=9))]
    refused = {"cup": None, "userErrors": [{"code": "NOT_FOUND", "field": "things"}]}

    assert await keep(member, *hers) == {"cup": {"number": 3}, "userErrors": []}
    for one in others:
        assert await keep(member, *hers, one) == refused
        adjuster = replace(PARTNER, scopes=frozenset({Scope.POINTS_ADJUST}))
        assert await keep(adjuster, one) == {"cup": {"number": 1}, "userErrors": []}


@pytest.mark.parametrize(
    ("token", "status", "challenge"), [(None, 401, "Bearer"), ("Bearer good", 403, None)]
)
def test_the_status_says_whether_a_token_would_do(
    client: TestClient, token: str | None, status: int, challenge: str | None
):
    headers = {} if token is None else {"Authorization": token}

    answer = client.post("/", json={"query": "{ otherSecret }"}, headers=headers)
    as_json = client.post(
        "/", json={"query": "{ otherSecret }"}, headers={**headers, "Accept": "application/json"}
    )

    assert (answer.status_code, answer.headers.get("www-authenticate")) == (status, challenge)
    assert as_json.status_code == 200
    assert answer.json() == as_json.json()


def test_every_root_field_says_who_may_ask():
    assert undecided(SCHEMA._schema) == []
    assert "CupboardQuery.greeting" in undecided(CUPBOARD._schema)


def test_the_table_of_permissions_is_what_the_schema_declares():
    committed = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8")

    assert document(SCHEMA._schema) == committed, "run `make schema`, and look at what changed"


def test_the_table_names_every_field_for_every_kind_of_viewer():
    table = {row.field: row.cells for row in rows(SCHEMA._schema)}
    text = document(SCHEMA._schema)

    assert table["Query.version"] == ("yes", "yes", "yes", "yes")
    assert table["Query.members"] == ("-", "-", "members:read", "yes")
    assert table["Query.me"] == ("-", "yes", "-", "-")
    assert table["Member.email"] == ("-", "yes", "yes", "yes")
    assert table["Mutation.issuePass"] == ("-", "own", "passes:issue", "yes")
    assert table["LedgerIntegrity.ok"] == ("yes", "yes", "yes", "yes")
    assert table["RedeemRewardPayload.member"] == ("-", "own", "members:read", "yes")
    assert table["Mutation.updateMember"][1] == "own, without externalId"
    assert table["Reward.unitCost"] == ("-", "-", "program:write", "yes")
    assert all(f"`{row.name}`" in text for row in rows(SCHEMA._schema))
    assert "| `webhooks:manage` |" not in text.partition("## Mutations")[0]
