"""Keeps the newest signed file of each pass for whoever asks next.

Only a card's own part is kept, a few kilobytes; the images are shared by all cards of a template.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.db import Gatherer
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.programs import service as programs
from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.apple.issued import IssuedPass, PassFile, Present, find
from loyalty_graph.wallet.apple.making import PassMaker, Wanted

ENTRY_BYTES = 550
"""What keeping a file costs besides the file: measured, with its key and its place in the order."""
MADE_AT_ONCE = 32
FINDERS = 2
MAKERS = 3
"""While two sign, another reads what the next cards show."""


class Version(NamedTuple):
    """What a file was made from; while it stays the same, so does the file."""

    update_tag: int
    program_version: int
    printer: CardPrinter  # Of one template and one signer, told apart by identity.


class Kept(NamedTuple):
    """A file, and what it was made from."""

    version: Version
    file: PassFile

    def serves(self, version: Version, now: datetime) -> bool:
        """Return whether the file still shows what a card of this version shows."""
        until = self.file.holds_until
        return self.version == version and (until is None or now < until)


class PassFiles:
    """Finds passes, has their files made, and keeps up to `bytes_max` of those asked for last.

    What is looked up or made at one moment is looked up or made together; `open` lets that begin.
    """

    def __init__(self, maker: PassMaker, *, bytes_max: int) -> None:
        self._maker = maker
        self._bytes_max, self._bytes = bytes_max, 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._in_hand: dict[tuple[str, Version], asyncio.Task[PassFile]] = {}
        self.making: Gatherer[Wanted, PassFile] = Gatherer(
            maker.make_waiting, limit=MADE_AT_ONCE, writers=MAKERS
        )
        self.find: Gatherer[str, IssuedPass | None] = Gatherer(find, writers=FINDERS)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Answer `find` and `file` inside of the block."""
        async with self.find, self.making:
            yield

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
        key = (issued.serial, version)
        task = self._in_hand.get(key)
        if task is None:
            task = asyncio.create_task(self._make_and_keep(issued, version, now))
            self._in_hand[key] = task
            task.add_done_callback(lambda task: self._made(key, task))
        # Who leaves while the file is made does not take it from the others.
        return await asyncio.shield(task)

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
        missing: dict[UUID, IssuedPass] = {}
        for member_id, (issued, changed) in passes.items():
            version = await self._version(issued, now)
            kept = self._kept.get(issued.serial)
            if kept and kept.serves(version, now) and not changed:
                files[member_id] = kept.file
            else:
                missing[member_id] = issued
        if not missing:
            return files
        made = await self._maker.make(program_id, list(missing.values()), now=now)
        for member_id, issued in missing.items():
            file = made[issued.serial]
            if isinstance(file, LoyaltyError):
                raise file
            files[member_id] = file
        return files

    def _made(self, key: tuple[str, Version], task: asyncio.Task[PassFile]) -> None:
        del self._in_hand[key]
        if not task.cancelled():
            task.exception()  # Looked at, should everybody who waited have gone.

    async def _version(self, issued: IssuedPass, now: datetime) -> Version:
        version = await programs.in_force(issued.program_id, now, now=now)
        printer = self._maker.printer_of(version.settings.branding.template)
        return Version(issued.update_tag, version.number, printer)

    async def _make_and_keep(self, issued: IssuedPass, version: Version, now: datetime) -> PassFile:
        file = await self.making(Wanted(issued, now))
        self.keep(issued.serial, Kept(version, file))
        return file

    def keep(self, serial: str, kept: Kept) -> None:
        """Keep a file, in the place of those asked for longest ago when there is no more room."""
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
