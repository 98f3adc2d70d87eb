"""Reads from a database's own catalogue what tables there are, as data that can be compared."""

from typing import Any

from tortoise.connection import get_connection

Catalogue = dict[str, dict[str, Any]]

POSTGRES_COLUMNS = """SELECT class.relname::text AS "table", attribute.attname::text AS name,
    format_type(attribute.atttypid, attribute.atttypmod) AS type,
    NOT attribute.attnotnull AS "null",
    pg_get_expr(def.adbin, def.adrelid) AS "default", attribute.attidentity::text AS identity
FROM pg_attribute AS attribute
JOIN pg_class AS class ON class.oid = attribute.attrelid
LEFT JOIN pg_attrdef AS def ON def.adrelid = class.oid AND def.adnum = attribute.attnum
WHERE class.relkind = 'r' AND class.relnamespace = current_schema()::regnamespace
    AND attribute.attnum > 0 AND NOT attribute.attisdropped"""
POSTGRES_PARTS = """
SELECT tablename::text AS "table", 'indexes' AS part, indexname::text AS name, indexdef AS sql
FROM pg_indexes WHERE schemaname = current_schema()
UNION ALL
SELECT class.relname::text, CASE contype WHEN 'p' THEN 'primary key' WHEN 'c' THEN 'checks'
    WHEN 'f' THEN 'foreign keys' ELSE 'constraints' END, conname::text,
    pg_get_constraintdef(con.oid)
FROM pg_constraint AS con JOIN pg_class AS class ON class.oid = con.conrelid
WHERE connamespace = current_schema()::regnamespace AND contype <> 'n'
UNION ALL
SELECT class.relname::text, 'triggers', tgname::text, pg_get_triggerdef(trigger.oid)
FROM pg_trigger AS trigger JOIN pg_class AS class ON class.oid = trigger.tgrelid
WHERE NOT tgisinternal AND class.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT relname::text, 'options', option, option FROM pg_class, unnest(reloptions) AS option
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"""


async def catalogue(
    *, without: tuple[str, ...] = ("applied_migration", "running_process")
) -> Catalogue:
    """Return by table: columns, primary key, indexes, checks, foreign keys, triggers, options."""
    if get_connection("default").capabilities.dialect == "sqlite":
        found = await _sqlite()
    else:
        found = await _postgres()
    return {name: parts for name, parts in found.items() if name not in without}


async def _postgres() -> Catalogue:
    client = get_connection("default")
    tables: Catalogue = {}
    for row in await client.execute_query_dict(POSTGRES_COLUMNS):
        column = {key: value for key, value in row.items() if key not in ("table", "name")}
        tables.setdefault(row["table"], {}).setdefault("columns", {})[row["name"]] = column
    for row in await client.execute_query_dict(POSTGRES_PARTS):
        tables[row["table"]].setdefault(row["part"], {})[row["name"]] = row["sql"]
    return tables


async def _sqlite() -> Catalogue:
    client = get_connection("default")
    tables: Catalogue = {}
    objects = await client.execute_query_dict(
        'SELECT type, name, tbl_name AS "table", sql FROM sqlite_master'
        " WHERE name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY type = 'table' DESC"
    )
    for row in objects:
        if row["type"] == "table":
            tables[row["name"]] = await _sqlite_table(row["name"], row["sql"])
        else:
            parts = {"index": "indexes", "trigger": "triggers"}[row["type"]]
            tables[row["table"]].setdefault(parts, {})[row["name"]] = row["sql"]
    return tables


async def _sqlite_table(name: str, sql: str) -> dict[str, Any]:
    client = get_connection("default")
    columns = await client.execute_query_dict(f"PRAGMA table_info('{name}')")
    keys = await client.execute_query_dict(f"PRAGMA foreign_key_list('{name}')")
    clauses = [line.strip().rstrip(",") for line in sql.splitlines()]
    found: dict[str, Any] = {
        "columns": {
            column["name"]: {
                "type": column["type"],
                "null": not column["notnull"],
                "default": column["dflt_value"],
            }
            for column in columns
        },
        "primary key": [
            column["name"]
            for column in sorted(columns, key=lambda column: column["pk"])
            if column["pk"]
        ],
        "automatic": "AUTOINCREMENT" in sql,
    }
    # No pragma tells the checks, so they are read from the text, where each has its own line.
    checks = {clause.split('"')[1]: clause for clause in clauses if " CHECK (" in clause}
    foreign = {key["from"]: (key["table"], key["to"], key["on_delete"]) for key in keys}
    return (
        found
        | ({"checks": checks} if checks else {})
        | ({"foreign keys": foreign} if foreign else {})
    )
