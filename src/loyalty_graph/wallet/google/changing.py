"""What claimed pushes come to: each object as it should be now, and what of it is new to Google."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import is_unavailable
from loyalty_graph.errors import TemplateError
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.wallet import service
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.google import given, objects
from loyalty_graph.wallet.google.budget import Key
from loyalty_graph.wallet.google.desk import GoogleDesk
from loyalty_graph.wallet.google.given import Arrived, Given
from loyalty_graph.wallet.google.rules import Notice, notice
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.pushes import Push
from loyalty_graph.wallet.service import Platform

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """What one push comes to; nothing `new` where Google has it all already."""

    push: Push
    row: PassRow
    face: CardFace
    resource: Mapping[str, Any]
    new: Mapping[str, Any]
    notice: Notice | None

    @property
    def key(self) -> Key:
        """Return the programme and the serial."""
        return self.row.program_id, self.row.serial

    @property
    def arrived(self) -> Arrived:
        """Return what is to be kept once Google has taken it."""
        row = self.row
        return Arrived(
            row.program_id,
            row.member_id,
            row.serial,
            row.update_tag,
            self.push.claimed_at,
            self.face.holds_until,
            Given(objects.digests(self.resource), given.shown_of(self.face)),
        )


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done for some pushes.

    Attributes:
        changes: What each comes to.
        settings: Those of the programmes, by id.
        gone: Pushes whose pass or member there is no more.
        unusable: Pushes of programmes whose template is not here.
        broken: Pushes of cards that cannot be made, by a fault of ours.
    """

    changes: list[Change] = field(default_factory=list)
    settings: dict[UUID, ProgramSettings] = field(default_factory=dict)
    gone: list[Push] = field(default_factory=list)
    unusable: list[Push] = field(default_factory=list)
    broken: list[Push] = field(default_factory=list)

    def add(self, other: "Work") -> None:
        """Take in what other pushes come to."""
        self.changes.extend(other.changes)
        self.settings.update(other.settings)
        self.gone.extend(other.gone)
        self.unusable.extend(other.unusable)


async def work_for(desk: GoogleDesk, claimed: Sequence[Push], *, now: datetime) -> Work:
    """Read what the cards behind these pushes show at `now`, in sets.

    Where that fails, each is read alone: a card that cannot be made holds up no other.
    """
    try:
        return await _work_for(desk, claimed, now=now)
    except Exception as error:
        if is_unavailable(error):
            raise
    work = Work()
    for push in claimed:
        try:
            work.add(await _work_for(desk, [push], now=now))
        except Exception as error:
            if is_unavailable(error):
                raise
            logger.exception("The card %s cannot be made for Google", push.target)
            work.broken.append(push)
    return work


async def _work_for(desk: GoogleDesk, claimed: Sequence[Push], *, now: datetime) -> Work:
    # The rows first: what their tags name is in what is read after them.
    serials = [push.target for push in claimed]
    rows = {row.serial: row for row in await PassRow.filter(serial__in=serials)}
    work = Work()
    faces = await _faces(list(rows.values()), work.settings, now=now)
    before = await given.read([(row.program_id, row.serial) for row in rows.values()])
    for push in claimed:
        row = rows.get(push.target)
        face = faces.get(row.member_id) if row else None
        if row is None or face is None or row.platform != Platform.GOOGLE:
            work.gone.append(push)
            continue
        settings = work.settings[row.program_id]
        try:
            resource = desk.resource(row, face, settings, now=now)
        except TemplateError:
            work.unusable.append(push)
            continue
        known = before.get((row.program_id, row.serial))
        # What became of an earlier try is not known: Google may have what it brought, or not.
        new = (
            objects.changes(known.fields, resource)
            if known and known.fields and push.attempts == 1
            else desk.whole(resource, settings)
        )
        told = notice(known.shown, given.shown_of(face), now=now) if known else None
        work.changes.append(Change(push, row, face, resource, new, told))
    return work


async def _faces(
    rows: Sequence[PassRow], settings: dict[UUID, ProgramSettings], *, now: datetime
) -> dict[UUID, CardFace]:
    members: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for row in rows:
        members[row.program_id].append(row.member_id)
    faces: dict[UUID, CardFace] = {}
    for program_id, member_ids in members.items():
        settings[program_id] = (await programs.in_force(program_id, now, now=now)).settings
        faces |= await service.faces(program_id, sorted(set(member_ids)), now=now)
    return faces
