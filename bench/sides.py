"""The sides of a measurement: processes that a module fills a database for, and then serves."""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sides:
    """A module that is run as `python -m MODULE fill|SIDE URL FOLDER`."""

    module: str
    url: str
    folder: str

    def fill(self) -> dict[str, Any]:
        """Fill the database; return what the module tells of it."""
        told = subprocess.run(self._command("fill"), stdout=subprocess.PIPE, text=True, check=True)
        filled: dict[str, Any] = json.loads(told.stdout)
        return filled

    def start(self, side: str, stack: ExitStack) -> tuple[int, int]:
        """Start a side until the stack is closed; return its port and the id of its process."""
        process = subprocess.Popen(self._command(side), stdout=subprocess.PIPE, text=True)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        assert process.stdout is not None
        return int(process.stdout.readline()), process.pid

    def _command(self, what: str) -> list[str]:
        return [sys.executable, "-m", self.module, what, self.url, self.folder]
