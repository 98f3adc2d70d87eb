"""How soon a change of points reaches those who listen, and whether each one does.

A thousand streams (server-sent events) are open at one process, each of one member; points change
fifty times a second. Nothing is compared with a peer: what must hold is that each change arrives at
its member's stream, once. The milliseconds run from asking for the change to hearing of it.
"""

import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import UUID

from bench.api import Bench, on
from bench.api_shop import BUSY_MEMBERS
from bench.http_load import exchange, request
from bench.rows import Measured, Row, row
from loyalty_graph.graphql.ids import encode_id

STREAMS = 1_000
CHANGES_PER_S = 50
CHANGES = 250
OPENED_AT_ONCE = 20
CALLERS = 8
SETTLING_S = 3.0
PATIENCE_S = 30.0
PAGE_BYTES = resource.getpagesize()
# Whoever listens has no older change of points, so that a stream from the beginning misses nothing.
LISTEN = """subscription ($id: ID!) { walletChanged(member: {id: $id}, after: 0) {
    sequence wallet { balance } entry { points } } }"""
GIVE = """mutation ($input: AdjustPointsInput!) { adjustPoints(input: $input) {
    userErrors { code message } balance } }"""


@dataclass
class Listeners:
    """Open streams, what was asked for and what was heard; times are of `time.perf_counter`.

    A change is known by its member and the balance it leads to.
    """

    bench: Bench
    members: list[UUID]
    asked: dict[tuple[UUID, int], float] = field(default_factory=dict)
    heard: dict[tuple[UUID, int], float] = field(default_factory=dict)
    doubled: int = 0
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> int:
        """Open the streams, change points, wait; return the bytes that the streams take."""
        before = _resident(self.bench.pid("ours"))
        gate = asyncio.Semaphore(OPENED_AT_ONCE)
        streams = await asyncio.gather(*(self._open(one, gate) for one in self.members))
        hearing = [
            asyncio.create_task(self._hear(member_id, reader))
            for member_id, (reader, _) in zip(self.members, streams, strict=True)
        ]
        await asyncio.sleep(SETTLING_S)
        taken = _resident(self.bench.pid("ours")) - before
        await self._change()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self.complete.wait()
        for task in hearing:
            task.cancel()
        await asyncio.gather(*hearing, return_exceptions=True)
        for _, writer in streams:
            writer.close()
        return taken

    async def _open(
        self, member_id: UUID, gate: asyncio.Semaphore
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        body = {"query": LISTEN, "variables": {"id": encode_id("Member", member_id)}}
        asking = request("/graphql", self.bench.token, json.dumps(body).encode())
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.bench.port("ours"))
            writer.write(asking.replace(b"Accept: application/json", b"Accept: text/event-stream"))
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        return reader, writer

    async def _hear(self, member_id: UUID, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            if line.startswith(b"data: {"):
                event = json.loads(line[len(b"data: ") :])["data"]["walletChanged"]
                change = member_id, event["wallet"]["balance"]
                self.doubled += change in self.heard
                self.heard[change] = time.perf_counter()
                if len(self.heard) == CHANGES:
                    self.complete.set()

    async def _change(self) -> None:
        begun = time.perf_counter()

        async def keep_asking(first: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.bench.port("ours"))
            for number in range(first, CHANGES, CALLERS):
                due = begun + number / CHANGES_PER_S
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                member_id = self.members[number * 7 % len(self.members)]
                self.asked[member_id, 1] = time.perf_counter()
                await exchange(reader, writer, self._give(member_id, number))
            writer.close()

        await asyncio.gather(*(keep_asking(first) for first in range(CALLERS)))

    def _give(self, member_id: UUID, number: int) -> bytes:
        given: dict[str, Any] = {
            "idempotencyKey": f"gift-{number}",
            "member": {"id": encode_id("Member", member_id)},
            "points": 1,
            "reason": "a gift",
        }
        return self.bench.graphql(GIVE, input=given)


def _resident(process_id: int) -> int:
    """Return the bytes of memory a process holds. Source: proc(5), statm."""
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * PAGE_BYTES


def delivery() -> list[Row]:
    """Deliver changes to open streams, on SQLite and in one process, as it is by default."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # A stream is a file at either end.
    with (
        tempfile.TemporaryDirectory() as scratch,
        on(f"sqlite://{Path(scratch) / 'bench.sqlite3'}") as bench,
    ):
        quiet = bench.members[BUSY_MEMBERS : BUSY_MEMBERS + STREAMS]
        listeners = Listeners(bench, quiet)
        taken = asyncio.run(listeners.run())
    waits = [
        1000 * (at - listeners.asked[change])
        for change, at in listeners.heard.items()
        if change in listeners.asked
    ]
    assert not listeners.doubled, f"{listeners.doubled} changes were heard twice"
    cuts = quantiles(waits, n=100)
    figure = row(
        "live",
        "delivery",
        Measured(len(waits), "changes heard"),
        against=f"changes made, {CHANGES_PER_S} a second, {STREAMS} streams",
        against_value=len(listeners.asked),
        bar=1.0,
    )
    figures = {"p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}
    return [{**figure, **figures, "kib_per_stream": round(taken / STREAMS / 1024, 1)}]


SUITES: dict[str, Callable[[], list[Row]]] = {"live": delivery}
