"""Writes pass files: a zip whose shared members, sums and hashes are worked out once per template.

Source: PKWARE APPNOTE 4.3 (zip records); Apple, "Building a pass" (manifest of SHA-1 sums).
"""

import hashlib
import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zlib import crc32

import orjson

from loyalty_graph.wallet.apple.signing import Signer

PASS_JSON, MANIFEST, SIGNATURE = "pass.json", "manifest.json", "signature"
GENERATED = (PASS_JSON, MANIFEST, SIGNATURE)
# Every member is dated 1980-01-01, so that equal cards are equal bytes.
DOS_TIME, DOS_DATE = 0, 0x21
VERSION = 20
UTF8_NAMES = 0x800
STORED = 0
_COMMON = "5H3I2H"
_LOCAL, _CENTRAL, _END = f"<4s{_COMMON}", f"<4sH{_COMMON}3H2I", "<4s4H2IH"


class PassArchive:
    """The unchanging part of every pass file of one template and signer, ready to be copied.

    A pass then costs its JSON, one SHA-1, three CRC-32 of small members, and the signature.
    Members are stored, not deflated: PNG images would not get smaller.

    Attributes:
        body: What every pass file begins with: the members that all share.
    """

    def __init__(self, files: Mapping[str, bytes], signer: Signer) -> None:
        assert not set(files) & set(GENERATED), "these members are made per pass"
        self._signer = signer
        members = sorted((name, data) for name, data in files.items())
        parts: list[bytes] = []
        directory: list[bytes] = []
        self._offset = _append(parts, directory, members, offset=0)
        self.body, self._directory = b"".join(parts), b"".join(directory)
        self._count = len(members) + len(GENERATED)
        sums = {name: _sha1(data) for name, data in members}
        self._manifest_head = orjson.dumps(sums)[:-1] + (b"," if sums else b"")

    def build(self, pass_json: Mapping[str, Any], *, now: datetime) -> bytes:
        """Return the signed pass file; equal for equal arguments, as RSA signatures repeat."""
        return self.body + self.tail(pass_json, now=now)

    def tail(self, pass_json: Mapping[str, Any], *, now: datetime) -> bytes:
        """Return what follows `body` in one signed pass file: all that differs between passes."""
        card = orjson.dumps(pass_json)
        manifest = b'%b"%b":"%b"}' % (
            self._manifest_head,
            PASS_JSON.encode(),
            _sha1(card).encode(),
        )
        signature = self._signer.sign(manifest, now=now)
        parts: list[bytes] = []
        directory = [self._directory]
        members = list(zip(GENERATED, (card, manifest, signature), strict=True))
        end = _append(parts, directory, members, offset=self._offset)
        entries = b"".join(directory)
        parts.append(entries)
        count = self._count
        parts.append(struct.pack(_END, b"PK\5\6", 0, 0, count, count, len(entries), end, 0))
        return b"".join(parts)


def _append(
    parts: list[bytes], directory: list[bytes], members: list[tuple[str, bytes]], *, offset: int
) -> int:
    """Add local and central records; return the offset after the last member."""
    for text, data in members:
        name = text.encode()
        size, flags = len(data), 0 if text.isascii() else UTF8_NAMES
        shared = (VERSION, flags, STORED, DOS_TIME, DOS_DATE, crc32(data), size, size, len(name), 0)
        local = struct.pack(_LOCAL, b"PK\3\4", *shared)
        central = struct.pack(_CENTRAL, b"PK\1\2", VERSION, *shared, 0, 0, 0, 0, offset)
        parts += (local, name, data)
        directory += (central, name)
        offset += len(local) + len(name) + size
    return offset


def _sha1(data: bytes) -> str:
    # Apple's manifest format is SHA-1; what protects it is the SHA-256 signature over the manifest.
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
