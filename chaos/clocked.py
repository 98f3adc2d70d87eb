"""Runs our command line with a clock moved by a file: `python -m chaos.clocked FILE serve`."""

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from loyalty_graph import clock


class MovedClock:
    """The machine's clock, moved by the seconds that a file says, which may change at any time.

    While the file is being written, and so says nothing, the clock stays moved as it was.
    """

    def __init__(self, file: Path, tell: Callable[[], datetime]) -> None:
        self._file, self._tell = file, tell
        self._written_ns = 0
        self._by = timedelta()

    def __call__(self) -> datetime:
        """Return the moment, by the file as it is now."""
        written_ns = self._file.stat().st_mtime_ns
        if written_ns != self._written_ns and (text := self._file.read_text("utf-8").strip()):
            self._by = timedelta(seconds=float(text))
            self._written_ns = written_ns
        return self._tell() + self._by


def move(file: Path, by: timedelta) -> None:
    """Move the clocks that read this file; no reader finds it half written."""
    new = file.with_suffix(".new")
    new.write_text(str(by.total_seconds()), encoding="utf-8")
    new.replace(file)


def main() -> None:
    """Replace the clock before anything else of ours is imported, then run the command."""
    program, file, *words = sys.argv
    clock.utc_now = MovedClock(Path(file), clock.utc_now)
    sys.argv = [program, *words]
    from loyalty_graph.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
