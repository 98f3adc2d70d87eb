"""What the log says of an event, and what it never says."""

import io
import json
import logging
from contextvars import copy_context
from typing import Any

import pytest

from loyalty_graph import logs
from loyalty_graph.logs import redacted

TOKEN = "Ab3_" * 8
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()
logger = logging.getLogger("loyalty_graph.tests")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer [removed]"),
        ("{'authorization': 'ApplePass x1'}", "{'authorization': 'ApplePass [removed]'}"),
        ("bearer: abc, and", "bearer [removed], and"),
        ("lg_live_0a1B and lg_test_0a1B", "[removed] and [removed]"),
        ("eyJhbGciOi.eyJzdWIi.c2ln was", "[removed] was"),
        ("to ada.l+x@mail.example.com!", "to [e-mail]!"),
        ("?e=ada%40example.com&x", "?e=[e-mail]&x"),
        ("dial +4915112345678.", "dial [phone]."),
        ("dial +49 (151) 1234-5678 now", "dial [phone] now"),
        ("phone=%2B4915112345678&x", "phone=[phone]&x"),
        (f"GET /passes/{TOKEN[:20]}?x", "GET /passes/[removed]?x"),
        (f"/c/{TOKEN}/live", "/c/[removed]/live"),
        (f"token {TOKEN}", "token [removed]"),
        (f"/v1/devices/{'0f' * 10}/registrations", "/v1/devices/[removed]/registrations"),
        (f"push {'0f' * 32}", "push [removed]"),
        (f"target='{'0f' * 16}'", "target='[removed]'"),
        ("postgres://loyalty:p%40ss@db:5432/x", "postgres://loyalty:[removed]@db:5432/x"),
        ("redis://:secret@cache/0", "redis://:[removed]@cache/0"),
    ],
)
def test_secrets_are_taken_out(text: str, shown: str):
    assert redacted(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Alarm apns.pass.club.bean: Nothing is pushed (403 InvalidProviderToken).",
        "2026-11-23T04:38:45.334804+10:00 took +12.5 ms",
        "Job 01a206b2-dcd1-73b5-8db3-e05bc1ee3b1a of transfers.deliver failed, try 1 of 8",
        'File "usecases/x.py", line 7, in _bring_forward_whatever_was_put_off_too_far',
        "raise OutcomeUnknownError(MARKS_AT_LEAST_EVERY_FEW_SECONDS_1)",
        "postgres://db.example.com:5432/loyalty and /passes/templates/bean",
        "-" * 40,
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert redacted(text) == text


def lines(form: Any, write: Any) -> str:
    stream = io.StringIO()
    with logs.written(form, to=stream):
        copy_context().run(write)
    return stream.getvalue()


def test_a_line_is_one_object_with_its_request_and_its_traceback():
    def work() -> None:
        logs.begin_request([(b"x-request-id", b"till-7-0042"), (b"traceparent", PARENT)])
        logs.about(viewer="PARTNER")
        error = LookupError("ada@example.com\nis not here")
        logger.error("Request %s failed", "till-7-0042", exc_info=error)

    line = json.loads(lines("json", work))

    assert line.pop("timestamp").endswith("Z")
    assert line.pop("exception") == "LookupError: [e-mail]\nis not here"
    assert line == {
        "event": "Request till-7-0042 failed",
        "level": "error",
        "logger": "loyalty_graph.tests",
        "request_id": "till-7-0042",
        "trace_id": TRACE,
        "viewer": "PARTNER",
    }


def test_the_next_request_begins_with_nothing():
    def work() -> None:
        logs.begin_request([(b"x-request-id", b"till-7-0042"), (b"traceparent", PARENT)])
        logs.about(viewer="PARTNER")
        logs.begin_request([(b"x-request-id", TOKEN.encode()), (b"traceparent", b"00-x")])
        logger.info("Hello")

    line = json.loads(lines("json", work))

    assert set(line) == {"event", "level", "logger", "request_id", "timestamp"}
    assert line["request_id"] == "[removed]"


@pytest.mark.parametrize("given", [b"", b"short", b"two words here", b"x" * 65, "ü".encode() * 9])
def test_an_id_unfit_for_a_log_is_replaced(given: bytes):
    assert len(logs.begin_request([(b"x-request-id", given)]).id) == 16


def test_a_terminal_gets_text_and_a_file_objects(monkeypatch: pytest.MonkeyPatch):
    def work() -> None:
        logger.info("Hello", extra={"ignored": 1})

    on_terminal = io.StringIO()
    monkeypatch.setattr(on_terminal, "isatty", lambda: True)
    with logs.written(to=on_terminal):
        work()

    assert "Hello" in on_terminal.getvalue()
    assert not on_terminal.getvalue().startswith("{")
    assert json.loads(lines(None, work))["event"] == "Hello"
    assert "Hello" in lines("console", work)


def test_only_warnings_are_told_of_others_and_nothing_after_the_block():
    def work() -> None:
        logging.getLogger("others").info("chatter")
        logging.getLogger("others").warning("cannot reach +4915112345678")

    stream = io.StringIO()
    with logs.written("json", to=stream):
        work()
    work()

    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "cannot reach [phone]"
