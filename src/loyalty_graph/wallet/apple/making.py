"""Makes signed pass files: what the cards show is read at once, and signed beside other work."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.errors import LoyaltyError, NotFoundError, TemplateError
from loyalty_graph.wallet import service
from loyalty_graph.wallet.apple.card import CardPrinter, WebService
from loyalty_graph.wallet.apple.issued import IssuedPass, PassFile
from loyalty_graph.wallet.face import CardFace

SHARE_MIN = 4
"""Fewer files are not worth another thread."""


class Wanted(NamedTuple):
    """A pass whose file is to be made as its card is at `now`."""

    issued: IssuedPass
    now: datetime


class PassMaker:
    """Makes pass files; many at once cost much less than as many alone.

    Args:
        printers: One for each template, by name.
        web_service: Returns where a pass finds its updates, by serial and generation of its token.
    """

    def __init__(
        self, printers: Mapping[str, CardPrinter], web_service: Callable[[str, int], WebService]
    ) -> None:
        self._printers, self._web_service = printers, web_service
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

    async def make_waiting(self, wanted: Sequence[Wanted]) -> list[PassFile | Exception]:
        """Return the files of passes that were asked for at the same moment, in their order.

        In the place of each that cannot be made stands the reason.
        """
        by_program: defaultdict[UUID, list[Wanted]] = defaultdict(list)
        for one in wanted:
            by_program[one.issued.program_id].append(one)
        made: dict[str, PassFile | LoyaltyError] = {}
        for program_id, theirs in by_program.items():
            now = max(one.now for one in theirs)
            made |= await self.make(program_id, [one.issued for one in theirs], now=now)
        return [made[one.issued.serial] for one in wanted]

    async def make(
        self, program_id: UUID, passes: Sequence[IssuedPass], *, now: datetime
    ) -> dict[str, PassFile | LoyaltyError]:
        """Return the file of each pass by its serial, or why it cannot be made."""
        faces = await service.faces(program_id, list({one.member_id for one in passes}), now=now)
        threads = min(self._threads, max(1, len(passes) // SHARE_MIN))
        loop = asyncio.get_running_loop()
        shares = [
            loop.run_in_executor(self._pool, self._print, passes[first::threads], faces, now)
            for first in range(threads)
        ]
        printed: dict[str, PassFile | LoyaltyError] = {}
        for share in await asyncio.gather(*shares):
            printed |= share
        return printed

    def _print(
        self, passes: Sequence[IssuedPass], faces: Mapping[UUID, CardFace], now: datetime
    ) -> dict[str, PassFile | LoyaltyError]:
        printed: dict[str, PassFile | LoyaltyError] = {}
        for issued in passes:
            try:
                printed[issued.serial] = self._file(issued, faces.get(issued.member_id), now)
            except LoyaltyError as error:
                printed[issued.serial] = error
        return printed

    def _file(self, issued: IssuedPass, face: CardFace | None, now: datetime) -> PassFile:
        if face is None:
            raise NotFoundError("member", issued.member_id)
        if issued.voided_at is not None:
            face = replace(face, void=True)
        printer = self.printer_of(face.template)
        web_service = self._web_service(issued.serial, issued.token_generation)
        parts = printer.parts(face, issued.serial, web_service, now=now)
        return PassFile(*parts, face.holds_until)
