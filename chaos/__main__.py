"""Break things while tills trade: `python -m chaos [--short] [--json] [--round NAME] [--seed N]`.

The exit status is 1 when a point was lost, doubled or altered, or a card is wrong.
"""

import argparse
import asyncio
import importlib
import json
import logging
import pkgutil
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import fields
from pathlib import Path
from time import monotonic

import chaos
from chaos.building import town
from chaos.findings import Counts, Round, report
from chaos.servers import SqliteFile, postgres
from chaos.town import LONG, SHORT, Trouble

DATABASES = ("sqlite", "postgres")
SHORT_ROUND_S, LONG_ROUND_S = 120.0, 180.0
LONG_S = 600.0
COLUMNS = ("database", "name", "seconds", *(one.name for one in fields(Counts)))


def discover() -> dict[str, dict[str, Trouble]]:
    """Return every trouble that the modules of this folder list under ROUNDS, by database."""
    found: dict[str, dict[str, Trouble]] = {one: {} for one in DATABASES}
    for module in sorted(pkgutil.iter_modules(chaos.__path__), key=lambda module: module.name):
        if not module.name.startswith("_"):
            rounds = getattr(importlib.import_module(f"chaos.{module.name}"), "ROUNDS", {})
            for database, troubles in rounds.items():
                found[database] |= troubles
    return found


def main(arguments: list[str] | None = None) -> int:
    """Make trouble as the options say; return the exit status."""
    known = discover()
    names = sorted({name for troubles in known.values() for name in troubles})
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Break things.")
    parser.add_argument("--short", action="store_true", help="each trouble once, a small town")
    parser.add_argument("--json", action="store_true", help="one JSON object in the end")
    parser.add_argument("--round", action="append", choices=names, help="only this one; repeatable")
    parser.add_argument("--database", choices=DATABASES, help="only this one")
    parser.add_argument("--seed", type=int, help="the same again")
    parser.add_argument("--keep", type=Path, help="a new folder for logs, which stays")
    options = parser.parse_args(arguments)
    logging.disable(logging.ERROR)  # What the phones and fakes of a town say of lost connections.
    rounds = asyncio.run(_all(options, known))
    if options.json:
        print(json.dumps(report(rounds)))
    return 0 if all(one.is_clean for one in rounds) else 1


async def _all(options: argparse.Namespace, known: dict[str, dict[str, Trouble]]) -> list[Round]:
    rounds, seed = [], random.randrange(2**32) if options.seed is None else options.seed
    for database in [options.database] if options.database else DATABASES:
        troubles = known[database]
        chosen = {name: troubles[name] for name in options.round or troubles if name in troubles}
        if chosen:
            rounds += await _on(database, chosen, seed, options)
    return rounds


async def _on(
    database: str, troubles: dict[str, Trouble], seed: int, options: argparse.Namespace
) -> list[Round]:
    """Make all troubles to one town, in an order that the seed chooses; in the end verify."""
    rounds: list[Round] = []
    async with AsyncExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos"))
        folder = Path(options.keep or scratch) / database
        storage = (
            SqliteFile(folder / "chaos.sqlite3")
            if database == "sqlite"
            else await stack.enter_async_context(postgres())
        )
        size = SHORT if options.short else LONG
        place = await stack.enter_async_context(town(storage, folder, size))
        limit_s = SHORT_ROUND_S if options.short else LONG_ROUND_S
        order = _order(troubles, seed, passes_s=None if options.short else LONG_S / len(DATABASES))
        for number, (name, trouble) in enumerate(order):
            rounds.append(await place.play(name, trouble, seed=seed + number, limit_s=limit_s))
            _tell(rounds[-1], options)
            if not rounds[-1].is_over:
                return rounds  # What is under way would be laid at the door of the next one.
        found = Round("verify", database, seed)
        begun = monotonic()
        found.counts.differences = await place.verify()
        found.seconds = monotonic() - begun
        _tell(found, options)
    return [*rounds, found]


def _order(
    troubles: dict[str, Trouble], seed: int, *, passes_s: float | None
) -> Iterator[tuple[str, Trouble]]:
    """Yield each trouble once, and where there is time again and again, shuffled each time."""
    chance, begun = random.Random(seed), monotonic()
    while True:
        names = list(troubles)
        chance.shuffle(names)
        yield from ((name, troubles[name]) for name in names)
        if passes_s is None or monotonic() - begun > passes_s:
            return


def _tell(one: Round, options: argparse.Namespace) -> None:
    to = sys.stderr if options.json else sys.stdout
    values = one.as_json()
    print("  ".join(f"{name} {values[name]}" for name in COLUMNS), file=to, flush=True)
    for note in one.notes:
        print(f"    {note}", file=to, flush=True)


if __name__ == "__main__":
    sys.exit(main())
