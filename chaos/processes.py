"""The processes of a town: the installed program, started, killed, stopped in good order."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from chaos.clocked import move

RUNS = "Ctrl-C stops"
LOOK_EVERY_S = 0.02
STOPPED_WITHIN_S = 60
# What is compiled once starts in half the time.
PYTHON = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}


class StartError(Exception):
    """A process ended before it ran; the message is what it said."""


@dataclass
class Program:
    """One process of the program, which may be started many times.

    Attributes:
        name: What the report calls it.
        words: The command, such as serve, and its options.
        folder: Where what it prints is kept, and what its clock is moved by.
        environment: What is added to ours.
    """

    name: str
    words: Sequence[str]
    folder: Path
    environment: dict[str, str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _read: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.move_clock(timedelta())

    def move_clock(self, by: timedelta) -> None:
        """Let its clock go before or after the true one by so much."""
        move(self._clock, by)

    @property
    def _clock(self) -> Path:
        return self.folder / f"{self.name}.clock"

    @property
    def log(self) -> Path:
        """Return the file of what it printed."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """Return which process of the machine it is."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Say whether it runs."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start it, and wait until it serves or works.

        Raises:
            StartError: It ended instead.
        """
        self._read = self.log.stat().st_size if self.log.exists() else 0
        self._process = self._begun()
        while RUNS not in (said := self._said()):
            if not self.is_running:
                raise StartError(f"{self.name} did not start: {said}")
            await asyncio.sleep(LOOK_EVERY_S)

    def _begun(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "chaos.clocked", str(self._clock), *self.words]
        settings = {**os.environ, **PYTHON, **self.environment}
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=settings)

    async def kill(self) -> None:
        """End it as a power cut does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to stop, and wait; return its exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        assert self._process is not None, f"{self.name} was not started"
        self._process.send_signal(number)
        return await asyncio.to_thread(self._process.wait, STOPPED_WITHIN_S)

    def _said(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._read)
            return log.read().decode(errors="replace")


def begun(*words: str, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a command of the program, whose words nobody reads."""
    return subprocess.Popen(
        [sys.executable, "-m", "loyalty_graph", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **PYTHON, **environment},
    )


def run(
    *words: str, environment: Mapping[str, str], statuses: Collection[int] = frozenset({0})
) -> str:
    """Run a command of the program to its end; return what it printed.

    Raises:
        StartError: It ended with another status than these.
    """
    command = [sys.executable, "-m", "loyalty_graph", *words]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, **PYTHON, **environment},
        check=False,
    )
    if done.returncode not in statuses:
        raise StartError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout
