"""Which media type answers a request (RFC 9110, section 12.5, as GraphQL over HTTP uses it)."""

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"

# A range that names several types stands for the first: JSON, for clients older than GraphQL's own.
OFFERS = {
    GRAPHQL_RESPONSE: GRAPHQL_RESPONSE,
    JSON: JSON,
    "application/*": JSON,
    "*/*": JSON,
    EVENT_STREAM: EVENT_STREAM,
}


def negotiate(accept: str) -> str | None:
    """Return the media type to answer with, or `None` when the client takes none of ours.

    Of equal preferences the first stands. No header at all means JSON.
    """
    if not accept.strip():
        return JSON
    best, best_quality = None, 0.0
    for media_range in accept.split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        quality = _quality(parameters)
        if name in OFFERS and quality > best_quality:
            best, best_quality = OFFERS[name], quality
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
