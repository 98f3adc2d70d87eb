"""What decides the demo's simulated events: hashes, so that each run and each database agree."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chance:
    """Numbers that depend on nothing but the seed, the purpose and what they are asked about."""

    seed: int

    def number(self, purpose: str, *about: object) -> int:
        """Return a number from 0 to 2**64 - 1."""
        text = ":".join(map(str, (self.seed, purpose, *about)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])

    def falls(self, one_in: int, purpose: str, *about: object) -> bool:
        """Return whether this is the one in so many."""
        return self.number(purpose, *about) % one_in == 0
