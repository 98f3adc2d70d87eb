"""Makes pass files, and keeps the newest of each pass for whoever asks next.

Only a card's own part is kept, a few kilobytes; the images are shared by all cards of a template.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.db.sets import Lookup, fetch, fetch_unique
from loyalty_graph.errors import NotFoundError, TemplateError
from loyalty_graph.outbox import CardMark
from loyalty_graph.programs import service as programs
from loyalty_graph.wallet import service
from loyalty_graph.wallet.apple.card import CardPrinter, WebService
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform

ENTRY_BYTES = 700
"""What keeping a file costs besides the file: measured, with its key and its place in the order."""


class IssuedPass(NamedTuple):
    """What is kept of a pass that its files rest on, as one statement reads it."""

    program_id: UUID
    member_id: UUID
    platform: str
    serial: str
    token_generation: int
    update_tag: int
    changed_at: datetime
    last_modified: datetime
    delivered_tag: int | None
    handed_out_tag: int | None
    holds_until: datetime | None
    voided_at: datetime | None


class Present(NamedTuple):
    """A pass, and whether its card has changed since it was last numbered."""

    issued: IssuedPass
    changed: bool


@dataclass(frozen=True, slots=True)
class PassFile:
    """A signed pass file in two parts: `body` is shared by many, `tail` is this card's own.

    `holds_until` is when the card shows something else although nothing happens; None for never.
    """

    body: bytes
    tail: bytes
    holds_until: datetime | None

    @property
    def size(self) -> int:
        """Return the bytes of the whole file."""
        return len(self.body) + len(self.tail)

    @property
    def data(self) -> bytes:
        """Return the whole file, copied together."""
        return self.body + self.tail


class _Version(NamedTuple):
    """What a file was made from; while it stays the same, so does the file."""

    update_tag: int
    program_version: int
    printer: CardPrinter  # Of one template and one signer, told apart by identity.


class _Kept(NamedTuple):
    version: _Version
    file: PassFile

    def serves(self, version: _Version, now: datetime) -> bool:
        """Return whether the file still shows what a card of this version shows."""
        until = self.file.holds_until
        return self.version == version and (until is None or now < until)


async def find(serial: str) -> IssuedPass | None:
    """Return the pass with this serial if it is for Apple Wallet, whichever programme it is of."""
    row = await fetch_unique(PassRow, "serial", serial, IssuedPass._fields)
    return IssuedPass(*row) if row and row[2] == Platform.APPLE else None


async def present(program_id: UUID, serials: Mapping[UUID, str]) -> dict[UUID, Present]:
    """Return these passes (member id -> serial).

    Raises:
        NotFoundError: There is no such pass.
    """
    passes, marks = await fetch(
        program_id,
        Lookup(PassRow, ("serial",), [(one,) for one in serials.values()], IssuedPass._fields),
        Lookup(CardMark, ("member_id",), [(one,) for one in serials], ("member_id",)),
    )
    found: dict[UUID, Present] = {}
    for (member_id, serial), rows, marked in zip(serials.items(), passes, marks, strict=True):
        if not rows or rows[0][1] != member_id or rows[0][2] != Platform.APPLE:
            raise NotFoundError("pass", serial)
        found[member_id] = Present(IssuedPass(*rows[0]), bool(marked))
    return found


class PassFiles:
    """Makes pass files and keeps up to `bytes_max` of them, those asked for last.

    Args:
        printers: One for each template, by name.
        web_service: Returns where a pass finds its updates, by serial and generation of its token.
        bytes_max: How much memory kept files may take.
    """

    def __init__(
        self,
        printers: Mapping[str, CardPrinter],
        web_service: Callable[[str, int], WebService],
        *,
        bytes_max: int,
    ) -> None:
        self._printers, self._web_service = printers, web_service
        self._bytes_max, self._bytes = bytes_max, 0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._making: dict[tuple[str, _Version], asyncio.Task[PassFile]] = {}
        # Signing releases the interpreter: as many threads as processors, and no more.
        self._threads = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="signing")

    def printer_of(self, template: str) -> CardPrinter:
        """Return the printer of a template.

        Raises:
            TemplateError: There is no such template here.
        """
        if template not in self._printers:
            raise TemplateError(f"There is no card template {template}.")
        return self._printers[template]

    async def file(self, issued: IssuedPass, *, now: datetime) -> PassFile:
        """Return the file of a pass, at least as new as its tag; those who ask at once share one.

        Raises:
            NotFoundError: The member is gone.
            TemplateError: The programme's template is not here.
        """
        version = await self._version(issued, now)
        kept = self._kept.get(issued.serial)
        if kept and kept.serves(version, now):
            self._kept.move_to_end(issued.serial)
            return kept.file
        making = self._making.get((issued.serial, version))
        if making is None:
            making = asyncio.create_task(self._make_and_keep(issued, version, now))
            self._making[issued.serial, version] = making
            making.add_done_callback(lambda task: self._made((issued.serial, version), task))
        # Who leaves while the file is made does not take it from the others.
        return await asyncio.shield(making)

    async def newest(
        self, program_id: UUID, passes: Mapping[UUID, Present], *, now: datetime
    ) -> dict[UUID, PassFile]:
        """Return the files of these members' passes as their cards are now.

        A card that was changed and not numbered yet is made anew, whatever is kept.

        Raises:
            NotFoundError: A member is gone.
            TemplateError: The programme's template is not here.
        """
        files: dict[UUID, PassFile] = {}
        missing: list[IssuedPass] = []
        for member_id, (issued, changed) in passes.items():
            version = await self._version(issued, now)
            kept = self._kept.get(issued.serial)
            if kept and kept.serves(version, now) and not changed:
                files[member_id] = kept.file
            else:
                missing.append(issued)
        if missing:
            files |= await self._make(program_id, missing, now)
        return files

    def _made(self, key: tuple[str, _Version], task: asyncio.Task[PassFile]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # Looked at, should everybody who waited have gone.

    async def _version(self, issued: IssuedPass, now: datetime) -> _Version:
        version = await programs.in_force(issued.program_id, now, now=now)
        printer = self.printer_of(version.settings.branding.template)
        return _Version(issued.update_tag, version.number, printer)

    async def _make_and_keep(
        self, issued: IssuedPass, version: _Version, now: datetime
    ) -> PassFile:
        made = await self._make(issued.program_id, [issued], now)
        file = made[issued.member_id]
        self._keep(issued.serial, _Kept(version, file))
        return file

    async def _make(
        self, program_id: UUID, passes: Sequence[IssuedPass], now: datetime
    ) -> dict[UUID, PassFile]:
        faces = await service.faces(program_id, [one.member_id for one in passes], now=now)
        if missing := {one.member_id for one in passes} - faces.keys():
            raise NotFoundError("member", min(missing))
        loop = asyncio.get_running_loop()
        shares = [passes[first :: self._threads] for first in range(self._threads)]
        printed = await asyncio.gather(
            *(
                loop.run_in_executor(self._pool, self._print, share, faces, now)
                for share in shares
                if share
            )
        )
        return {member_id: file for files in printed for member_id, file in files.items()}

    def _print(
        self, passes: Sequence[IssuedPass], faces: Mapping[UUID, CardFace], now: datetime
    ) -> dict[UUID, PassFile]:
        files = {}
        for issued in passes:
            face = faces[issued.member_id]
            if issued.voided_at is not None:
                face = replace(face, void=True)
            printer = self.printer_of(face.template)
            service_ = self._web_service(issued.serial, issued.token_generation)
            parts = printer.parts(face, issued.serial, service_, now=now)
            files[issued.member_id] = PassFile(*parts, face.holds_until)
        return files

    def _keep(self, serial: str, kept: _Kept) -> None:
        before = self._kept.get(serial)
        if before is not None:
            if before.version.update_tag > kept.version.update_tag:
                return  # Made for somebody who asked earlier, and took longer.
            del self._kept[serial]
            self._bytes -= len(before.file.tail) + ENTRY_BYTES
        self._kept[serial] = kept
        self._bytes += len(kept.file.tail) + ENTRY_BYTES
        while self._bytes > self._bytes_max:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.file.tail) + ENTRY_BYTES
