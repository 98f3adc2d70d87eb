"""Checks a member's proof without Loyalty Graph: python3 check_proof.py proof.json [kept.json].

`loyalty-graph ledger proof` writes it. Every entry is hashed again onto the one before it; the last
hash has its place in a Merkle tree (RFC 9162), whose root the checkpoint signs (Ed25519). Hand in a
checkpoint that you have kept: only then you know that it was not signed anew.
"""

import hashlib
import json
import sys
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def canonical(value: object) -> bytes:
    """Return the one JSON text of a value (RFC 8785)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(*parts: bytes) -> bytes:
    """Return the hash of these parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def require(holds: object, otherwise: str) -> None:
    """End with a sentence unless something holds."""
    if not holds:
        sys.exit(f"✗ {otherwise}")


require(sys.argv[1:], "Say which: python3 check_proof.py proof.json [kept.json]")
try:
    proof, *kept = [json.loads(Path(name).read_bytes()) for name in sys.argv[1:3]]
except (OSError, ValueError) as error:
    sys.exit(f"✗ This cannot be read: {error}")
is_proof = isinstance(proof, dict) and {"checkpoint", "entries", "path"} <= proof.keys()
require(is_proof, f"{sys.argv[1]} is no proof.")
checkpoint, member, balance = proof["checkpoint"], UUID(proof["member"]).bytes, 0
head = sha256(b"loyalty-graph ledger 1", UUID(proof["program"]).bytes, member)
for number, entry in enumerate(proof["entries"], 1):
    covered, details = entry["covered"], entry["details"]
    if details is not None:  # They go when a person is erased; their hash stays.
        said = sha256(bytes.fromhex(details["salt"]), canonical(details["said"])).hex()
        require(said == covered["details"], f"What entry {number} says was changed.")
    require(covered["sequence"] == number, f"Entry {number} is missing.")
    head = sha256(head, canonical(covered))
    balance += covered["points"] * (covered["credit"] == "MEMBER")
    balance -= covered["points"] * (covered["debit"] == "MEMBER")
require(balance == proof["balance"], f"The entries add up to {balance} points.")

node = sha256(b"\0", member, len(proof["entries"]).to_bytes(8, "big"), head)
place, size, path = proof["place"], checkpoint["heads"], [*map(bytes.fromhex, proof["path"])]
while size > 1:
    if place ^ 1 < size:
        require(path, "The path to the root is too short.")
        pair = (path.pop(0), node) if place % 2 else (node, path.pop(0))
        node = sha256(b"\1", *pair)
    place, size = place // 2, (size + 1) // 2
reached = (node.hex(), place, len(path), proof["program"])
expected = (checkpoint["root"], 0, 0, checkpoint["program"])
require(reached == expected, "These entries are not what the checkpoint covers.")

key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(checkpoint["public_key"]))
signed = {name: value for name, value in checkpoint.items() if name != "signature"}
try:
    key.verify(bytes.fromhex(checkpoint["signature"]), canonical(signed))
except InvalidSignature:
    require(None, "The checkpoint's signature does not fit it.")
require(kept in ([], [checkpoint]), "This is not the checkpoint that you have kept.")
print(f"✓ {len(proof['entries'])} entries, {balance} points, under checkpoint", end=" ")
print(f"{checkpoint['number']} of {checkpoint['at']}, signed by {checkpoint['public_key']}")
