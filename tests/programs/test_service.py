from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.programs import service
from loyalty_graph.programs.models import ProgramVersion
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.programs.service import ALWAYS, Version
from tests.shop import DAY, NOON, PROGRAM

SECOND = timedelta(seconds=1)


@transaction
async def load(now: datetime, **changes: object) -> Version:
    settings = ProgramSettings.model_validate({**PROGRAM["program"], **changes})
    return await service.store_version(settings, file={}, now=now)


async def test_the_first_version_is_in_force_from_the_beginning_of_time(database: object):
    stored = await load(NOON)

    assert (stored.number, stored.in_force_from) == (1, ALWAYS)
    for at in (ALWAYS - DAY, NOON - 1000 * DAY, NOON):
        assert await service.in_force(stored.program_id, at, now=NOON) == stored


async def test_each_time_has_the_version_that_was_in_force_then(database: object):
    first = await load(NOON)
    second = await load(NOON + DAY, name="Second")
    third = await load(NOON + 2 * DAY, name="Third")
    now = NOON + 3 * DAY

    found = [
        (await service.in_force(first.program_id, at, now=now)).number
        for at in (NOON, NOON + DAY - SECOND, NOON + DAY, NOON + 2 * DAY, now)
    ]

    assert found == [1, 1, 2, 3, 3]
    assert (second.program_id, third.number) == (first.program_id, 3)
    assert third.settings.name == "Third"


async def test_another_process_sees_a_new_version_a_second_later(database: object):
    first = await load(NOON)
    await service.in_force(first.program_id, NOON, now=NOON)
    await ProgramVersion.create(
        program_id=first.program_id,
        version=2,
        settings=first.settings.model_dump(mode="json"),
        file={},
        in_force_from=NOON,
        loaded_at=NOON,
        actor="cli",
        note="",
    )

    seen = [
        (await service.in_force(first.program_id, NOON, now=now)).number
        for now in (NOON + SECOND, NOON + SECOND + timedelta(microseconds=1))
    ]

    assert seen == [1, 2]


@pytest.mark.parametrize("change", [{"currency": "USD"}, {"sandbox": True}], ids=str)
async def test_currency_and_sandbox_never_change(database: object, change: dict[str, object]):
    first = await load(NOON)

    with pytest.raises(InvalidInputError, match="cannot change its currency or its sandbox mark"):
        await load(NOON + DAY, **change)

    assert await ProgramVersion.all().count() == 1
    assert (await service.in_force(first.program_id, NOON, now=NOON + DAY)).number == 1


async def test_a_programme_is_found_by_its_slug(database: object):
    stored = await load(NOON)

    assert await service.find("bean-club") == stored.program_id
    with pytest.raises(NotFoundError, match="no programme tea-club"):
        await service.find("tea-club")


async def test_the_only_programme_is_found_without_a_name(database: object):
    with pytest.raises(InvalidInputError):
        await service.only_program()
    stored = await load(NOON)

    assert await service.only_program() == stored.program_id

    await load(NOON, slug="tea-club")
    with pytest.raises(InvalidInputError):
        await service.only_program()


async def test_an_unknown_programme_has_no_version(database: object):
    with pytest.raises(NotFoundError, match="no programme"):
        await service.in_force(uuid4(), NOON, now=NOON)


async def test_storing_a_version_needs_a_transaction(database: object):
    settings = ProgramSettings.model_validate(PROGRAM["program"])

    with pytest.raises(AssertionError, match="inside a transaction only"):
        await service.store_version(settings, file={}, now=NOON)
