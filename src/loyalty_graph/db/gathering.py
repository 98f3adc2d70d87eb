"""Gathers concurrent single calls into one transaction: whatever waits when a writer is free."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from loyalty_graph import metrics, traces
from loyalty_graph.db.guarding import finish
from loyalty_graph.db.outages import DatabaseTimeoutError, TooManyWaitingError, is_unavailable
from loyalty_graph.db.transactions import in_transaction_now

Command = TypeVar("Command")
Outcome = TypeVar("Outcome")

BATCH_MAX = 128
WAITING_MAX = 2_000
"""Some seconds' work. Who came later would have given up by his turn, so he is told at once."""

_Call = tuple[Command, asyncio.Future[Outcome], str | None]
"""The third is the trace of the caller."""


class Gatherer(Generic[Command, Outcome]):
    """Answers single calls, and runs those that wait at the same time as one batch.

    `run_batch` takes a list of commands, is one transaction, and returns one outcome for each; an
    outcome that is an exception is raised to its caller alone. There is no timer: a lone call is a
    batch of one. When a batch raises, each of its commands runs alone, so that only the guilty
    caller fails; but when the database was unavailable, all of the batch are told so, and when it
    did not even answer in time, also those who wait behind it. A cancelled caller whose batch has
    begun gives up the answer, not the work.
    """

    def __init__(
        self,
        run_batch: Callable[[list[Command]], Awaitable[Sequence[Outcome | Exception]]],
        *,
        limit: int = BATCH_MAX,
        writers: int = 1,
        name: str = "calls",
    ) -> None:
        self._run_batch = run_batch
        self._limit = limit
        self._writer_count = writers
        self._waiting: asyncio.Queue[_Call[Command, Outcome] | None] = asyncio.Queue()
        self._writers: list[asyncio.Task[None]] = []
        self._name = name
        self._named = f"batch of {name}"
        self._sizes = metrics.gather_batch_size.labels(name)
        self.batches = 0
        self.commands = 0

    async def __aenter__(self) -> "Gatherer[Command, Outcome]":
        assert not in_transaction_now(), "its writers would stay in this transaction"
        self._writers = [asyncio.create_task(self._write()) for _ in range(self._writer_count)]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Answer what is waiting and refuse what comes later."""
        writers, self._writers = self._writers, []
        for _ in writers:
            self._waiting.put_nowait(None)
        await finish(asyncio.gather(*writers))

    async def __call__(self, command: Command) -> Outcome:
        """Run `command` in the next batch and return its outcome.

        Raises:
            TooManyWaitingError: 2,000 calls wait already; nothing was done.
        """
        assert self._writers, "the gatherer is not open"
        assert not in_transaction_now(), "this transaction and the batch would wait for each other"
        if self._waiting.qsize() >= WAITING_MAX:
            raise TooManyWaitingError(f"{WAITING_MAX:,} {self._name} wait for it already")
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((command, answer, traces.present()))
        return await answer

    async def _write(self) -> None:
        while (first := await self._waiting.get()) is not None:
            batch = [call for call in (first, *self._others()) if not call[1].done()]
            if batch:
                self.batches += 1
                self.commands += len(batch)
                self._sizes.observe(len(batch))
                with traces.span(self._named, links=[call[2] for call in batch]):
                    await self._settle(batch)

    def _others(self, *, everybody: bool = False) -> list[_Call[Command, Outcome]]:
        calls: list[_Call[Command, Outcome]] = []
        limit = self._waiting.qsize() if everybody else self._limit - 1
        while len(calls) < limit and not self._waiting.empty():
            call = self._waiting.get_nowait()
            if call is None:  # The sign to stop, for this writer or another: it stays the last.
                self._waiting.put_nowait(None)
                break
            calls.append(call)
        return calls

    async def _settle(self, batch: list[_Call[Command, Outcome]]) -> Exception | None:
        """Answer a batch; return what kept the database from doing it, if something did."""
        try:
            outcomes = await self._run_batch([call[0] for call in batch])
            assert len(outcomes) == len(batch), "run_batch returns one outcome for each command"
        except Exception as error:  # noqa: BLE001 - it is raised again, to the caller it belongs to
            if len(batch) == 1 or is_unavailable(error):
                behind = self._others(everybody=True) if _is_silent(error) else []
                _tell([*batch, *behind], error)
                return error
            await self._settle_each(batch)
        else:
            for (_, answer, _), outcome in zip(batch, outcomes, strict=True):
                _answer(answer, outcome)
        return None

    async def _settle_each(self, batch: list[_Call[Command, Outcome]]) -> None:
        for place, call in enumerate(batch, start=1):
            error = await self._settle([call])
            if error is not None and _is_silent(error):
                _tell(batch[place:], error)
                return


def _is_silent(error: Exception) -> bool:
    """Return whether the database did not even answer: then nobody else shall wait as long."""
    return isinstance(error, DatabaseTimeoutError)


def _tell(calls: Sequence[_Call[Command, Outcome]], error: Exception) -> None:
    for _, answer, _ in calls:
        _answer(answer, error)


def _answer(answer: "asyncio.Future[Outcome]", outcome: Outcome | Exception) -> None:
    if answer.done():
        return  # Its caller went away.
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
