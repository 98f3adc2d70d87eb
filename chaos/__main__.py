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
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import fields
from pathlib import Path
from time import monotonic

import chaos
from chaos.building import town
from chaos.findings import Counts, Round, report
from chaos.servers import SqliteFile, postgres
from chaos.town import LONG, SHORT, Trouble

Troubles = dict[str, dict[str, Trouble]]
DATABASES = ("sqlite", "postgres")
ROUND_S = 180.0
SHORT_S, LONG_S = 46.0, 560.0
COLUMNS = ("database", "name", "seconds", *(one.name for one in fields(Counts)))


def discover(attribute: str = "ROUNDS") -> dict[str, dict[str, Trouble]]:
    """Return every trouble that the modules of this folder list there, by database."""
    found: dict[str, dict[str, Trouble]] = {one: {} for one in DATABASES}
    for module in sorted(pkgutil.iter_modules(chaos.__path__), key=lambda module: module.name):
        if not module.name.startswith("_"):
            rounds = getattr(importlib.import_module(f"chaos.{module.name}"), attribute, {})
            for database, troubles in rounds.items():
                found[database] |= troubles
    return found


def main(arguments: list[str] | None = None) -> int:
    """Make trouble as the options say; return the exit status."""
    known, last = discover(), discover("LAST_ROUNDS")
    names = sorted({name for one in (known, last) for rounds in one.values() for name in rounds})
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Break things.")
    parser.add_argument("--short", action="store_true", help="what fits in a minute, a small town")
    parser.add_argument("--json", action="store_true", help="one JSON object in the end")
    parser.add_argument("--round", action="append", choices=names, help="only this one; repeatable")
    parser.add_argument("--database", choices=DATABASES, help="only this one")
    parser.add_argument("--seed", type=int, help="the same again")
    parser.add_argument("--keep", type=Path, help="a new folder for logs, which stays")
    options = parser.parse_args(arguments)
    logging.disable(logging.ERROR)  # What the phones and fakes of a town say of lost connections.
    rounds = asyncio.run(_all(options, known, last))
    if options.json:
        print(json.dumps(report(rounds)))
    return 0 if all(one.is_clean for one in rounds) else 1


async def _all(options: argparse.Namespace, known: Troubles, last: Troubles) -> list[Round]:
    rounds, seed = [], random.randrange(2**32) if options.seed is None else options.seed
    for database in [options.database] if options.database else DATABASES:
        if again := _chosen(known[database], options):
            rounds += await _on(database, "town", _order(again, seed, options), seed, options)
        once = _chosen(last[database], options)
        if once and (options.round or not options.short):
            # In a town of its own: a process that was killed while its clock was an hour ahead
            # counts as running for as long, and nothing is taken away under one that runs.
            rounds += await _on(database, "last-town", once.items(), seed, options)
    return rounds


def _chosen(troubles: dict[str, Trouble], options: argparse.Namespace) -> dict[str, Trouble]:
    names = options.round or troubles
    return {name: troubles[name] for name in names if name in troubles}


async def _on(
    database: str,
    name: str,
    troubles: Iterable[tuple[str, Trouble]],
    seed: int,
    options: argparse.Namespace,
) -> list[Round]:
    """Make all troubles to one town, one after the other; in the end verify its ledger."""
    rounds: list[Round] = []
    async with AsyncExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos"))
        folder = Path(options.keep or scratch) / database / name
        storage = (
            SqliteFile(folder / "chaos.sqlite3")
            if database == "sqlite"
            else await stack.enter_async_context(postgres())
        )
        size = SHORT if options.short else LONG
        place = await stack.enter_async_context(town(storage, folder, size))
        for number, (what, trouble) in enumerate(troubles):
            rounds.append(await place.play(what, trouble, seed=seed + number, limit_s=ROUND_S))
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
    troubles: dict[str, Trouble], seed: int, options: argparse.Namespace
) -> Iterator[tuple[str, Trouble]]:
    """Yield troubles, shuffled each time, again and again while there is time.

    Those that were asked for by name come once each, however long it takes.
    """
    chance, begun = random.Random(seed), monotonic()
    most_s = (SHORT_S if options.short else LONG_S) / len(DATABASES)
    names: list[str] = []
    while options.round or monotonic() - begun < most_s:
        if not names:
            names = list(troubles)
            chance.shuffle(names)
        yield (name := names.pop()), troubles[name]
        if options.round and not names:
            return


def _tell(one: Round, options: argparse.Namespace) -> None:
    to = sys.stderr if options.json else sys.stdout
    values = one.as_json()
    print("  ".join(f"{name} {values[name]}" for name in COLUMNS), file=to, flush=True)
    for note in one.notes:
        print(f"    {note}", file=to, flush=True)


if __name__ == "__main__":
    sys.exit(main())
