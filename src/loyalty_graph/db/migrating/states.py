"""What the tables look like after the newest migration: `state.json` beside the migrations."""

from collections.abc import Iterable
from importlib.resources.abc import Traversable

from pydantic import TypeAdapter
from tortoise import Model

from loyalty_graph.db.schema import DIALECTS, Dialect, Table, describe_all

STATE_FILE = "state.json"
State = dict[Dialect, list[Table]]
"""The tables on each database, in order of reference."""

_JSON = TypeAdapter(State)


def state_of(models: Iterable[type[Model]]) -> State:
    """Return what the initialised models say."""
    found = list(models)
    return {dialect: describe_all(found, dialect) for dialect in DIALECTS}


def read_state(folder: Traversable) -> State:
    """Return what a folder of migrations leads to; no tables when it has no migration yet."""
    file = folder / STATE_FILE
    if not file.is_file():
        return {dialect: [] for dialect in DIALECTS}
    return _JSON.validate_json(file.read_text(encoding="utf-8"))


def state_text(state: State) -> str:
    """Return the state as the text of its file."""
    return _JSON.dump_json(state, indent=1, exclude_defaults=True).decode() + "\n"
