"""How the fake of APNs answers, and what it keeps of each push."""

import asyncio
import json
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

STREAMS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Reply:
    """What the fake does with a push.

    Attributes:
        status: Of the answer.
        reason: Apple's word for it; without one there is no body, unless `body` is set.
        unregistered_at: When the device was gone, for a 410.
        retry_after: The header, in seconds.
        body: Sent as it is, instead of JSON.
        empty_frames: So many empty DATA frames end the answer, which HTTP/2 allows.
        delay_s: Waits so long first.
        until: Waits for this first.
        reset: Resets the stream with this error instead of answering.
        drops: Drops the connection instead of answering.
    """

    status: int = HTTPStatus.OK
    reason: str = ""
    unregistered_at: datetime | None = None
    retry_after: int | None = None
    body: bytes | None = None
    empty_frames: int = 0
    delay_s: float = 0.0
    until: asyncio.Event | None = None
    reset: int | None = None
    drops: bool = False

    def content(self) -> bytes:
        """Return the body of the answer."""
        if self.body is not None:
            return self.body
        said: dict[str, object] = {"reason": self.reason} if self.reason else {}
        if self.unregistered_at is not None:
            said["timestamp"] = round(self.unregistered_at.timestamp() * 1000)
        return json.dumps(said).encode() if said else b""


OK = Reply()


@dataclass(frozen=True, slots=True)
class Push:
    """A push as it arrived, and the status it was answered with (0: none)."""

    at: datetime
    token: str
    topic: str
    payload: bytes
    status: int
    connection: int


@dataclass(slots=True)
class Plan:
    """How the fake behaves; may be changed while it runs.

    Attributes:
        replies: By token; each push takes the first, and the last one stays.
        usual: For all other tokens.
        streams_max: How many streams a connection may have open; told when it begins.
        goaway_after: A connection goes away after so many pushes; what it has not begun to look
            at by then must come again on another one.
    """

    replies: defaultdict[str, deque[Reply]] = field(default_factory=lambda: defaultdict(deque))
    usual: Reply = OK
    streams_max: int = STREAMS_MAX
    goaway_after: int | None = None

    def answer(self, token: str, *replies: Reply) -> None:
        """Answer the next pushes to a device like this, one by one; later ones like the last."""
        self.replies[token] = deque(replies)

    def reply_to(self, token: str) -> Reply:
        """Return the reply to the next push."""
        if token not in self.replies:
            return self.usual
        replies = self.replies[token]
        return replies.popleft() if len(replies) > 1 else replies[0]
