"""Who did it: the names behind callers, many at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from tortoise.models import Model

from loyalty_graph.errors import NotFoundError
from loyalty_graph.identity.models import Partner, Staff
from loyalty_graph.identity.rules import ViewerKind

_NAMED: dict[str, type[Model]] = {
    ViewerKind.PARTNER.lower(): Partner,
    ViewerKind.STAFF.lower(): Staff,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who did something: a `caller`, such as `staff:<id>`, in parts.

    Members, the command line (`cli`) and the programme itself (`system`) have no name here.
    """

    kind: str
    id: str | None
    name: str | None


async def actors(program_id: UUID, callers: Sequence[str]) -> list[Actor]:
    """Return who each caller is."""
    parts = [caller.partition(":") for caller in callers]
    names = {
        kind: await _names(program_id, model, (id_ for named, _, id_ in parts if named == kind))
        for kind, model in _NAMED.items()
    }
    return [Actor(kind, id_ or None, names.get(kind, {}).get(id_)) for kind, _, id_ in parts]


async def callers(program_id: UUID, name: str) -> list[str]:
    """Return the callers of this name: a partner, somebody of the staff, or both.

    Raises:
        NotFoundError: Nobody has it.
    """
    found = [
        f"{kind}:{row[0]}"
        for kind, model in _NAMED.items()
        for row in await model.filter(program_id=program_id, name=name).values_list("id")
    ]
    if not found:
        raise NotFoundError("partner and nobody of the staff called", name, field="actor")
    return found


async def _names(program_id: UUID, model: type[Model], ids: Iterable[str]) -> dict[str, str]:
    wanted = {UUID(one) for one in ids if _is_id(one)}
    if not wanted:
        return {}
    rows = await model.filter(program_id=program_id, id__in=wanted).values_list("id", "name")
    return {str(row[0]): str(row[1]) for row in rows}


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
