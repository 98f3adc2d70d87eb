"""A Merkle tree, as certificate transparency hashes it (RFC 9162, section 2.1)."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

EMPTY = hashlib.sha256().digest()


def leaf_hash(content: bytes) -> bytes:
    """Return the hash of a leaf; its prefix keeps it from being taken for that of a pair."""
    return hashlib.sha256(b"\0" + content).digest()


def _pair_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A tree whose leaves may change; a change costs as many hashes as the tree is high."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        self.put(dict(enumerate(leaves)))

    def put(self, leaves: Mapping[int, bytes]) -> None:
        """Set leaf hashes at their places; new places follow the last one without a gap."""
        touched = sorted(leaves)
        for place in touched:
            _set(self._levels[0], place, leaves[place])
        height = 0
        while len(self._levels[height]) > 1:
            if height + 1 == len(self._levels):
                self._levels.append([])
            below, above = self._levels[height], self._levels[height + 1]
            touched = list(dict.fromkeys(place // 2 for place in touched))
            for place in touched:
                pair = below[2 * place : 2 * place + 2]
                # One that is left over at the end goes up as it is.
                _set(above, place, pair[0] if len(pair) == 1 else _pair_hash(*pair))
            height += 1

    @property
    def root(self) -> bytes:
        """Return the one hash over all leaves."""
        return self._levels[-1][0] if self._levels[0] else EMPTY

    def path(self, place: int) -> list[bytes]:
        """Return what a leaf's hash is joined with, from the leaf up to the root."""
        path = []
        for level in self._levels[:-1]:
            if (place ^ 1) < len(level):
                path.append(level[place ^ 1])
            place //= 2
        return path


def root_by_path(leaf: bytes, place: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to from a leaf; None when it cannot be that leaf's path."""
    left = list(path)
    while size > 1:
        if (place ^ 1) < size:
            if not left:
                return None
            other = left.pop(0)
            leaf = _pair_hash(other, leaf) if place % 2 else _pair_hash(leaf, other)
        place, size = place // 2, (size + 1) // 2
    return None if left else leaf


def _set(level: list[bytes], place: int, value: bytes) -> None:
    if place == len(level):
        level.append(value)
    else:
        level[place] = value
