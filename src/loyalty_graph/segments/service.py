"""The segments of a programme's version."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import TypeAdapter

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.programs.stored import read_stored
from loyalty_graph.segments.models import Segments
from loyalty_graph.segments.rules import SegmentSettings

_SETTINGS = TypeAdapter(list[SegmentSettings])
_segments: dict[tuple[UUID, int], Mapping[str, SegmentSettings]] = {}
"""Versions never change, so each is read once; there are as many as versions in use."""


async def store_segments(
    program_id: UUID, version: int, segments: Sequence[SegmentSettings]
) -> None:
    """Store the segments of a programme's version, if it has any."""
    assert_in_transaction()
    if segments:
        settings = [one.model_dump(mode="json") for one in segments]
        await Segments.create(program_id=program_id, version=version, settings=settings)


async def segments(program_id: UUID, version: int) -> Mapping[str, SegmentSettings]:
    """Return the segments of a programme's version by their codes, in the order of its file."""
    key = (program_id, version)
    if key not in _segments:
        stored = await Segments.get_or_none(program_id=program_id, version=version)
        settings = [] if stored is None else stored.settings
        _segments[key] = {one.code: one for one in read_stored(_SETTINGS.validate_python, settings)}
    return _segments[key]
