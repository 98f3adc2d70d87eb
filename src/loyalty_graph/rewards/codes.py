"""Codes of redemptions and receipts: eighteen characters nobody can guess, and people can read out.

A code is never stored. It is derived from the id of what it opens with a secret key, so it can be
shown again whenever it is asked for; it is found again by its keyed hash. Who copies the database
learns no code from it.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from uuid import UUID

from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.signing import derive_key

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U. Source: https://www.crockford.com/base32.html."""
RANDOM_CHARACTERS = 17
GROUP_CHARACTERS = 6
_MISREAD = str.maketrans("ILO", "110")
_BETWEEN = re.compile(r"[\s-]+")
_FIELD_POLYNOMIAL = 0b100101
_FIELD_OVERFLOW = 0b100000


@dataclass(frozen=True, slots=True)
class Codes:
    """Makes and finds the codes of one installation, by its secret key; `of` which things."""

    key: bytes
    of: str = "redemption"

    def text(self, program_id: UUID, redemption_id: UUID) -> str:
        """Return a redemption's or receipt's code: 85 bits and a check character, in sixes."""
        making = derive_key(self.key, f"{self.of} code")
        digest = hmac.digest(making, program_id.bytes + redemption_id.bytes, hashlib.sha256)
        number = int.from_bytes(digest)
        body = "".join(ALPHABET[number >> 5 * place & 31] for place in range(RANDOM_CHARACTERS))
        whole = body + ALPHABET[_check(body)]
        groups = range(0, len(whole), GROUP_CHARACTERS)
        return "-".join(whole[start : start + GROUP_CHARACTERS] for start in groups)

    def hash(self, text: str) -> bytes:
        """Return what a code is found by; the text is in its one spelling."""
        finding = derive_key(self.key, f"{self.of} look-up")
        return hmac.digest(finding, text.encode(), hashlib.sha256)

    def check(self, text: str, program_id: UUID, redemption_id: UUID) -> None:
        """Compare a code with that of the redemption its hash has found, in constant time.

        Raises:
            NotFoundError: It is another one.
        """
        if not hmac.compare_digest(text, self.text(program_id, redemption_id)):
            raise NotFoundError("redemption", "with this code", field="code")


def spelled(text: str) -> str:
    """Return a code in its one spelling, whatever case, spaces and hyphens it was typed with.

    O is read as 0, I and L as 1.

    Raises:
        InvalidInputError: It is no code, or mistyped: the check character differs.
    """
    plain = _BETWEEN.sub("", text).upper().translate(_MISREAD)
    if len(plain) != RANDOM_CHARACTERS + 1 or not set(plain) <= set(ALPHABET):
        raise InvalidInputError(
            f"A code has {RANDOM_CHARACTERS + 1} letters and digits.", field="code"
        )
    if ALPHABET[_check(plain[:-1])] != plain[-1]:
        raise InvalidInputError("This code is mistyped.", field="code")
    groups = range(0, len(plain), GROUP_CHARACTERS)
    return "-".join(plain[start : start + GROUP_CHARACTERS] for start in groups)


def _check(body: str) -> int:
    """Return the check value: the characters as a polynomial over GF(32), evaluated at x.

    x generates the field (x^5 + x^2 + 1 is primitive), so one wrong character and any two swapped
    ones among 31 are always seen. Source: Peterson and Brown, Cyclic Codes for Error Detection.
    """
    value = 0
    for character in body:
        value ^= ALPHABET.index(character)
        value <<= 1
        if value & _FIELD_OVERFLOW:
            value ^= _FIELD_POLYNOMIAL
    return value
