"""What stands of a person in our tables, as the models say: all of it read, all of it erased."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from tortoise import Model
from tortoise.context import require_context
from tortoise.fields import BinaryField, JSONField

from loyalty_graph.db.constraints import Personal
from loyalty_graph.db.transactions import assert_in_transaction

OWNER = "member_id"


def personal(model: type[Model]) -> Personal | None:
    """Return what a model calls personal; None when that is nothing."""
    found = [one for one in model._meta.constraints if isinstance(one, Personal)]
    assert len(found) <= 1, f"{model.__name__}: say what is personal once"
    return found[0] if found else None


async def erase(program_id: UUID, member_id: UUID, *, only: str | None = None) -> None:
    """Empty whatever stands of a person, in every table or in one; ids and moments stay."""
    assert_in_transaction()
    for model in models():
        said = personal(model)
        if said is None or only not in (None, model._meta.db_table):
            continue
        rows = model.filter(**{"program_id": program_id, said.of: member_id})
        if said.rows:
            await rows.delete()
        else:
            await rows.update(**{name: empty(model, name) for name in said.columns})


def empty(model: type[Model], name: str) -> Any:
    """Return what an erased column holds."""
    field = model._meta.fields_map[name]
    if field.null:
        return None
    if isinstance(field, JSONField):
        return {}
    return b"" if isinstance(field, BinaryField) else ""


async def rows_of(program_id: UUID, member_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """Return every row about a person, whole, by the name of its table, in a lasting order."""
    found = {}
    for model in models():
        said = personal(model)
        owner = said.of if said else OWNER
        if owner in model._meta.fields_db_projection and "program_id" in model._meta.fields_map:
            rows = model.filter(**{"program_id": program_id, owner: member_id})
            found[model._meta.db_table] = await rows.order_by(*_order(model)).values()
    return found


def models() -> Iterator[type[Model]]:
    """Yield every model of the open database, by the name of its table."""
    apps = require_context().apps
    assert apps is not None, "the database is open"
    yield from sorted(apps.get_models_iterable(), key=lambda model: model._meta.db_table)


def _order(model: type[Model]) -> list[str]:
    return [name for name in ("sequence", "id", "number") if name in model._meta.fields_map]
