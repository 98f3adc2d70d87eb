"""The benefits of a programme's version, and how often members used them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from pydantic import TypeAdapter

from loyalty_graph.benefits.models import BenefitRules, BenefitUse
from loyalty_graph.benefits.rules import Benefit, Grant
from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Insert, Lookup, fetch
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.stored import read_stored

UseKey = tuple[UUID, str, date]
"""(member id, benefit, first day of the period)"""

_SETTINGS = TypeAdapter(list[Benefit])
_benefits: dict[tuple[UUID, int], Mapping[str, Benefit]] = {}
"""Versions never change, so each is read once; there are as many as versions in use."""


async def store_rules(program_id: UUID, version: int, benefits: Sequence[Benefit]) -> None:
    """Store the benefits of a programme's version, if it has any."""
    assert_in_transaction()
    if benefits:
        settings = [one.model_dump(mode="json") for one in benefits]
        await BenefitRules.create(program_id=program_id, version=version, settings=settings)


async def benefits(version: programs.Version) -> Mapping[str, Benefit]:
    """Return the benefits of a programme's version by their codes, in the order of its file."""
    key = (version.program_id, version.number)
    if key not in _benefits:
        rules = await BenefitRules.get_or_none(program_id=key[0], version=key[1])
        stored = [] if rules is None else rules.settings
        _benefits[key] = {one.code: one for one in read_stored(_SETTINGS.validate_python, stored)}
    return _benefits[key]


async def uses(program_id: UUID, keys: Sequence[UseKey]) -> dict[UseKey, int]:
    """Return how often members used benefits in these periods."""
    by = ("member_id", "benefit", "period")
    [found] = await fetch(
        program_id,
        Lookup(BenefitUse, by, keys, ("number",), order_by="number DESC", limit=1),
    )
    return {key: rows[0][0] if rows else 0 for key, rows in zip(keys, found, strict=True)}


@dataclass(frozen=True, slots=True)
class Used:
    """A use of a benefit by the grant that allowed it; `number` counts those of its period."""

    key: UseKey
    number: int
    grant: Grant
    used_at: datetime
    actor: str


def use_write(used: Used) -> Insert:
    """Return the write that counts a use."""
    columns = (
        "member_id",
        "benefit",
        "period",
        "number",
        "used_at",
        "source",
        "code",
        "actor",
    )
    row = (*used.key, used.number, used.used_at, used.grant.source, used.grant.code, used.actor)
    return Insert(BenefitUse, columns, [row])
