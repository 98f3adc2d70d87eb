"""Writes docs/metrics.md from the metrics themselves, or says that it is stale (--check)."""

import sys
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from loyalty_graph import metrics

TABLE = Path(__file__).parents[1] / "docs" / "metrics.md"
BEGINNING = """\
# Metrics

Made by `make schema` from `metrics.py`; do not edit. A name never changes its meaning; new ones may
be added. How to ask for them, and what to watch, is in [operations.md](operations.md#metrics).

| metric | kind | labels | what it tells |
|---|---|---|---|
"""
ENDING = """
Besides, every process tells `process_*`, `python_info` and `python_gc_*` as prometheus-client
defines them. A histogram `X` has the series `X_bucket`, `X_sum` and `X_count`.

What a label may say is bounded by us and never by a client: `operation` is a root field of
`schema.graphql` (`none` for what could not be read), `route` a path as the server knows it,
`kind` an entry's or a job's kind, `queue` one of `facts`, `card marks`, `apple pushes`,
`google pushes`, `jobs`.

| `result` of an operation | means |
|---|---|
| `done` | it was answered |
| `refused` | a use case refused it (`userErrors`, or an error with the code of a refusal) |
| `bad_request` | it is no valid GraphQL, breaks a limit or does not fit the schema |
| `forbidden` | who asked may not |
| `unavailable` | the database was away |
| `failed` | our mistake: `INTERNAL`, and a traceback in the log |
| `left` | the caller went away before there was an answer |
"""


def table() -> str:
    """Return the text of docs/metrics.md."""
    return BEGINNING + "".join(sorted(_rows())) + ENDING


def _rows() -> Iterator[str]:
    for one in vars(metrics).values():
        if isinstance(one, MetricWrapperBase):
            [told] = one.describe()
            name = f"{told.name}_total" if told.type == "counter" else told.name
            labels = ", ".join(f"`{label}`" for label in one._labelnames)
            yield f"| `{name}` | {told.type} | {labels} | {told.documentation} |\n"


def main(arguments: list[str]) -> int:
    """Write the table, or compare it; return 1 when it is stale."""
    if arguments != ["--check"]:
        TABLE.write_text(table(), encoding="utf-8")
    elif not TABLE.exists() or TABLE.read_text(encoding="utf-8") != table():
        print(
            "docs/metrics.md is not what metrics.py says: run `make schema` and commit the change."
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
