"""A checkpoint: one signed hash over the heads of all chains, and over the checkpoint before it.

Who keeps a copy can tell later whether anything before it was changed, removed or inserted. Its
signature is Ed25519 (RFC 8032) over the canonical JSON (RFC 8785) of all other fields.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from loyalty_graph.ledger import chain
from loyalty_graph.ledger.errors import CheckpointFileError

FORMAT = "loyalty-graph checkpoint 1"
KEY_ID_CHARACTERS = 16
BYTES_MAX = 10_000
"""How long a published checkpoint may be; ours have a tenth of it."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a member's chain stood: the newest sequence and its hash."""

    member_id: UUID
    sequence: int
    hash: bytes

    @property
    def content(self) -> bytes:
        """Return what the leaf of the tree is the hash of."""
        return self.member_id.bytes + self.sequence.to_bytes(8, "big") + self.hash


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed. `heads` counts the members with entries, `transfers` these entries.

    `root` is that of the tree over all heads, in the order of the members' ids; `previous` is the
    digest of the checkpoint before, None in the first.
    """

    program_id: UUID
    number: int
    at: datetime
    heads: int
    transfers: int
    root: bytes
    previous: bytes | None
    public_key: bytes

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "at": chain.instant(self.at),
            "format": FORMAT,
            "heads": self.heads,
            "number": self.number,
            "previous": self.previous and self.previous.hex(),
            "program": str(self.program_id),
            "public_key": self.public_key.hex(),
            "root": self.root.hex(),
            "transfers": self.transfers,
        }

    @property
    def digest(self) -> bytes:
        """Return the hash by which the next checkpoint names this one."""
        return hashlib.sha256(chain.canonical(self.as_json())).digest()


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint with its signature."""

    checkpoint: Checkpoint
    signature: bytes

    @property
    def is_genuine(self) -> bool:
        """Return whether whoever holds the key that it names has signed it."""
        try:
            key = Ed25519PublicKey.from_public_bytes(self.checkpoint.public_key)
            key.verify(self.signature, chain.canonical(self.checkpoint.as_json()))
        except (InvalidSignature, ValueError):
            return False
        return True

    def as_json(self) -> dict[str, Any]:
        """Return it as it is published."""
        return {**self.checkpoint.as_json(), "signature": self.signature.hex()}

    @property
    def document(self) -> bytes:
        """Return the text that is published: one line of canonical JSON."""
        return chain.canonical(self.as_json())


def key_id(public_key: bytes) -> str:
    """Return the short name of a key."""
    return hashlib.sha256(public_key).hexdigest()[:KEY_ID_CHARACTERS]


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> Signed:
    """Return the checkpoint signed with the key that it names."""
    return Signed(checkpoint, key.sign(chain.canonical(checkpoint.as_json())))


def read(content: bytes) -> Signed:
    """Return a checkpoint that was published; whether it is genuine is asked of it.

    Raises:
        CheckpointFileError: It is not the text of a checkpoint.
    """
    try:
        return _read(orjson.loads(content))
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointFileError from error


def _read(given: Mapping[str, Any]) -> Signed:
    previous = given["previous"]
    signed = Signed(
        Checkpoint(
            program_id=UUID(given["program"]),
            number=int(given["number"]),
            at=datetime.fromisoformat(given["at"]),
            heads=int(given["heads"]),
            transfers=int(given["transfers"]),
            root=bytes.fromhex(given["root"]),
            previous=None if previous is None else bytes.fromhex(previous),
            public_key=bytes.fromhex(given["public_key"]),
        ),
        bytes.fromhex(given["signature"]),
    )
    if signed.as_json() != given:
        raise ValueError("it says something else than what is signed")
    return signed
