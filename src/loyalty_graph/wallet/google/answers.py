"""What Google's answers mean: what went wrong is told by the body, not by the status.

Google refuses with 403 both who asks too often (later it works) and who may not ask at all
(somebody must change something), and the other way round says 429 for some of the first.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

QUOTA_REASONS = frozenset(
    {
        "quotaexceeded",
        "quotaexceededexception",
        "ratelimitexceeded",
        "userratelimitexceeded",
        "dailylimitexceeded",
        "resourceexhausted",
    }
)
REASON = re.compile(r"[A-Za-z0-9_.-]{1,60}")
REASONS_MAX = 5
RETRY_AFTER_MAX_S = 600.0


class Outcome(StrEnum):
    """What became of a request."""

    DONE = "DONE"
    ABSENT = "ABSENT"
    EXISTS = "EXISTS"
    QUOTA = "QUOTA"
    LATER = "LATER"
    FORBIDDEN = "FORBIDDEN"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Answer:
    """What Google said.

    Attributes:
        outcome: What it means.
        status: The HTTP status, 0 when there was none.
        because: Status and reasons, for the log; nothing of what was sent.
        heard: Whether Google may have done it all the same, as after a time-out.
        wait_s: How long Google asks to wait; 0 when it does not say.
        body: What it answered.
    """

    outcome: Outcome
    because: str = ""
    status: int = 0
    heard: bool = False
    wait_s: float = 0.0
    body: Mapping[str, Any] = field(default_factory=dict)


def read_answer(status: int, body: object, *, retry_after: str | None = None) -> Answer:
    """Return what an answer means; `body` is parsed JSON, or None when it is none."""
    known: Mapping[str, Any] = body if isinstance(body, dict) else {}
    if status < HTTPStatus.MULTIPLE_CHOICES:
        if not isinstance(body, dict):
            because = f"{status} with something else than JSON"
            return Answer(Outcome.LATER, because, status, heard=True)
        return Answer(Outcome.DONE, status=status, body=known)
    reasons = list(_reasons(known))[:REASONS_MAX]
    because = " ".join([str(status), *reasons])
    outcome = _outcome(status, {one.replace("_", "").lower() for one in reasons})
    heard = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return Answer(outcome, because, status, heard=heard, wait_s=_seconds(retry_after), body=known)


def _outcome(status: int, reasons: set[str]) -> Outcome:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Outcome.QUOTA
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}:
        return Outcome.QUOTA if reasons & QUOTA_REASONS else Outcome.FORBIDDEN
    if status == HTTPStatus.NOT_FOUND:
        return Outcome.ABSENT
    if status == HTTPStatus.CONFLICT:
        return Outcome.EXISTS
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Outcome.LATER
    # A redirect is not followed: it would carry our token elsewhere.
    return Outcome.REFUSED if status >= HTTPStatus.BAD_REQUEST else Outcome.LATER


def _reasons(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield why: `errors[].reason` of the old form, `details[].reason` and `status` of the new.

    The token endpoint has a text in `error` (RFC 6749, section 5.2).
    """
    error = body.get("error")
    found: list[Any] = [error]
    if isinstance(error, dict):
        found = [error.get("status")]
        for part in ("errors", "details"):
            entries = error.get(part)
            for entry in entries if isinstance(entries, list) else []:
                found.append(entry.get("reason") if isinstance(entry, dict) else None)
    for reason in found:
        if isinstance(reason, str) and REASON.fullmatch(reason):
            yield reason


def _seconds(text: str | None) -> float:
    return min(float(text), RETRY_AFTER_MAX_S) if text and text.isdecimal() else 0.0
