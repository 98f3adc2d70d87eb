"""Fetches of passes per second, against bare Starlette routes that read one row by its key.

All are processes of their own under the same server (uvicorn, one worker) and PostgreSQL, asked
over 16 connections, and take turns. Where a pass file is sent, the other side sends as many bytes:
how fast they go through the machine is nobody's merit.
"""

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.http_fetch import fetch_rate
from bench.rows import Measured, Row, alternate, row
from bench.servers import postgres
from bench.sides import Sides

CONNECTIONS = 16
ROUND_S = 1.0
WARM_UP_S = 1.0
BAR = 0.6
BARE = "bare Starlette route: one row by key"


class Side:
    """A serving process, and how much of the processor it took for how many answers."""

    def __init__(self, port: int, pid: int) -> None:
        self._port, self._stat = port, Path(f"/proc/{pid}/stat")
        self.reset()

    def reset(self) -> None:
        """Begin to count anew."""
        self._answers, self._begun_s = 0.0, self._cpu_s()

    def rate(self, ask: Callable[[], bytes], seconds: float) -> float:
        """Return the answers per second over one round."""
        found = fetch_rate(self._port, ask, connections=CONNECTIONS, seconds=seconds)
        self._answers += found * seconds
        return found

    @property
    def cpu_us(self) -> float:
        """Return the microseconds of the processor that one answer took."""
        return round((self._cpu_s() - self._begun_s) / self._answers * 1e6, 1)

    def _cpu_s(self) -> float:
        user, system = self._stat.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Bench:
    """A filled database and the processes that serve it."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self._sides, self._stack = Sides("bench.wallet_servers", url, folder), stack
        filled = self._sides.fill()
        self.passes: list[dict[str, Any]] = filled["passes"]
        self.size: int = filled["size"]
        self.last_modified: str = filled["last_modified"]
        self._chance = random.Random(1)  # noqa: S311 - no secret
        self._served: dict[str, Side] = {}

    def side(self, side: str) -> "Side":
        """Return a side, which is started when first asked for."""
        if side not in self._served:
            self._served[side] = Side(*self._sides.start(side, self._stack))
        return self._served[side]

    def fetch(self, since: str | None = None) -> bytes:
        one = self._chance.choice(self.passes)
        condition = f"If-Modified-Since: {since}\r\n" if since else ""
        return (
            f"GET {one['path']} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: ApplePass {one['token']}\r\n{condition}\r\n"
        ).encode()

    def plain(self, route: str) -> bytes:
        one = self._chance.choice(self.passes)
        path = f"/{route}/{one['serial']}?size={self.size}"
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@contextmanager
def bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        yield Bench(server.database("wallet"), stack)


def measure(
    bench: Bench, name: str, side: str, ask: Callable[[], bytes], route: str, against: str
) -> Row:
    """Return our answers per second against those of a bare route."""
    ours, bare = bench.side(side), bench.side("plain")

    def rate_of_ours(seconds: float = ROUND_S) -> float:
        return ours.rate(ask, seconds)

    def rate_of_bare(seconds: float = ROUND_S) -> float:
        return bare.rate(lambda: bench.plain(route), seconds)

    rate_of_ours(WARM_UP_S), rate_of_bare(WARM_UP_S)
    ours.reset(), bare.reset()
    value, other = alternate(rate_of_ours, rate_of_bare)
    measured = Measured(value, "answers/s")
    return {
        **row("wallet", name, measured, against=against, against_value=other, bar=BAR),
        "cpu_us": [ours.cpu_us, bare.cpu_us],
    }


def fetches() -> list[Row]:
    with bench() as one:
        size = f"{one.size:,} bytes"
        return [
            measure(one, "http_304", "kept", lambda: one.fetch(one.last_modified), "row", BARE),
            measure(one, "http_cached", "kept", one.fetch, "blob", f"{BARE}, {size}"),
            measure(
                one,
                "http_fresh",
                "made",
                one.fetch,
                "signed",
                f"{BARE}, RSA-2048 signature, {size}",
            ),
        ]


SUITES: dict[str, Callable[[], list[Row]]] = {"wallet": fetches}
