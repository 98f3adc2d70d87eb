"""Writes docs/errors.md from the errors themselves, or says that it is stale (--check)."""

import sys
from pathlib import Path

from loyalty_graph.graphql.error_codes import TOLD, meaning
from loyalty_graph.graphql.errors import BAD_REQUEST, INTERNAL, UNAVAILABLE

TABLE = Path(__file__).parents[1] / "docs" / "errors.md"
AT_THE_DOOR = {"UNAUTHENTICATED", "FORBIDDEN"}
BEGINNING = """\
# Error codes

Made by `make schema` from `errors.py`; do not edit. A code never changes its meaning, and new ones
may be added: treat one you do not know as a refusal and show its `message`.

A mutation that is refused answers with `userErrors { code message field }` and has changed nothing.
A query that is refused, and whoever may not ask at all, get an entry of `errors` with
`extensions { code field }`.

| code | what it means | told in |
|---|---|---|
"""
ELSEWHERE = {
    BAD_REQUEST: "The request is no valid GraphQL, breaks a limit, or does not fit the schema.",
    UNAVAILABLE: "The database cannot be used now; try again, with the same idempotency key.",
    INTERNAL: "Something went wrong on our side; `extensions.requestId` stands in the log.",
}


def table() -> str:
    """Return the text of docs/errors.md."""
    rows = [
        (code, meaning(kind), "errors" if code in AT_THE_DOOR else "userErrors, errors")
        for code, kind in TOLD.items()
    ]
    rows += [(code, what, "errors") for code, what in ELSEWHERE.items()]
    return BEGINNING + "".join(f"| `{code}` | {what} | {place} |\n" for code, what, place in rows)


def main(arguments: list[str]) -> int:
    """Write the table, or compare it; return 1 when it is stale."""
    if arguments != ["--check"]:
        TABLE.write_text(table(), encoding="utf-8")
    elif not TABLE.exists() or TABLE.read_text(encoding="utf-8") != table():
        print("docs/errors.md is not what errors.py says: run `make schema` and commit the change.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
