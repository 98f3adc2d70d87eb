import pytest

from loyalty_graph.graphql.negotiation import negotiate

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        (" ", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{JSON};q=0.5, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON};q=0.9", JSON),
        (f"{GRAPHQL};q=0, {JSON};q=0.1", JSON),
        ("Application/JSON", JSON),
        ("text/event-stream", "text/event-stream"),
        (f"{GRAPHQL}, {JSON}, text/event-stream, multipart/mixed", GRAPHQL),
        ("text/html", None),
        ("text/html, */*;q=0.8", JSON),
        (f"{JSON};q=0", None),
        (f"{JSON};q=lots", None),
        ("nonsense", None),
    ],
)
def test_the_best_of_our_media_types_answers(accept: str, media: str | None):
    assert negotiate(accept) == media
