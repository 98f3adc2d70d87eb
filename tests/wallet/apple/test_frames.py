import pytest
from h2.exceptions import ProtocolError

from loyalty_graph.wallet.apple.frames import Frames, GoAway

PING = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"12345678"
EMPTY_DATA = b"\x00\x00\x00\x00\x01\x00\x00\x00\x05"
GOAWAY = b"\x00\x00\x0a\x07\x00\x00\x00\x00\x00" + b"\x80\x00\x00\x05" + b"\x00\x00\x00\x0b" + b"ok"


@pytest.mark.parametrize("size", [1, 2, 8, 9, 10, 17, 1000])
def test_frames_are_whole_however_they_arrive(size: int):
    stream, frames = PING + GOAWAY + EMPTY_DATA + PING, Frames()

    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    found = [frame for piece in pieces for frame in frames.feed(piece)]

    assert found == [PING, GoAway(5, 11), EMPTY_DATA, PING]


def test_errors_have_their_names():
    assert GoAway(0, 11).name == "ENHANCE_YOUR_CALM"
    assert GoAway(0, 77).name == "error 77"


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x40\x01\x00\x00\x00\x00\x00\x00",
        GOAWAY[:2] + b"\x04" + GOAWAY[3:],
    ],
)
def test_what_is_no_frame_is_refused(garbage: bytes):
    with pytest.raises(ProtocolError):
        list(Frames().feed(garbage))
