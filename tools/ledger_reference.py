"""Writes the tables of docs/ledger.md from the code, or says that they are stale (--check)."""

import sys
from collections.abc import Iterator
from pathlib import Path

from loyalty_graph.graphql.error_codes import TOLD, meaning
from loyalty_graph.ledger import chart
from loyalty_graph.ledger import errors as ledger_errors
from loyalty_graph.purchases import errors as purchase_errors

DOCUMENT = Path(__file__).parents[1] / "docs" / "ledger.md"
MARK = "<!-- reference -->\n"
GENERAL = (
    "INVALID_INPUT",
    "NOT_FOUND",
    "MEMBER_NOT_ACTIVE",
    "INSUFFICIENT_POINTS",
    "IDEMPOTENCY_MISMATCH",
    "DUPLICATE_PURCHASE",
    "DUPLICATE_REFUND",
    "REFUND_TOO_LARGE",
    "STALE_VERSION",
)
"""Refusals that are not the ledger's alone, and that whoever moves points meets."""


def main(arguments: list[str]) -> int:
    """Write the tables, or only look; return 1 when they are not what they should be."""
    text = DOCUMENT.read_text(encoding="utf-8")
    written, _, _ = text.partition(MARK)
    current = f"{written}{MARK}{reference()}"
    if arguments != ["--check"]:
        DOCUMENT.write_text(current, encoding="utf-8")
    elif current != text:
        print("docs/ledger.md is not what the code says: run `make schema` and commit it.")
        return 1
    return 0


def reference() -> str:
    """Return the tables of books, kinds and refusals."""
    return "\n".join([*_books(), *_kinds(), *_refusals()]) + "\n"


def _books() -> Iterator[str]:
    yield "\n## Chart of accounts\n\n| book | holds |\n|---|---|"
    yield from (f"| {book} | {means} |" for book, means in chart.MEANS.items())


def _kinds() -> Iterator[str]:
    yield "\n## Kinds of entries\n\n| kind | from | to | lots | when |\n|---|---|---|---|---|"
    for kind, leg in chart.rows():
        yield f"| {kind} | {leg.debit} | {leg.credit} | {leg.lots} | {leg.when} |"


def _refusals() -> Iterator[str]:
    own = (ledger_errors.__name__, purchase_errors.__name__)
    told = {code: TOLD[code] for code in GENERAL}
    told |= {code: kind for code, kind in TOLD.items() if kind.__module__ in own}
    yield "\n## Refusals\n\nWhat moving points, buying and bringing back may be answered with."
    yield "A refusal has changed nothing. [errors.md](errors.md) has all codes.\n"
    yield "| code | what it means |\n|---|---|"
    yield from (f"| `{code}` | {meaning(kind)} |" for code, kind in told.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
