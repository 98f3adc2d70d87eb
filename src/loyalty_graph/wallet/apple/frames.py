"""Cuts a stream of HTTP/2 into frames, and reads GOAWAY: h2 takes no answers after it.

RFC 9113, 6.8: a server that goes away still answers the streams up to the one it names. h2 closes
the whole connection instead, so it is not told.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

HEAD_BYTES = 9
GOAWAY = 0x7
GOAWAY_BYTES_MIN = 8
FRAME_BYTES_MAX = 16_384
"""What a peer may send unless it was allowed more (RFC 9113, 4.2)."""
STREAM_BITS = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class GoAway:
    """The server takes no more streams; it answers those up to `last_stream`."""

    last_stream: int
    error_code: int

    @property
    def name(self) -> str:
        """Return what the error is called."""
        try:
            return ErrorCodes(self.error_code).name
        except ValueError:
            return f"error {self.error_code}"


class Frames:
    """Gathers what arrives until frames are whole."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes | GoAway]:
        """Yield the frames that are whole by now, in their order.

        Raises:
            ProtocolError: One is announced that is longer than allowed; those before it were good.
        """
        data, start = self._rest + data, 0
        while len(data) - start >= HEAD_BYTES:
            length = int.from_bytes(data[start : start + 3], "big")
            if length > FRAME_BYTES_MAX:
                raise ProtocolError("A frame is longer than allowed.")
            end = start + HEAD_BYTES + length
            if end > len(data):
                break
            frame = data[start:end]
            yield _goaway(frame) if frame[3] == GOAWAY else frame
            start = end
        self._rest = data[start:]


def _goaway(frame: bytes) -> GoAway:
    payload = frame[HEAD_BYTES:]
    if len(payload) < GOAWAY_BYTES_MIN:
        raise ProtocolError("A GOAWAY frame is too short.")
    last_stream = int.from_bytes(payload[:4], "big") & STREAM_BITS
    return GoAway(last_stream, int.from_bytes(payload[4:8], "big"))
