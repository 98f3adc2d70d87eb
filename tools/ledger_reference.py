"""Writes the tables of docs/ledger.md from the code, or says that they are stale (--check)."""

import sys
from collections.abc import Iterator
from pathlib import Path

from loyalty_graph.graphql.error_codes import meaning
from loyalty_graph.ledger import chart, errors

DOCUMENT = Path(__file__).parents[1] / "docs" / "ledger.md"
MARK = "<!-- reference -->\n"


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
    told = [one for one in vars(errors).values() if isinstance(one, type) and "code" in vars(one)]
    yield "\n## Refusals\n\nThose of the ledger; [errors.md](errors.md) has all of them.\n"
    yield "| code | what it means |\n|---|---|"
    yield from (f"| `{one.code}` | {meaning(one)} |" for one in told if one.is_told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
