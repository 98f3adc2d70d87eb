from dataclasses import replace

from loyalty_graph.identity.rules import Scope
from tests.graphql.conftest import CUPBOARD, PARTNER, context_of

QUERY = "{ secret otherSecret }"


async def test_a_field_is_answered_to_those_with_its_scope():
    result = await CUPBOARD.execute(QUERY, None, context_of(PARTNER))

    assert result.data == {"secret": "42", "otherSecret": None}
    (error,) = result.errors or []
    assert error.message == "This needs the scope points:adjust."
    assert error.extensions == {"code": "FORBIDDEN"}


async def test_admin_may_ask_for_everything():
    admin = replace(PARTNER, scopes=frozenset({Scope.ADMIN}))

    result = await CUPBOARD.execute(QUERY, None, context_of(admin))

    assert result.errors is None
    assert result.data == {"secret": "42", "otherSecret": "43"}


async def test_nobody_is_asked_for_a_token():
    result = await CUPBOARD.execute(QUERY, None, context_of())

    assert result.data == {"secret": None, "otherSecret": None}
    assert [error.extensions for error in result.errors or []] == [{"code": "UNAUTHENTICATED"}] * 2


def test_the_schema_shows_the_scope_a_field_needs():
    sdl = CUPBOARD.as_str()

    assert '"""A secret. Needs the scope `members:read`."""' in sdl
    assert 'secret: String @needsScope(scope: "members:read")' in sdl
    assert "directive @needsScope(scope: String!) on FIELD_DEFINITION" in sdl
