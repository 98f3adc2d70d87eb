"""Run the suites of this folder: `python -m bench [--long] [--suite NAME] [--json]`.

A suite is a function that returns rows; a module lists its own under `SUITES`, or under
`LONG_SUITES` when it takes minutes; `--long` chooses the latter where a name has both. The exit
status is 1 when a bar does not hold.
"""

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Iterable

import bench
from bench.rows import Row

Suite = Callable[[], list[Row]]
COLUMNS = ("name", "value", "unit", "against", "against_value", "ratio", "bar", "holds")


def discover(attribute: str = "SUITES") -> dict[str, Suite]:
    """Return every suite that the modules of this folder list under `attribute`, by name."""
    found: dict[str, Suite] = {}
    for module in sorted(pkgutil.iter_modules(bench.__path__), key=lambda module: module.name):
        if not module.name.startswith("_"):
            suites = getattr(importlib.import_module(f"bench.{module.name}"), attribute, {})
            for name, suite in suites.items():
                found[name] = joined(found[name], suite) if name in found else suite
    return found


def joined(one: Suite, other: Suite) -> Suite:
    """Return a suite of two modules' rows."""
    return lambda: [*one(), *other()]


def main(arguments: list[str] | None = None) -> int:
    usual, long = discover("SUITES"), discover("LONG_SUITES")
    known = {**long, **usual}
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure.")
    parser.add_argument("--suite", choices=sorted(known), help="only this one")
    parser.add_argument("--long", action="store_true", help="the ones that take minutes")
    parser.add_argument("--json", action="store_true", help="one JSON line for each row")
    options = parser.parse_args(arguments)
    held = True
    for name in [options.suite] if options.suite else sorted(long if options.long else usual):
        rows = (long.get(name, known[name]) if options.long else known[name])()
        held &= all(row["holds"] is not False for row in rows)
        print("\n".join(map(json.dumps, rows)) if options.json else table(rows), flush=True)
    return 0 if held else 1


def table(rows: Iterable[Row]) -> str:
    """Return the rows under a heading, columns aligned."""
    cells = [list(COLUMNS)]
    for row in rows:
        named = {**row, "name": f"{row['suite']}.{row['name']}"}
        cells.append([shown(named.get(column)) for column in COLUMNS])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
