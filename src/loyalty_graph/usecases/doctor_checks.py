"""What the doctor says of one thing: whether it is well, what was found, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing is."""

    OK = "OK"
    WARNING = "WARNING"
    """It works now; somebody should look at it."""
    FAULT = "FAULT"
    """Something does not work, or may lose data."""
    SKIPPED = "SKIPPED"
    """It could not be looked at, because of a fault before it."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was found about one thing, in a sentence without secrets.

    `advice` says what to do, and is empty where nothing is to be done.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def well(name: str, found: str) -> Check:
    """Return that a thing is as it should be."""
    return Check(name, State.OK, found)


def warning(name: str, found: str, advice: str) -> Check:
    """Return that somebody should look at a thing."""
    return Check(name, State.WARNING, found, advice)


def fault(name: str, found: str, advice: str) -> Check:
    """Return that a thing does not work, or may lose data."""
    return Check(name, State.FAULT, found, advice)
