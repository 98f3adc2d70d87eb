"""Two versions of a small shop's migrations: a column is added, filled, and another dropped."""

from pathlib import Path

BEGIN = """CREATE TABLE sale (
    program_id VARCHAR(10) NOT NULL, number INT NOT NULL, total INT NOT NULL,
    PRIMARY KEY (program_id, number)
);"""
EXPAND = "ALTER TABLE sale ADD COLUMN net INT;"
BACKFILL = """-- rows: sale (program_id, number)
UPDATE sale SET net = total * 2 WHERE net IS NULL AND :batch;"""
CONTRACT = "ALTER TABLE sale DROP COLUMN total;"
INDEX = 'CREATE UNIQUE INDEX CONCURRENTLY "sale_net" ON sale (net);'

OLDER = {"0001_begin": ("contract", BEGIN)}
NEWER = OLDER | {
    "0002_net": ("expand", EXPAND),
    "0003_fill_net": ("backfill", BACKFILL),
    "0004_drop_total": ("contract", CONTRACT),
}


def steps_in(folder: Path, steps: dict[str, tuple[str, str]]) -> Path:
    """Write a folder of migrations, each for both databases."""
    folder.mkdir(exist_ok=True)
    for name, (phase, sql) in steps.items():
        for dialect in ("sqlite", "postgres"):
            (folder / f"{name}.{dialect}.sql").write_text(f"-- phase: {phase}\n{sql}\n")
    return folder


def sales(first: int, last: int) -> str:
    """Return the statement by which older code records sales with these numbers."""
    rows = ", ".join(f"('shop', {number}, {number})" for number in range(first, last + 1))
    return f"INSERT INTO sale (program_id, number, total) VALUES {rows}"  # noqa: S608 - numbers
