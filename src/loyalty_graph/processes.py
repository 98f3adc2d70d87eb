"""Processes that do the same work: begun, begun anew when they die, and stopped together.

Uvicorn has such a parent too. It serves only, leaves its children behind when it is killed, begins
dead ones anew without a pause, and knows of no first one that migrates and says what is wrong.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from signal import (
    SIG_BLOCK,
    SIG_IGN,
    SIG_UNBLOCK,
    SIGINT,
    SIGTERM,
    Signals,
    pthread_sigmask,
    signal,
)
from threading import Thread
from typing import Protocol

from loyalty_graph.pauses import chance, full_jitter_s

FAILURES_MAX = 5
"""How many may die young, one after the other, before all is given up."""
SETTLED_S = 10.0
"""Who did its work this long did not die of beginning it."""
FIRST_PAUSE_MAX_S = 0.5
PAUSE_MAX_S = 30.0
STOP_WITHIN_S = 60.0
"""More than a server or a worker takes to stop in good order."""
READY = b"ready"

logger = logging.getLogger(__name__)


class Work(Protocol):
    """What each process does until a signal. It is pickled.

    Exit code 1 means that it said why it cannot.
    """

    def __call__(self, *, is_first: bool, ready: Callable[[], None]) -> None:
        """Do it, and call `ready` when it is under way; the first one says what it works on."""


async def run_together(
    work: Work,
    count: int,
    *,
    announce: Callable[[], None],
    stopping: Callable[[], None] = lambda: None,
) -> bool:
    """Do `work` in so many fresh processes until a signal; what they have in hand is finished.

    The first begins alone: what is done once is done by it, and a setting that cannot be used is
    told once. `announce` is called when all are under way. A process that dies is begun anew, ever
    more rarely if it dies at once. When this process is killed, they stop by themselves. `stopping`
    is called when no more are begun, and those there are begin to stop.

    Returns:
        False when they died as soon as they began; then one of them, or the log, said why.
    """
    try:
        await _Together(work, count, announce, stopping).run()
    except _OfNoUseError:
        return False
    return True


class _OfNoUseError(Exception):
    """To begin more processes is of no use."""


class _Child:
    """One process.

    Attributes:
        is_gone: Whether it has ended.
    """

    def __init__(self, work: Work, *, is_first: bool, changed: Callable[[], None]) -> None:
        self._loop, self._changed = asyncio.get_running_loop(), changed
        self._ready_at: float | None = None
        self.is_gone = False
        context = get_context("spawn")  # A fork would share what this process has open.
        self._told, telling = context.Pipe(duplex=False)
        self._process = context.Process(target=_live, args=(work, is_first, telling))
        with _interrupts_blocked():
            self._process.start()
        telling.close()
        self._loop.add_reader(self._told.fileno(), self._hear)
        self._loop.add_reader(self._process.sentinel, self._bury)

    @property
    def is_ready(self) -> bool:
        """Whether its work was ever under way."""
        return self._ready_at is not None

    @property
    def is_settled(self) -> bool:
        """Whether its work is under way for a while."""
        return self._ready_at is not None and self._loop.time() - self._ready_at >= SETTLED_S

    @property
    def pid(self) -> int | None:
        """What the system calls it."""
        return self._process.pid

    @property
    def exit_code(self) -> int:
        """Return what it ended with; below zero, the signal that killed it."""
        code = self._process.exitcode
        assert code is not None, "it has ended"
        return code

    def send(self, number: Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process.pid is not None and not self.is_gone:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def end(self) -> None:
        """End it at once."""
        self._process.kill()
        if not self.is_gone:
            self._bury()

    def _hear(self) -> None:
        self._loop.remove_reader(self._told.fileno())
        with suppress(EOFError):
            assert self._told.recv_bytes() == READY, "a process says nothing else"
            self._ready_at = self._loop.time()
        self._changed()

    def _bury(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self._loop.remove_reader(self._told.fileno())
        self._told.close()
        self._process.join()
        self.is_gone = True
        self._changed()


class _Together:
    """The processes there are."""

    def __init__(
        self,
        work: Work,
        count: int,
        announce: Callable[[], None],
        stopping: Callable[[], None],
    ) -> None:
        self._work, self._count, self._announce, self._stopping = work, count, announce, stopping
        self._children: list[_Child] = []
        self._changed = asyncio.Event()
        self._is_stopping = self._is_announced = self._was_one_ready = False
        self._failures, self._next_at = 0, 0.0

    async def run(self) -> None:
        """Begin them, and stay until a signal."""
        with self._signals_heard():
            try:
                while not self._is_stopping:
                    self._begin()
                    await self._change(by=self._next_at if self._missing else None)
                    self._look()
            finally:
                await self._end()

    @property
    def _missing(self) -> int:
        return (self._count if self._was_one_ready else 1) - len(self._children)

    @contextmanager
    def _signals_heard(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (SIGINT, SIGTERM):
            loop.add_signal_handler(number, self._heard, number)
        try:
            yield
        finally:
            for number in (SIGINT, SIGTERM):
                loop.remove_signal_handler(number)

    def _heard(self, number: Signals) -> None:
        """Stop; a second SIGINT waits for nobody, in the processes neither."""
        if self._is_stopping and number == SIGINT:
            self._send(SIGINT)
        self._is_stopping = True
        self._changed.set()

    def _begin(self) -> None:
        if asyncio.get_running_loop().time() >= self._next_at:
            for _ in range(self._missing):
                first = not self._was_one_ready
                child = _Child(self._work, is_first=first, changed=self._changed.set)
                self._children.append(child)

    async def _change(self, *, by: float | None) -> None:
        """Wait until something has changed, or for this moment of the loop."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(by):
                await self._changed.wait()
        self._changed.clear()

    def _look(self) -> None:
        """See who is under way, and who has died.

        Raises:
            _OfNoUseError: They die as soon as they begin.
        """
        gone = [child for child in self._children if child.is_gone]
        self._children = [child for child in self._children if not child.is_gone]
        ready = sum(child.is_ready for child in self._children)
        self._was_one_ready = self._was_one_ready or ready > 0
        if ready == self._count and not self._is_announced:
            self._is_announced = True
            self._announce()
        for child in gone:
            if not self._is_stopping:
                self._lose(child)

    def _lose(self, child: _Child) -> None:
        """Say how a process ended, and when another begins; or give up."""
        if child.exit_code == 1 and not self._was_one_ready:
            raise _OfNoUseError  # It has said what is wrong.
        code = child.exit_code
        how = f"was killed by {Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        settled = any(one.is_settled for one in [child, *self._children])
        self._failures = 0 if settled else self._failures + 1
        if self._failures >= FAILURES_MAX:
            logger.error(
                "%d processes in a row ended soon after they had begun, and the last one %s;"
                " none is begun any more",
                self._failures,
                how,
            )
            raise _OfNoUseError
        logger.error("Process %s %s; another one begins", child.pid, how)
        self._next_at = asyncio.get_running_loop().time() + full_jitter_s(
            self._failures, first_s=FIRST_PAUSE_MAX_S, longest_s=PAUSE_MAX_S, chance=chance()
        )

    def _send(self, number: Signals) -> None:
        for child in self._children:
            child.send(number)

    async def _end(self) -> None:
        """Let all finish what they have in hand, but not for ever."""
        self._is_stopping = True
        self._stopping()
        self._send(SIGTERM)
        late = asyncio.get_running_loop().time() + STOP_WITHIN_S
        while self._children and asyncio.get_running_loop().time() < late:
            await self._change(by=late)
            self._look()
        for child in self._children:
            logger.error("Process %s did not stop in time; it is killed", child.pid)
            child.end()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Let a process begin in the block with SIGINT blocked: it comes here first, then goes on."""
    pthread_sigmask(SIG_BLOCK, {SIGINT})
    try:
        yield
    finally:
        pthread_sigmask(SIG_UNBLOCK, {SIGINT})


def _live(work: Work, is_first: bool, telling: Connection) -> None:  # noqa: FBT001 - by position
    """Be one of several processes."""
    # The first process passes Ctrl-C on, as SIGTERM; the terminal sends it to all of them.
    signal(SIGINT, SIG_IGN)
    pthread_sigmask(SIG_UNBLOCK, {SIGINT})
    Thread(target=_stop_when_left_alone, daemon=True).start()

    def ready() -> None:
        with suppress(OSError):  # Nobody is left who would hear it.
            telling.send_bytes(READY)

    work(is_first=is_first, ready=ready)


def _stop_when_left_alone() -> None:
    """Stop in good order when the process that began this one has died."""
    first = parent_process()
    assert first is not None, "it was begun by another"
    first.join()
    os.kill(os.getpid(), SIGTERM)
