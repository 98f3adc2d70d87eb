"""The steps by which a database came to its present tables: SQL that stays as released.

`NNNN_name.sqlite.sql` and `NNNN_name.postgres.sql` are one step; `state.json` says what the tables
look like after the last. `tools/make_migration.py` writes them.
"""
