"""How the log is written: a line for each event, with what it was about, and without secrets.

Everybody logs by the standard library; this formats what reaches the root. Secrets are taken out of
every value before a line is made, whoever wrote it: they come with the messages of libraries, in
tracebacks, and with the addresses that clients asked for.
"""

import logging
import re
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from loyalty_graph import traces

Format = Literal["json", "console"]

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
REQUEST_ID_BYTES = 8
REMOVED = "[removed]"
EMAIL, PHONE = "[e-mail]", "[phone]"
# Tokens of passes, links and pushes are at least this long.
LONG = 32

# In this order: what has a name of its own goes before what is only long.
_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(\w+://[^\s:/@]*:)[^\s@]+@"), rf"\1{REMOVED}@"),
    (re.compile(r"\b(ApplePass|Bearer|Basic)[\s:=]+[^\s,;\"']+", re.IGNORECASE), rf"\1 {REMOVED}"),
    (re.compile(r"\blg_(?:live|test)_\w+"), REMOVED),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"), REMOVED),
    (re.compile(r"(/(?:passes|c)/)[\w.=~%-]{16,}"), rf"\1{REMOVED}"),
    # Whoever knows a device's id may ask what it holds.
    (re.compile(r"\b(devices?[\s:=/]+)[\w.:~+=-]{16,}", re.IGNORECASE), rf"\1{REMOVED}"),
    (re.compile(r"[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+"), EMAIL),
    (re.compile(r"(?:\+|%2B)[1-9](?:[ ()./-]{0,2}\d){6,14}(?!\d)", re.IGNORECASE), PHONE),
    (re.compile(rf"[A-Za-z0-9_-]{{{LONG},}}"), lambda word: _long(word[0])),
)
# A row's id, or a name in our code.
_PUBLIC = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|_*[a-z0-9]+(_+[a-z0-9]+)+|_*[A-Z0-9]+(_+[A-Z0-9]+)+|[_-]+"
)
# Elsewhere so many digits may be the id of a phone, which is a secret.
_IDS, _HEXADECIMAL = {"request_id", "trace_id"}, re.compile("[0-9a-f]{32}")
_PLAIN = (int, float, bool, type(None))


def redacted(text: str) -> str:
    """Return a text without tokens, e-mails, phone numbers, passwords and secret links."""
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def _long(word: str) -> str:
    return word if _PUBLIC.fullmatch(word) else REMOVED


class Asked:
    """A request of a client; what the log calls it is worked out when somebody wants to know.

    `headers` are as ASGI has them, their names in small letters.
    """

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._headers = headers

    @cached_property
    def id(self) -> str:
        """The caller's own id (x-request-id) when it is safe to log, or a new one."""
        given = self._header(b"x-request-id")
        return given if REQUEST_ID.fullmatch(given) else secrets.token_hex(REQUEST_ID_BYTES)

    @property
    def traceparent(self) -> str:
        """To which trace the caller says that it belongs; empty if to none."""
        return self._header(b"traceparent")

    def _header(self, wanted: bytes) -> str:
        return next(
            (value.decode("latin-1") for name, value in self._headers if name == wanted), ""
        )


# Cheaper than structlog's, which has a variable for each name.
_asked: ContextVar[Asked | None] = ContextVar("asked", default=None)
_about: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039 - never changed


def begin_request(headers: Iterable[tuple[bytes, bytes]]) -> Asked:
    """Let each line of this task tell to which request and trace it belongs, from here on."""
    asked = Asked(headers)
    _asked.set(asked)
    _about.set({})
    traces.belong_to(asked.traceparent)
    return asked


def about(**values: str) -> None:
    """Let each line of this task tell this too, from here on; never who a person is."""
    _about.set(_about.get() | values)


@contextmanager
def written(form: Format | None = None, *, to: TextIO | None = None) -> Iterator[None]:
    """Write the log of this process until the block ends: ours from INFO on, others' warnings.

    Args:
        form: One JSON object a line, or coloured text; without it, text on a terminal only.
        to: Where; standard error, if not given.
    """
    stream = to or sys.stderr
    handler, ours = logging.StreamHandler(stream), logging.getLogger("loyalty_graph")
    handler.setFormatter(_formatter(form or ("console" if stream.isatty() else "json")))
    root, level = logging.getLogger(), ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(level)
        root.removeHandler(handler)


def _formatter(form: Format) -> structlog.stdlib.ProcessorFormatter:
    as_text = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    as_json = structlog.processors.JSONRenderer(serializer=_json)
    render: Processor = as_json if form == "json" else as_text
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _tell_about,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _redact,
            render,
        ],
    )


def _tell_about(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    told: EventDict = {}
    if (asked := _asked.get()) is not None:
        told = {"request_id": asked.id}
    if (traceparent := traces.present()) is not None:
        told["trace_id"] = traces.trace_id(traceparent)
    return {**told, **_about.get(), **event}


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> Mapping[str, Any]:
    return {name: _value(name, value) for name, value in event.items()}


def _value(name: str, value: object) -> object:
    if isinstance(value, _PLAIN) or (name in _IDS and _HEXADECIMAL.fullmatch(str(value))):
        return value
    return redacted(str(value))


def _json(event: Mapping[str, Any], **_options: Any) -> str:
    return orjson.dumps(event).decode()
