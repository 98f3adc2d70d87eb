"""What APNs says to a push, as values: what became of it, and what that means for the device."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

RETRY_AFTER_MAX_S = 3600.0
REASON_CHARACTERS_MAX = 60
BAD_TOKEN = {"BadDeviceToken", "DeviceTokenNotForTopic", "MissingDeviceToken"}
NOT_FOR_THIS_CERTIFICATE = {"BadTopic", "MissingTopic", "TopicDisallowed"}


@dataclass(frozen=True, slots=True)
class Delivered:
    """APNs took the push; it reaches the device when that is on."""


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The device dropped its last pass of this type; true of tokens told until then, if it says."""

    since: datetime | None


@dataclass(frozen=True, slots=True)
class BadToken:
    """No device has this token, or not for this pass type."""

    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """It may well work another time, but not before so many seconds; nothing is known of it."""

    reason: str
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """Our certificate is not good for this, or theirs is not for us: no other push would work."""

    reason: str


Answer = Delivered | Unregistered | BadToken | Later | Refused
DELIVERED = Delivered()


def answer_of(status: int, body: bytes, *, retry_after: bytes = b"") -> Answer:
    """Return what a response means; what nobody has heard of means that it be tried later.

    Source: Apple, "Handling notification responses from APNs".

    Args:
        status: Of the response.
        body: JSON with `reason` and, for a device that is gone, `timestamp` in milliseconds.
        retry_after: The header of this name, in seconds.
    """
    if status == HTTPStatus.OK:
        return DELIVERED
    said = _said(body)
    reason = _shown(status, said.get("reason"))
    if status == HTTPStatus.GONE:
        return Unregistered(_moment(said.get("timestamp")))
    if status == HTTPStatus.BAD_REQUEST and reason in BAD_TOKEN:
        return BadToken(reason)
    if status == HTTPStatus.FORBIDDEN or reason in NOT_FOR_THIS_CERTIFICATE:
        return Refused(reason)
    return Later(reason, _seconds(retry_after))


def _said(body: bytes) -> dict[str, object]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _shown(status: int, reason: object) -> str:
    """Return Apple's word for it, or the status: whatever else is there is not for our log."""
    if isinstance(reason, str) and reason.isascii() and reason.isalnum():
        return reason[:REASON_CHARACTERS_MAX]
    return f"status {status}"


def _moment(timestamp: object) -> datetime | None:
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=timestamp)
    except (OverflowError, ValueError):
        return None


def _seconds(retry_after: bytes) -> float:
    """Return the pause that was asked for, capped; dates are not understood, as APNs sends none."""
    return min(float(retry_after), RETRY_AFTER_MAX_S) if retry_after.isdigit() else 0.0
