"""A next version of the code, made from this one: it replaces a column of purchases in three steps.

Purchases tell their tax no more but what was paid with it (`gross_minor`). The step that expands
keeps both columns right whichever version writes, the next one fills the rows there were, and the
last one removes the column that only this version reads. Its commands and their answers have a
field more, so that a retry meets what another version kept.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from loyalty_graph.config import PACKAGE, bundled
from loyalty_graph.db.ddl import script
from loyalty_graph.db.migrating.changes import changes
from loyalty_graph.db.migrating.states import STATE_FILE, read_state, state_text
from loyalty_graph.db.schema import DIALECTS, Column, Dialect, Table

NEXT = "0.2.0"
PACKED = ("passes/templates", "presets", "schema.graphql")
PURCHASE = "purchase"
GROSS = "gross_minor"
EXPAND, BACKFILL, CONTRACT = "gross", "fill_gross", "drop_tax"

KEEP_BOTH: Mapping[Dialect, str] = {
    "sqlite": """
CREATE TRIGGER "purchase_keeps_both" AFTER INSERT ON "purchase"
WHEN NEW."tax_minor" IS NULL OR NEW."gross_minor" IS NULL
BEGIN
    UPDATE "purchase" SET
        "tax_minor" = COALESCE("tax_minor", "gross_minor" - "total_minor"),
        "gross_minor" = COALESCE("gross_minor", "total_minor" + "tax_minor")
    WHERE rowid = NEW.rowid;
END;
""",
    "postgres": """
CREATE FUNCTION "purchase_both"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.tax_minor := COALESCE(NEW.tax_minor, NEW.gross_minor - NEW.total_minor);
    NEW.gross_minor := COALESCE(NEW.gross_minor, NEW.total_minor + NEW.tax_minor);
    RETURN NEW;
END $$;
CREATE TRIGGER "purchase_keeps_both" BEFORE INSERT ON "purchase"
FOR EACH ROW EXECUTE FUNCTION "purchase_both"();
""",
}
STOP_KEEPING: Mapping[Dialect, str] = {
    "sqlite": 'DROP TRIGGER "purchase_keeps_both";\n',
    "postgres": (
        'DROP TRIGGER "purchase_keeps_both" ON "purchase";\nDROP FUNCTION "purchase_both"();\n'
    ),
}
FILL = """-- rows: purchase (program_id, member_id, id)

UPDATE "purchase" SET "gross_minor" = "total_minor" + "tax_minor"
WHERE "gross_minor" IS NULL AND :batch;
"""

PATCHES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "__init__.py": (('"0.1.0"', f'"{NEXT}"'),),
    "purchases/models.py": (
        (
            "total_minor: int = fields.BigIntField()\n    tax_minor: int",
            "total_minor: int = fields.BigIntField()\n    gross_minor: int",
        ),
    ),
    "purchases/service.py": (
        ('"total_minor",\n    "tax_minor",', '"total_minor",\n    "gross_minor",'),
        (
            "sum(line.tax_minor for line in one.lines)",
            "one.total_minor + sum(line.tax_minor for line in one.lines)",
        ),
    ),
    "purchases/reads.py": (
        ("total_minor: int\n    tax_minor: int", "total_minor: int\n    gross_minor: int"),
    ),
    # Fields more in what a caller asked, in what he was answered, and in what others are told.
    "usecases/purchase_command.py": (
        ('"currency": self.currency,\n        }', '"currency": self.currency, "tip": None}'),
        ('"balance": self.balance_points,', '"balance": self.balance_points, "tip": None,'),
    ),
    "graphql/purchases.py": (("bought.tax_minor", "bought.gross_minor - bought.total_minor"),),
}


def next_version(folder: Path) -> dict[str, str]:
    """Write the next version of the code; return the environment in which `python -m` runs it.

    `python -m loyalty_graph serve`, `worker` and `migrate` then are the next version's, wherever
    they are started but in a folder that holds a package of this name.
    """
    # By this name the coverage of tests knows what is not to be measured.
    home = folder / "installed"
    package = home / "loyalty_graph"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("_bundled"))
    for name in PACKED:
        copy = shutil.copytree if bundled(name).is_dir() else shutil.copy
        (package / "_bundled" / name).parent.mkdir(parents=True, exist_ok=True)
        copy(bundled(name), package / "_bundled" / name)
    for name, patches in PATCHES.items():
        _patch(package / name, patches)
    _add_steps(package / "migrations")
    return {**os.environ, "PYTHONPATH": str(home)}


def steps(folder: Path) -> list[str]:
    """Return the names of the steps that the next version adds to a folder of migrations."""
    count = len(list(folder.glob("[0-9]*.sqlite.sql")))
    return [f"{count + n:04d}_{what}" for n, what in enumerate((EXPAND, BACKFILL, CONTRACT), 1)]


def _patch(file: Path, patches: tuple[tuple[str, str], ...]) -> None:
    text = file.read_text()
    for old, new in patches:
        assert text.count(old) == 1, f"{file.name} says {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    file.write_text(text)


def _add_steps(folder: Path) -> None:
    expand, backfill, contract = steps(folder)
    state = read_state(folder)
    for dialect in DIALECTS:
        now = state[dialect]
        both = list(_changed(now, _both))
        then = list(_changed(both, _gross_only))
        texts = {
            expand: "-- phase: expand\n" + script(changes(now, both, dialect)) + KEEP_BOTH[dialect],
            backfill: "-- phase: backfill\n" + FILL,
            contract: "-- phase: contract\n"
            + STOP_KEEPING[dialect]
            + script(changes(both, then, dialect)),
        }
        for name, text in texts.items():
            (folder / f"{name}.{dialect}.sql").write_text(text)
        state[dialect] = then
    (folder / STATE_FILE).write_text(state_text(state))


def _changed(tables: list[Table], change: Callable[[Column], list[Column]]) -> Iterator[Table]:
    for table in tables:
        if table.name == PURCHASE:
            columns = tuple(new for column in table.columns for new in change(column))
            yield replace(table, columns=columns)
        else:
            yield table


def _both(column: Column) -> list[Column]:
    if column.name != "tax_minor":
        return [column]
    optional = replace(column, null=True)
    return [optional, replace(optional, name=GROSS)]


def _gross_only(column: Column) -> list[Column]:
    if column.name == "tax_minor":
        return []
    return [replace(column, null=False) if column.name == GROSS else column]
