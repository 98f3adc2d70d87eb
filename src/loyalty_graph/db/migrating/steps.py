"""What a folder of migrations holds: steps in order, each with its phase, as SQL of one database.

The head of a file says what the step is (decision 9):

    -- phase: expand

    -- phase: backfill
    -- rows: purchase (program_id, member_id, id)
    UPDATE purchase SET net_minor = total_minor WHERE net_minor IS NULL AND :batch;
"""

import re
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Literal, cast, get_args

from loyalty_graph.db.schema import Dialect

Phase = Literal["expand", "backfill", "contract"]
"""Adds what older code does not mind; fills it in row by row; removes what older code needs."""
Key = tuple[str, ...]

_PHASE = re.compile(r"^-- phase: (\w+)$", re.MULTILINE)
_ROWS = re.compile(r"^-- rows: (\w+) \((\w+(?:, \w+)*)\)$", re.MULTILINE)
_INDEX = re.compile(
    r"^\s*(?:CREATE (?:UNIQUE )?|DROP )INDEX CONCURRENTLY (?:IF (?:NOT )?EXISTS )?\"?(\w+)\"?",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"^--.*$", re.MULTILINE)


@dataclass(frozen=True)
class Migration:
    """One step, as it reads on one database."""

    name: str
    script: str
    phase: Phase

    @property
    def concurrent(self) -> list[tuple[str, str]]:
        """Return the indexes that are made or dropped beside writers, each with its statement.

        PostgreSQL does that outside of a transaction only, so nothing else is in such a step.
        """
        if "CONCURRENTLY" not in self.script:
            return []
        statements = [one for one in _COMMENT.sub("", self.script).split(";") if one.strip()]
        found = [(match[1], one.strip()) for one in statements if (match := _INDEX.match(one))]
        assert len(found) == len(statements), f"{self.name}: only indexes go CONCURRENTLY, alone"
        return found

    @property
    def backfill(self) -> "Backfill":
        """Return how the rows of a backfill are filled."""
        rows = _ROWS.search(self.script)
        assert rows is not None, f"{self.name}: a backfill says `-- rows: table (key, columns)`"
        statement = _COMMENT.sub("", self.script).strip()
        assert ":batch" in statement, f"{self.name}: a backfill changes the rows of its :batch"
        return Backfill(rows[1], tuple(rows[2].split(", ")), statement)


@dataclass(frozen=True)
class Backfill:
    """A statement that fills rows, and the key by which they are taken batch by batch."""

    table: str
    key: tuple[str, ...]
    statement: str

    def last_of_batch(self, after: Key | None, size: int) -> str:
        """Return the query of the key that ends the next batch; it finds none for the last one."""
        columns = ", ".join(f"CAST({name} AS TEXT)" for name in self.key)
        order = ", ".join(self.key)
        return (
            f"SELECT {columns} FROM {self.table} WHERE {self._beyond(after)}"
            f" ORDER BY {order} LIMIT 1 OFFSET {size - 1}"
        )

    def filling(self, after: Key | None, last: Key | None) -> str:
        """Return the statement for the rows after a key, up to another one if there is one."""
        until = f" AND ({', '.join(self.key)}) <= {_row(last)}" if last else ""
        return self.statement.replace(":batch", f"({self._beyond(after)}{until})")

    def _beyond(self, after: Key | None) -> str:
        return f"({', '.join(self.key)}) > {_row(after)}" if after else "1 = 1"


def _row(key: Key) -> str:
    return "(" + ", ".join("'" + value.replace("'", "''") + "'" for value in key) + ")"


def load(folder: Traversable, dialect: Dialect) -> list[Migration]:
    """Return the migrations of a folder for one database, in order."""
    ending = f".{dialect}.sql"
    found = sorted(
        (file for file in folder.iterdir() if file.name.endswith(ending)),
        key=lambda file: file.name,
    )
    numbers = [file.name[:4] for file in found]
    assert numbers == [f"{number:04d}" for number in range(1, len(found) + 1)], (
        f"migrations must be numbered 0001, 0002 and so on, each once; there are {numbers}"
    )
    return [
        _read(file.name.removesuffix(ending), file.read_text(encoding="utf-8")) for file in found
    ]


def _read(name: str, script: str) -> Migration:
    """Return a step; the first one makes all tables, and no version is older than it."""
    said = _PHASE.search(script)
    phase = said[1] if said else "contract"
    assert phase in get_args(Phase), f"{name}: {phase!r} is no phase"
    assert said or name.startswith("0001"), f"{name}: its head does not say `-- phase: ...`"
    return Migration(name, script, cast("Phase", phase))
