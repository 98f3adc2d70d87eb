"""Reads DER, the byte form of certificates and signatures, strictly and without copying.

Source: ITU-T X.690, sections 8.1 and 10.1. Only what CMS uses: one-byte tags, definite lengths.
"""

from dataclasses import dataclass

INTEGER, OCTET_STRING, NULL, OBJECT_IDENTIFIER = 0x02, 0x04, 0x05, 0x06
UTC_TIME, SEQUENCE, SET = 0x17, 0x30, 0x31
CONTEXT_0 = 0xA0
CONSTRUCTED_BIT = 0x20
HIGH_TAG_NUMBER = 0x1F
SHORT_LENGTH_MAX = 0x7F
LENGTH_BYTES_MAX = 4


class DerError(ValueError):
    """The bytes are not the DER that was expected; the message says where."""


@dataclass(frozen=True, slots=True)
class Element:
    """One tag, length and content inside `data`; `start` and `end` bound the whole of it."""

    data: bytes
    start: int
    content_start: int
    end: int

    @property
    def tag(self) -> int:
        """The tag byte."""
        return self.data[self.start]

    @property
    def content(self) -> bytes:
        """The bytes after tag and length."""
        return self.data[self.content_start : self.end]

    @property
    def encoded(self) -> bytes:
        """Tag, length and content."""
        return self.data[self.start : self.end]

    def children(self) -> list["Element"]:
        """Return the elements inside this one, which must fill it exactly.

        Raises:
            DerError: this element holds no others, or they overrun it.
        """
        if not self.tag & CONSTRUCTED_BIT:
            raise DerError(f"byte {self.start}: tag {self.tag:#04x} holds no other elements")
        found, place = [], self.content_start
        while place < self.end:
            element = _element(self.data, place, self.end)
            found.append(element)
            place = element.end
        return found

    def expect(self, tag: int) -> "Element":
        """Return this element if it has the tag.

        Raises:
            DerError: it has another one.
        """
        if self.tag != tag:
            raise DerError(f"byte {self.start}: tag {self.tag:#04x} where {tag:#04x} belongs")
        return self


def read(data: bytes) -> Element:
    """Return the one element that fills `data`.

    Raises:
        DerError: there is less or more, or a length is not in its shortest form.
    """
    element = _element(data, 0, len(data))
    if element.end != len(data):
        raise DerError(f"byte {element.end}: more bytes after the end")
    return element


def _element(data: bytes, start: int, limit: int) -> Element:
    if start + 2 > limit:
        raise DerError(f"byte {start}: cut short")
    if data[start] & HIGH_TAG_NUMBER == HIGH_TAG_NUMBER:
        raise DerError(f"byte {start}: a tag of several bytes")
    length, content_start = _length(data, start + 1, limit)
    end = content_start + length
    if end > limit:
        raise DerError(f"byte {start}: {length} bytes announced, {limit - content_start} left")
    return Element(data, start, content_start, end)


def _length(data: bytes, place: int, limit: int) -> tuple[int, int]:
    first = data[place]
    if first <= SHORT_LENGTH_MAX:
        return first, place + 1
    count = first & SHORT_LENGTH_MAX
    if not 1 <= count <= LENGTH_BYTES_MAX or place + 1 + count > limit:
        raise DerError(f"byte {place}: a length that DER does not allow")
    length = int.from_bytes(data[place + 1 : place + 1 + count], "big")
    if length <= SHORT_LENGTH_MAX or data[place + 1] == 0:
        raise DerError(f"byte {place}: a length that is not in its shortest form")
    return length, place + 1 + count
