"""A live operation asked for in a way that cannot carry it is refused in words."""

import pytest

from tests.api import ADMIN, Api

LISTEN = "subscription { eventStream { sequence } }"
ASK_FOR_A_STREAM = (
    "A subscription answers many times: ask with Accept: text/event-stream, or over WebSocket."
)


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
def test_a_subscription_needs_a_stream(api: Api, accept: str):
    headers = {"Authorization": f"Bearer {api.token(ADMIN)}", "Accept": accept}

    answer = api.client.post("/graphql", json={"query": LISTEN}, headers=headers)

    assert answer.status_code == 400
    assert answer.json() == {
        "errors": [{"message": ASK_FOR_A_STREAM, "extensions": {"code": "BAD_REQUEST"}}]
    }
