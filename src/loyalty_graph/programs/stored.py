"""Reads back what a version of a programme holds, which newer code may have written."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError
from tortoise.exceptions import DBConnectionError

Settings = TypeVar("Settings")


class NewerProgramError(DBConnectionError):
    """A version of a programme says what this version of the code does not know.

    It does not guess what that would mean for points: to callers it is not available, so that they
    try again and meet a newer process.
    """


def read_stored(read: Callable[[Any], Settings], stored: Any) -> Settings:
    """Return stored settings; they were valid for the code that stored them.

    Raises:
        NewerProgramError: this code does not know something that they say.
    """
    try:
        return read(stored)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, one["loc"])) for one in error.errors()[:3])
        raise NewerProgramError(
            f"A newer Loyalty Graph has written this programme ({places}); use that version."
        ) from error
