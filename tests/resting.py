"""What processes of tests do; another process imports it, so it is little."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

Ready = Callable[[], None]


def note(folder: Path, word: str) -> None:
    with (folder / "notes").open("a") as notes:
        notes.write(f"{word}\n")


def noted(folder: Path) -> list[str]:
    return (folder / "notes").read_text().splitlines()


def heard() -> SimpleQueue[int]:
    """Return what is told of each SIGTERM and SIGINT."""
    signals = SimpleQueue[int]()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    return signals


def rest(folder: Path, *, is_first: bool, ready: Ready) -> None:
    """Do nothing until SIGTERM; the second process that begins is killed."""
    note(folder, f"begun {'first' if is_first else 'later'}")
    signals = heard()
    if not is_first:
        with suppress(FileExistsError):
            (folder / "killed").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
    ready()
    assert signals.get() == signal.SIGTERM
    note(folder, "ended")


def fall(folder: Path, *, is_first: bool, ready: Ready) -> None:
    note(folder, "begun")
    os._exit(3)


def refuse(folder: Path, *, is_first: bool, ready: Ready) -> None:
    note(folder, "begun")
    sys.stderr.write("It cannot be used.\n")
    sys.exit(1)


def hang(folder: Path, *, is_first: bool, ready: Ready) -> None:
    """Hear neither SIGTERM nor SIGINT."""
    signals = heard()
    ready()
    while signals.get():
        pass


def heed(folder: Path, *, is_first: bool, ready: Ready) -> None:
    """Stop at the signal that waits for nobody only."""
    signals = heard()
    ready()
    assert signals.get() == signal.SIGTERM
    os.kill(os.getppid(), signal.SIGINT)
    assert signals.get() == signal.SIGINT
    note(folder, "interrupted")
