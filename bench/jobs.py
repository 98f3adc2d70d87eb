"""Jobs by two worker processes on PostgreSQL: how fast a queue is drained, and that slots are kept.

The slots of many programmes are short. Both workers poll at will, by a clock that is moved on as
soon as every programme has had its slot: what is missed or done twice is nobody's delay.
`python -m bench.jobs fill|drain|cron URL` is a process of this suite.
"""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from queue import Empty, Queue
from threading import Thread
from typing import IO
from uuid import UUID

from bench.rows import Measured, Row, row
from bench.servers import postgres
from loyalty_graph.clock import utc_now
from loyalty_graph.db import migrate, open_database
from loyalty_graph.identifiers import new_id
from loyalty_graph.jobs.models import JobRow
from loyalty_graph.jobs.rules import EPOCH, Handler, Job
from loyalty_graph.jobs.running import Runner
from loyalty_graph.worker.loops import Loop, running

JOBS = 2_000
JOBS_LONG = 10_000
WORKERS = 2
PROGRAMS = [UUID(int=number) for number in range(1, 9)]
SLOTS = 100
EVERY = timedelta(seconds=1)
FIRST_SLOT = EPOCH + timedelta(days=20_000)
POLL_S = 0.02
PATIENCE_S = 10.0
ROWS_AT_ONCE = 1_000

Slot = tuple[str, str]
"""A programme and an instant, as a worker tells of them."""


def jobs(*, count: int = JOBS, slots: int = SLOTS) -> list[Row]:
    with postgres() as server:
        rows = [_drained(server.database("drain"), count), _kept(server.database("cron"), slots)]
        return [{**one, "server": server.version} for one in rows]


SUITES: dict[str, Callable[[], list[Row]]] = {"jobs": jobs}
LONG_SUITES: dict[str, Callable[[], list[Row]]] = {"jobs": lambda: jobs(count=JOBS_LONG)}


def _drained(url: str, count: int) -> Row:
    _run("fill", url, str(count))
    with _workers("drain", url) as workers:
        begun = time.perf_counter()
        for one in workers:
            _say(one, "go")
        done = [int(_heard(one)) for one in workers]
        took_s = time.perf_counter() - begun
    assert sum(done) == count, f"{done} of {count} jobs were done: nothing is lost or done twice"
    return row(
        "jobs",
        "drain_pg",
        Measured(count / took_s, "jobs/s"),
        against=f"all that waited and do nothing; {WORKERS} worker processes",
        against_value=count,
        bar=None,
    )


def _kept(url: str, slots: int) -> Row:
    """Move the clock from slot to slot; count what is missed, and what is done twice."""
    _run("fill", url, "0")
    moments = [FIRST_SLOT + number * EVERY for number in range(slots)]
    expected = [_told(one, moment) for moment in moments for one in PROGRAMS]
    done: list[Slot] = []
    heard: Queue[str] = Queue()
    with _workers("cron", url) as workers:
        ears = [Thread(target=_listen, args=(one, heard)) for one in workers]
        for ear in ears:
            ear.start()
        for moment in moments:
            for one in workers:
                _say(one, moment.isoformat())
            done += _answers(heard, len(PROGRAMS))
        for one in workers:
            assert one.stdin is not None
            one.stdin.close()
        for ear in ears:
            ear.join()
    done += _answers(heard, heard.qsize())
    figure = row(
        "jobs",
        "cron",
        Measured(astray(expected, done), "slots missed or done twice"),
        against=f"slots of {len(PROGRAMS)} programmes, {WORKERS} worker processes",
        against_value=len(expected),
        bar=None,
    )
    return {**figure, "bar": 0, "holds": figure["value"] == 0}


def astray(expected: Iterable[Slot], done: Iterable[Slot]) -> int:
    """Return how many slots were not done exactly once."""
    wanted, told = Counter(expected), Counter(done)
    return sum(wanted[slot] != told[slot] for slot in wanted | told)


def _answers(heard: "Queue[str]", count: int) -> Iterator[Slot]:
    """Yield so many slots that were done, or those that were in time."""
    for _ in range(count):
        try:
            program, moment = heard.get(timeout=PATIENCE_S).split()
        except Empty:
            return
        yield program, moment


def _told(program_id: UUID, moment: datetime) -> Slot:
    return str(program_id), moment.isoformat()


def _listen(worker: "subprocess.Popen[str]", heard: "Queue[str]") -> None:
    assert worker.stdout is not None
    for line in worker.stdout:
        heard.put(line)


@contextmanager
def _workers(what: str, url: str) -> Iterator[list["subprocess.Popen[str]"]]:
    """Run workers; the block begins when all are ready."""
    with ExitStack() as stack:
        found = [
            stack.enter_context(
                subprocess.Popen(
                    _command(what, url),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(WORKERS)
        ]
        for one in found:
            assert _heard(one) == "ready"
        yield found


def _say(worker: "subprocess.Popen[str]", word: str) -> None:
    assert worker.stdin is not None
    print(word, file=worker.stdin, flush=True)


def _heard(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout is not None
    return worker.stdout.readline().strip()


def _run(*words: str) -> None:
    subprocess.run(_command(*words), check=True)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "bench.jobs", *words]


async def _fill(url: str, count: int) -> None:
    async with open_database(url):
        await migrate()
        now = utc_now()
        rows = [
            JobRow(
                id=new_id(now),
                program_id=PROGRAMS[0],
                kind="nothing",
                key=str(number),
                due_at=now,
                attempts=0,
                error="",
            )
            for number in range(count)
        ]
        await JobRow.bulk_create(rows, batch_size=ROWS_AT_ONCE)


async def _drain(url: str, lines: IO[str]) -> None:
    """Work until no job is left; tell how many were done here."""
    done = 0

    async def nothing(_job: Job) -> None:
        nonlocal done
        done += 1

    async with open_database(url):
        runner = Runner({"nothing": Handler(nothing)}, programs=_programs, poll_s=POLL_S)
        print("ready", flush=True)
        await asyncio.to_thread(lines.readline)
        is_left = True
        while is_left:
            pause_s = await runner.step(utc_now)
            await asyncio.sleep(pause_s)
            is_left = not pause_s or await JobRow.exists()
        print(done, flush=True)


async def _cron(url: str, lines: IO[str]) -> None:
    """Keep slots by the clock that is told line by line, until there are no more."""
    now = FIRST_SLOT - EVERY

    async def tell(job: Job) -> None:
        # The slot before the first is what a schedule begins with.
        if job.due_at >= FIRST_SLOT:
            print(*_told(job.program_id, job.due_at), flush=True)

    async with open_database(url):
        kinds = {"tick": Handler(tell, every=EVERY)}
        runner = Runner(kinds, programs=_programs, poll_s=POLL_S)
        print("ready", flush=True)
        async with running([Loop("jobs", lambda: runner.step(lambda: now), runner.close)]):
            while line := await asyncio.to_thread(lines.readline):
                now = datetime.fromisoformat(line.strip())


async def _programs() -> list[UUID]:
    return PROGRAMS


async def _main(what: str, url: str, *words: str) -> None:
    if what == "fill":
        await _fill(url, int(words[0]))
    else:
        await {"drain": _drain, "cron": _cron}[what](url, sys.stdin)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
