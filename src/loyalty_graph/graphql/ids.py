"""Global ids (Relay): a type and its key, opaque to clients."""

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import strawberry

from loyalty_graph.errors import InvalidInputError

GLOBAL_ID_CHARACTERS_MAX = 300
SEPARATOR = ":"
NUMBER_MAX = 2**31 - 1
"""Numbers in keys are places in a member's ledger, which the database holds in 32 bits."""


_owner_places: dict[str, int] = {}
"""Of each type of node that belongs to a member, which part of its key is the member's id."""


@dataclass(frozen=True, slots=True)
class GlobalId:
    """A type's name and the parts of its key."""

    type_name: str
    key: tuple[str, ...]

    def uuid(self, *, field: str = "id") -> UUID:
        """Return the key of a type whose key is one UUID.

        Raises:
            InvalidInputError: the key is something else.
        """
        [only] = self.parts(UUID, field=field)
        assert isinstance(only, UUID), "that was asked for"
        return only

    def pair(self, *, field: str = "id") -> tuple[UUID, UUID]:
        """Return the key of a type whose key is a member's id and one of its own.

        Raises:
            InvalidInputError: the key is something else.
        """
        member_id, own_id = self.parts(UUID, UUID, field=field)
        assert isinstance(member_id, UUID), "that was asked for"
        assert isinstance(own_id, UUID), "that was asked for"
        return member_id, own_id

    def numbered(self, *, field: str = "id") -> tuple[UUID, int]:
        """Return the key of a type whose key is a member's id and a number, such as an entry's.

        Raises:
            InvalidInputError: the key is something else.
        """
        member_id, number = self.parts(UUID, int, field=field)
        assert isinstance(member_id, UUID), "that was asked for"
        assert isinstance(number, int), "that was asked for"
        return member_id, number

    def parts(self, *kinds: type[UUID | int], field: str = "id") -> tuple[UUID | int, ...]:
        """Return the parts of a key that is made of these kinds.

        Raises:
            InvalidInputError: the key is something else.
        """
        try:
            return tuple(
                UUID(part) if kind is UUID else _number(part)
                for kind, part in zip(kinds, self.key, strict=True)
            )
        except ValueError as error:
            raise _not_an_id(field) from error


def encode_id(type_name: str, *key: UUID | str | int) -> strawberry.ID:
    """Return the global id of a thing: base64url of `Type:part:part`."""
    parts = [type_name, *map(str, key)]
    text = SEPARATOR.join(parts)
    assert key, "an id has a key"
    assert all(parts), "no part is empty"
    assert text.count(SEPARATOR) == len(key), "parts are told apart"
    return strawberry.ID(base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode())


def decode_id(
    text: str, *, expected: str | Collection[str] | None = None, field: str = "id"
) -> GlobalId:
    """Return the type and key of a global id.

    Args:
        text: What the client sent.
        expected: The type, or types, that may stand here; `None` for any.
        field: The argument to name in a refusal.

    Raises:
        InvalidInputError: not a global id, or one of another type.
    """
    type_name, *key = _read_parts(text, field)
    allowed = {expected} if isinstance(expected, str) else expected
    if allowed is not None and type_name not in allowed:
        raise InvalidInputError(
            f"{field} is the id of a {type_name}, not of a {' or '.join(sorted(allowed))}.",
            field=field,
        )
    return GlobalId(type_name, tuple(key))


def belongs_to_member(type_name: str, place: int) -> None:
    """Declare which part of a type's key is the id of the member it belongs to."""
    _owner_places[type_name] = place


def owner_of(text: str) -> tuple[str, str] | None:
    """Return the type and the member's id of something a member owns; None for any other text."""
    try:
        given = decode_id(text, expected=_owner_places)
        return given.type_name, given.key[_owner_places[given.type_name]]
    except (InvalidInputError, IndexError):
        return None


def _read_parts(text: str, field: str) -> list[str]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        parts = raw.decode().split(SEPARATOR)
    except (binascii.Error, ValueError) as error:
        raise _not_an_id(field) from error
    well_formed = len(parts) > 1 and all(parts) and parts[0].isidentifier()
    if len(text) > GLOBAL_ID_CHARACTERS_MAX or not well_formed:
        raise _not_an_id(field)
    return parts


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > NUMBER_MAX:
        raise ValueError("a number from 0 on is expected")
    return int(text)


def _not_an_id(field: str) -> InvalidInputError:
    return InvalidInputError(
        f"{field} is not an id of this API; take it from the id field of an answer.", field=field
    )
