"""Write the next migration from what the models say now."""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from tortoise import Model, Tortoise
from tortoise.context import TortoiseContext

from loyalty_graph import migrations
from loyalty_graph.db.ddl import script
from loyalty_graph.db.migrating.changes import changes, expands, losses, unfillable
from loyalty_graph.db.migrating.states import STATE_FILE, read_state, state_of, state_text
from loyalty_graph.db.opening import APP_LABEL, MODEL_MODULES
from loyalty_graph.db.schema import DIALECTS

FOLDER = Path(migrations.__path__[0])
HEAD = "-- {name}: read it, amend it while it is new, never change it once it is released.\n"
PHASE = "-- phase: {phase}\n"


def main() -> int:
    """Write the files and name them; return 1 and say why where that cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="what the step does, for example add_member_phone")
    parser.add_argument(
        "--allow-loss", action="store_true", help="throw away the contents of removed columns"
    )
    parser.add_argument(
        "--filled", action="store_true", help="a backfill has filled what must not be empty now"
    )
    arguments = parser.parse_args()
    models = models_in(MODEL_MODULES)
    try:
        written = write_migration(
            FOLDER,
            arguments.name,
            models,
            allow_loss=arguments.allow_loss,
            filled=arguments.filled,
        )
    except ValueError as refusal:
        print(refusal, file=sys.stderr)
        return 1
    print("\n".join(str(path) for path in written) or "nothing to do")
    return 0


def models_in(modules: Iterable[str]) -> list[type[Model]]:
    """Return the models of these modules, with their relations."""
    names = list(modules)
    if not names:
        return []
    with TortoiseContext() as context:
        Tortoise.init_models(names, APP_LABEL)
        assert context.apps is not None, "init_models has just made them"
        return list(context.apps.get_models_iterable())


def write_migration(
    folder: Path,
    name: str,
    models: Iterable[type[Model]],
    *,
    allow_loss: bool = False,
    filled: bool = False,
) -> list[Path]:
    """Write the step from the folder's state to the models, and the new state; return the files.

    Raises:
        ValueError: the name will not do, or rows would be lost or not filled; nothing is written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"{name!r} will not do; write it like add_member_phone.")
    old, new = read_state(folder), state_of(models)
    statements = {dialect: changes(old[dialect], new[dialect], dialect) for dialect in DIALECTS}
    if not any(statements.values()):
        return []
    if (empty := unfillable(old["sqlite"], new["sqlite"])) and not filled:
        raise ValueError(
            f"Rows that exist already need a value in {', '.join(empty)}: give the field a"
            " db_default (default= is known to Python only), or let it be null, or say --filled"
            " after a backfill."
        )
    if (lost := losses(old["sqlite"], new["sqlite"])) and not allow_loss:
        raise ValueError(
            f"This throws away {', '.join(lost)}. Say --allow-loss if that is meant; for a new"
            " name make two steps (add and copy, then remove)."
        )
    number = len(list(folder.glob("[0-9]*.sqlite.sql"))) + 1
    step = f"{number:04d}_{name}"
    phase = "expand" if expands(old["sqlite"], new["sqlite"]) else "contract"
    head = HEAD.format(name=step) + (PHASE.format(phase=phase) if number > 1 else "") + "\n"
    written = []
    for dialect in DIALECTS:
        path = folder / f"{step}.{dialect}.sql"
        path.write_text(head + script(statements[dialect]), encoding="utf-8")
        written.append(path)
    (folder / STATE_FILE).write_text(state_text(new), encoding="utf-8")
    return written


if __name__ == "__main__":
    sys.exit(main())
