"""How a command fails: an expected failure is one line on standard error, and exit code 1."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.markup import escape

from loyalty_graph.cli.output import errors
from loyalty_graph.db import StorageError
from loyalty_graph.errors import LoyaltyError, ProgramFileError
from loyalty_graph.programs.errors import RateFileError


@contextmanager
def failures_told() -> Iterator[None]:
    """Print what is expected to fail in the block, and end this process with exit code 1.

    A file may have many faults: each gets its line, which editors can follow.
    """
    try:
        yield
    except typer.Exit as left:  # Raised where Typer does not see it: in one of several processes.
        sys.exit(left.exit_code)
    except (ProgramFileError, RateFileError) as error:
        _print_faults(error)
        sys.exit(1)
    except StorageError as error:
        errors.print(f"[bold red]UNAVAILABLE[/] {escape(str(error))}")
        sys.exit(1)
    except LoyaltyError as error:
        message = " ".join(error.message.splitlines())
        errors.print(f"[bold red]{error.code}[/] {escape(message)}")
        sys.exit(1)


def _print_faults(error: ProgramFileError | RateFileError) -> None:
    faults = [" ".join(one.splitlines()) for one in error.faults]
    if len(faults) == 1:
        errors.print(f"[bold red]{error.code}[/] {escape(faults[0])}")
        return
    errors.print(f"[bold red]{error.code}[/] {len(faults)} faults; nothing was changed.")
    for fault in faults:
        place, _, rest = fault.partition(": ")
        errors.print(f"[bold]{escape(place)}[/]: {escape(rest)}")
