"""Texts of programme files: read from disk, bounded, and turned into data."""

import re
import tomllib
from pathlib import Path
from typing import Any

from loyalty_graph.errors import ProgramFileError
from loyalty_graph.programs.places import line_and_column
from loyalty_graph.usecases.program_faults import NESTING_MAX

TEXT_BYTES_MAX = 1_000_000
KEY_PARTS_MAX = 64
"""A longer key takes tomllib memory by the square of its parts, each anew."""
_KEY_PART = r"""(?:"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_LONG_KEY = re.compile(
    rf"""(?<![\w\-"'.\\]){_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART}){{{KEY_PARTS_MAX},}}"""
)
_LONG_NUMBER = re.compile(r"[0-9][0-9_]{4299,}")
"""Python reads no decimal number with more digits than that."""
_SYNTAX_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)

_HINTS = {
    "Unclosed inline table": "; is a comma or a } missing here?",
    "Unclosed array": "; is a comma or a ] missing here?",
    "Illegal character '\\n'": "; is a quote missing at the end of the line?",
}
"""What tomllib stumbles over, and what people mostly forgot."""


def text_of(path: Path) -> str:
    """Return the text of a programme file, as it stands.

    Raises:
        ProgramFileError: It cannot be read, is too long, or is no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(TEXT_BYTES_MAX + 1)
    except OSError as error:
        raise ProgramFileError(f"{path} cannot be read: {error.strerror}.") from error
    _refuse_long(content, str(path))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ProgramFileError(f"{path}:{line}: is no text in UTF-8.") from error


def data_of(text: str, *, name: str) -> dict[str, Any]:
    """Return what a TOML text says; `name` stands in messages before the place.

    Raises:
        ProgramFileError: It is too long, nested too deep, or no TOML.
    """
    _refuse_long(text.encode("utf-8", "surrogatepass"), name)
    if (key := _LONG_KEY.search(text)) is not None:
        raise ProgramFileError(
            f"{_place(name, text, key)}: a key is nested deeper than {NESTING_MAX} levels."
        )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ProgramFileError(f"{name}: is nested deeper than {NESTING_MAX} levels.") from None
    except ValueError as error:
        raise ProgramFileError(_syntax_fault(name, text, str(error))) from error


def _refuse_long(content: bytes, name: str) -> None:
    if len(content) > TEXT_BYTES_MAX:
        raise ProgramFileError(f"{name}: is longer than {TEXT_BYTES_MAX:,} bytes.")


def _place(name: str, text: str, match: re.Match[str]) -> str:
    line, column = line_and_column(text, match.start())
    return f"{name}:{line}:{column}"


def _syntax_fault(name: str, text: str, message: str) -> str:
    """Return what tomllib found wrong with a text, with its place in front."""
    match = _SYNTAX_PLACE.fullmatch(message)
    if match is None:
        if (number := _LONG_NUMBER.search(text)) is None:
            return f"{name}: is no TOML: {message}."
        return f"{_place(name, text, number)}: a number has more digits than any can have."
    line, column = match[2], match[3]
    if line is None:
        line, column = line_and_column(text, len(text))
    return f"{name}:{line}:{column}: is no TOML: {match[1]}{_HINTS.get(match[1], '.')}"
