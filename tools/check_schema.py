"""Says whether schema.graphql is what the code serves, and who may ask for it."""

import sys
from difflib import unified_diff
from pathlib import Path

from loyalty_graph.graphql.matrix import undecided
from loyalty_graph.graphql.schema import SCHEMA

COMMITTED = Path(__file__).parents[1] / "schema.graphql"
LINES_SHOWN_MAX = 40


def main() -> int:
    """Compare; return 1 when they differ, or somebody forgot to say who may ask."""
    if open_questions := undecided(SCHEMA._schema):
        print(f"Say who may ask (NeedsScope, NeedsMember, Everybody): {', '.join(open_questions)}")
        return 1
    served = SCHEMA.as_str().splitlines()
    committed = COMMITTED.read_text(encoding="utf-8").splitlines()
    if served == committed:
        return 0
    difference = list(
        unified_diff(committed, served, "schema.graphql", "the code", lineterm="", n=1)
    )
    print("\n".join(difference[:LINES_SHOWN_MAX]))
    print("schema.graphql is not what the code serves: run `make schema` and commit the change.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
