"""Storing programme versions, and which version is in force."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tortoise.expressions import Q

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.errors import InvalidInputError, NotFoundError, shown
from loyalty_graph.identifiers import new_id
from loyalty_graph.programs.models import SLUG_LENGTH_MAX, Program, ProgramVersion
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.programs.stored import read_stored

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
CACHE_AGE_MAX = timedelta(seconds=1)
DATABASE = "this database"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a programme, as commands use it."""

    program_id: UUID
    number: int
    settings: ProgramSettings
    in_force_from: datetime


@dataclass(slots=True)
class _Known:
    """The versions of a programme, newest first, as they were read at `read_at`."""

    versions: list[Version]
    read_at: datetime


_known: dict[UUID, _Known] = {}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version comes from: its text, who applied it, and why."""

    source: str | None = None
    actor: str = "system"
    note: str = ""


async def store_version(
    settings: ProgramSettings,
    *,
    file: dict[str, Any],
    now: datetime,
    origin: Origin = Origin(),
    change_count: int | None = None,
) -> Version:
    """Store these settings as the next version of the programme of their slug, in force from now.

    `file` is the whole programme file they came from, `change_count` how much of it is different
    from the version before.

    The first version of a programme is in force from the beginning of time, so that an import can
    bring older purchases.

    Raises:
        InvalidInputError: Currency or sandbox mark differ from the programme's earlier versions.
    """
    assert_in_transaction()
    # Locked, so that two loads at once become two versions.
    program = await Program.filter(slug=settings.slug).select_for_update().get_or_none()
    if program is None:
        program = Program(id=new_id(now), slug=settings.slug, version=0, created_at=now)
        program.sandbox = settings.sandbox
        in_force_from = ALWAYS
    else:
        latest = await in_force(program.id, now, now=now)
        if not latest.settings.same_tenant(settings):
            raise InvalidInputError("A programme cannot change its currency or its sandbox mark.")
        in_force_from = now
    program.version += 1
    await program.save()
    await ProgramVersion.create(
        program_id=program.id,
        version=program.version,
        settings=settings.model_dump(mode="json"),
        file=file,
        in_force_from=in_force_from,
        loaded_at=now,
        source=origin.source,
        actor=origin.actor,
        note=origin.note,
        change_count=change_count,
    )
    _known.pop(program.id, None)
    return Version(program.id, program.version, settings, in_force_from)


async def in_force(program_id: UUID, at: datetime, *, now: datetime) -> Version:
    """Return the version in force at `at`; `now` is the request's time.

    Versions are kept for a second, so another process sees a new version that much later; entries
    name the version that made them.

    Raises:
        NotFoundError: No such programme.
    """
    versions = await _versions(program_id, now)
    return next((version for version in versions if version.in_force_from <= at), versions[-1])


async def numbered(program_id: UUID, number: int, *, now: datetime) -> Version:
    """Return the version of this number; `now` is the request's time.

    Raises:
        NotFoundError: No such programme, or no such version of it.
    """
    versions = await _versions(program_id, now)
    if number > versions[0].number:
        # It may be newer than what was read a moment ago.
        _known.pop(program_id, None)
        versions = await _versions(program_id, now)
    for version in versions:
        if version.number == number:
            return version
    raise NotFoundError("version", number, field="version")


async def _versions(program_id: UUID, now: datetime) -> list[Version]:
    known = _known.get(program_id)
    if known is None or not timedelta(0) <= now - known.read_at <= CACHE_AGE_MAX:
        known = _Known(await _read_versions(program_id, known.versions if known else []), now)
        _known[program_id] = known
    return known.versions


async def only_program() -> UUID:
    """Return the programme of an installation that has exactly one.

    Raises:
        InvalidInputError: There is none, or more than one.
    """
    ids: list[Any] = await Program.all().limit(2).values_list("id", flat=True)
    if not ids:
        raise InvalidInputError("There is no programme yet; apply a programme file first.")
    if len(ids) > 1:
        raise InvalidInputError("There are several programmes; say which by its slug.")
    program_id: UUID = ids[0]
    return program_id


async def find(slug: str) -> UUID:
    """Return the programme with this slug.

    Raises:
        NotFoundError: No such programme.
    """
    # Tortoise refuses to look for what is longer than the column.
    known = len(slug) <= SLUG_LENGTH_MAX
    program = await Program.get_or_none(slug=slug) if known else None
    if program is None:
        raise NotFoundError("programme", shown(slug), place=DATABASE)
    return program.id


async def others_than_sandbox(slug: str) -> list[str]:
    """Return the slugs of all programmes but the one of this slug, if that is a sandbox."""
    others = Program.filter(Q(sandbox=False) | ~Q(slug=slug))
    slugs: list[Any] = await others.order_by("slug").values_list("slug", flat=True)
    return slugs


async def all_ids() -> list[UUID]:
    """Return all programmes."""
    ids: list[Any] = await Program.all().order_by("id").values_list("id", flat=True)
    return ids


async def slugs() -> dict[UUID, str]:
    """Return the slug of each programme."""
    return dict(await Program.all().order_by("slug").values_list("id", "slug"))


async def is_sandbox(program_id: UUID) -> bool:
    """Return whether nothing in this programme is real, so that test tokens work."""
    return await Program.exists(id=program_id, sandbox=True)


async def _read_versions(program_id: UUID, known: list[Version]) -> list[Version]:
    """Return all versions, newest first; those known already are not read again."""
    newest = known[0].number if known else 0
    rows = await ProgramVersion.filter(program_id=program_id, version__gt=newest).order_by(
        "-version"
    )
    if not rows and not known:
        raise NotFoundError("programme", program_id, place=DATABASE)
    fresh = [
        Version(
            program_id,
            row.version,
            read_stored(ProgramSettings.model_validate, row.settings),
            row.in_force_from,
        )
        for row in rows
    ]
    return fresh + known
