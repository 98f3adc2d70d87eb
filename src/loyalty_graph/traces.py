"""Which trace work belongs to, and spans of it, if somebody wants them.

A trace begins with the caller's header, or with the request. It goes on with the marks of cards:
the push that follows a purchase belongs to the purchase's trace. Without OpenTelemetry the caller's
header is passed on all the same, and no span costs more than finding that out.

Source: W3C Trace Context, level 1, section 3.2 (the header traceparent).
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loyalty_graph.telemetry import Telemetry

TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
TRACEPARENT_CHARACTERS = 55
_TRACE = slice(3, 35)
_NOTHING = nullcontext()

_given: ContextVar[str | None] = ContextVar("given", default=None)
_telemetry: "Telemetry | None" = None


@contextmanager
def told_by(telemetry: "Telemetry") -> Iterator[None]:
    """Make spans of what this process does until the block ends; then all of them are sent."""
    global _telemetry  # noqa: PLW0603 - a process has one, or none
    _telemetry = telemetry
    try:
        yield
    finally:
        _telemetry = None
        telemetry.close()


def belong_to(traceparent: str) -> None:
    """Let what this task does belong to the trace of this header; to none, if it names none."""
    _given.set(traceparent if TRACEPARENT.fullmatch(traceparent) else None)


def present() -> str | None:
    """Return the header that names the trace, and if there are spans the span, of this moment."""
    if _telemetry is not None and (traceparent := _telemetry.present()) is not None:
        return traceparent
    return _given.get()


def trace_id(traceparent: str) -> str:
    """Return the id of the trace that a header names."""
    return traceparent[_TRACE]


def span(
    name: str,
    *,
    parent: str | None = None,
    links: Iterable[str | None] = (),
    begins: bool = True,
) -> AbstractContextManager[None]:
    """Return what makes a span of a block, below `parent` if one is given, else of this moment's.

    Args:
        name: From a few that there are; never what a client chose.
        parent: The header that names another one's span.
        links: Headers of spans that the block works for as well.
        begins: Whether it begins a trace when there is none; otherwise there is no span then.
    """
    if _telemetry is None or not (begins or present()):
        return _NOTHING
    if parent is None and _telemetry.present() is None:
        parent = _given.get()
    return _telemetry.span(name, parent, [one for one in links if one is not None])


def ended(name: str, seconds: float, *, parent: str | None = None, **attributes: str) -> None:
    """Tell of what has ended this moment and took so long, as a span."""
    if _telemetry is not None:
        _telemetry.ended(name, parent or present(), seconds, attributes)


def describe(*, name: str | None = None, **attributes: str) -> bool:
    """Say something of this moment's span; return whether there is one."""
    return _telemetry is not None and _telemetry.describe(attributes, name)
