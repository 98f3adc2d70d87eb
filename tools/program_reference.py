"""Writes the tables in docs/programmes.md from the code, or says that they are stale (--check)."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loyalty_graph.conditions.vocabulary import Term
from loyalty_graph.earning.vocabulary import ACTIVITIES, PURCHASES
from loyalty_graph.segments.vocabulary import MEMBERS
from loyalty_graph.usecases.program_file import ProgramFile
from loyalty_graph.usecases.program_schema import json_schema

DOCUMENT = Path(__file__).parents[1] / "docs" / "programmes.md"
MARK = "<!-- reference -->\n"
HEADERS = {
    "program": "[program]",
    "points": "[program.points]",
    "expiry": "[program.points.expiry]",
    "payment": "[program.points.payment]",
    "transfers": "[program.points.transfers]",
    "branding": "[branding]",
    "stores": "[[stores]]",
    "exchange_rates": "[[exchange_rates]]",
    "earning": "[earning]",
    "default_rate": "[earning.default_rate]",
    "rates": "[[earning.rates]]",
    "rules": "[[earning.rules]]",
    "offers": "[[earning.offers]]",
    "levels": "[[tiers.levels]]",
    "tiers": "[tiers]",
}
INLINE = {"rate", "steps", "caps", "budget", "schedule"}
"""Tables that are written where they belong, without a header."""


def main(arguments: list[str]) -> int:
    """Write the tables, or only look; return 1 when they are not what they should be."""
    text = DOCUMENT.read_text(encoding="utf-8")
    written, _, _ = text.partition(MARK)
    current = f"{written}{MARK}{reference()}"
    if arguments != ["--check"]:
        DOCUMENT.write_text(current, encoding="utf-8")
    elif current != text:
        print("docs/programmes.md is not what the code says: run `make schema` and commit it.")
        return 1
    return 0


def reference() -> str:
    """Return the tables of all terms and settings."""
    return "\n".join([*_terms(), *_settings(json_schema(ProgramFile))]) + "\n"


def _terms() -> Iterator[str]:
    only = {
        "Of the member (everywhere)": MEMBERS.terms,
        "Of a purchase": {n: t for n, t in PURCHASES.terms.items() if n not in MEMBERS.terms},
        "Of an activity": {n: t for n, t in ACTIVITIES.terms.items() if n not in PURCHASES.terms},
        "Of a line": PURCHASES.line_terms,
    }
    for heading, terms in only.items():
        yield f"\n**{heading}**\n\n| term | |\n|---|---|"
        yield from (f"| `{name}` | {_told(term)} |" for name, term in terms.items())


def _told(term: Term) -> str:
    if term.choices is None:
        return term.description
    return f"{term.description} {', '.join(f'`{one}`' for one in map(str, term.choices))}"


def _settings(schema: dict[str, Any]) -> Iterator[str]:
    yield "\n## All settings\n\nWhat stands in **bold** must be given."
    yield from _table("The file", schema, schema, set())


def _table(
    heading: str, part: dict[str, Any], schema: dict[str, Any], seen: set[str]
) -> Iterator[str]:
    yield f"\n### {heading}\n\n| setting | |\n|---|---|"
    required = part.get("required", ())
    below = []
    for name, setting in part["properties"].items():
        shown = f"**`{name}`**" if name in required else f"`{name}`"
        kinds = [one for one in _kinds(setting) if "Condition" not in one]
        words = [word for kind in kinds for word in schema["$defs"][kind].get("enum", ())]
        told = f" {', '.join(f'`{word}`' for word in words)}" if words else ""
        yield f"| {shown} | {setting['description']}{told} |"
        below += [(name, kind) for kind in kinds if "properties" in schema["$defs"][kind]]
    for name, kind in below:
        if kind not in seen:
            seen.add(kind)
            inner = HEADERS.get(name, name if name in INLINE else f"[[{name}]]")
            yield from _table(inner, schema["$defs"][kind], schema, seen)


def _kinds(setting: dict[str, Any]) -> Iterator[str]:
    if "$ref" in setting:
        yield setting["$ref"].rpartition("/")[2]
    for several in ("anyOf", "oneOf", "allOf"):
        for one in setting.get(several, ()):
            yield from _kinds(one)
    if isinstance(setting.get("items"), dict):
        yield from _kinds(setting["items"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
