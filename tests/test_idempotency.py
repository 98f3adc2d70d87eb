from datetime import timedelta
from typing import Any

import asyncpg.pgproto.pgproto
import pytest

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import fetch, store
from loyalty_graph.errors import IdempotencyMismatchError, InvalidInputError
from loyalty_graph.idempotency import Answered, Claim, IdempotencyRow, answers, claim
from loyalty_graph.identifiers import new_id
from tests.shop import NOON

PROGRAM = new_id(NOON)
OTHER = new_id(NOON + timedelta(seconds=1))


def asked(key: str = "k", caller: str = "partner:till", **given: Any) -> Claim:
    return claim(caller, key, given)


@transaction
async def answered(*claims: Claim, program_id: object = PROGRAM) -> Answered:
    [found] = await fetch(program_id, answers(claims))
    return Answered(claims, found)


@transaction
async def keep(one: Claim, result: dict[str, Any]) -> None:
    batch = Answered([one], [[]])
    batch.keep(one, result)
    await store(PROGRAM, [batch.write(now=NOON)])


def test_an_id_that_postgresql_returned_is_the_same_input():
    returned = asyncpg.pgproto.pgproto.UUID(str(PROGRAM))

    assert type(returned) is not type(PROGRAM)
    assert asked(member=returned) == asked(member=PROGRAM)


async def test_a_retry_gets_the_first_answer(database: object):
    await keep(asked(points=1), {"balance": 5, "entry": None})

    batch = await answered(asked(points=1))

    assert batch.earlier(asked(points=1)) == {"balance": 5, "entry": None}
    assert batch.write(now=NOON).rows == []


async def test_what_is_kept_says_who_asked_and_when(database: object):
    await keep(asked(points=1), {})

    row = await IdempotencyRow.get()
    assert (row.program_id, row.caller, row.key) == (PROGRAM, "partner:till", "k")
    assert (row.created_at, bytes(row.input_hash)) == (NOON, asked(points=1).input_hash)


async def test_other_input_under_the_same_key_is_refused(database: object):
    await keep(asked(points=1), {})
    batch = await answered(asked(points=2))

    with pytest.raises(IdempotencyMismatchError, match="key k was used with other input"):
        batch.earlier(asked(points=2))


@pytest.mark.parametrize(
    ("case", "other"),
    [
        ("another caller", asked(caller="partner:web", points=1)),
        ("another key", asked(key="K", points=1)),
    ],
)
async def test_a_key_belongs_to_its_caller(database: object, case: str, other: Claim):
    await keep(asked(points=1), {})

    assert (await answered(other)).earlier(other) is None


async def test_a_key_belongs_to_its_programme(database: object):
    await keep(asked(points=1), {})

    batch = await answered(asked(points=1), program_id=OTHER)

    assert batch.earlier(asked(points=1)) is None


def test_a_batch_knows_what_it_answered_itself():
    first, twin, other = asked(points=1), asked(points=1), asked(points=2)
    batch = Answered([first, twin, other], [[], [], []])

    assert batch.earlier(first) is None
    batch.keep(first, {"entry": 1})

    assert batch.earlier(twin) == {"entry": 1}
    with pytest.raises(IdempotencyMismatchError):
        batch.earlier(other)
    assert batch.write(now=NOON).rows == [
        ("partner:till", "k", first.input_hash, {"entry": 1}, NOON)
    ]


def test_the_order_of_fields_makes_no_other_input():
    assert claim("cli", "k", {"a": 1, "b": 2}) == claim("cli", "k", {"b": 2, "a": 1})


@pytest.mark.parametrize("key", ["", "k" * 256, "k\0", "k\n", "\ud83d"], ids=repr)
def test_a_key_that_cannot_be_kept_is_refused(key: str):
    with pytest.raises(InvalidInputError, match="key needs 1 to 255 characters"):
        asked(key=key)


@pytest.mark.parametrize(
    ("case", "value", "message"),
    [
        ("NUL", "a\0b", "holds the character NUL"),
        ("NUL behind a backslash", "\\\0", "holds the character NUL"),
        ("half a surrogate pair", "\ud83d", "str is not valid UTF-8"),
        ("a number beyond 64 bits", 2**64, "exceeds 64-bit range"),
    ],
)
def test_input_that_cannot_be_kept_is_refused(case: str, value: Any, message: str):
    with pytest.raises(InvalidInputError, match=message):
        asked(given=[value])


@pytest.mark.parametrize("value", ["\\u0000", "\\\\u0000", -(2**63), "😂"], ids=repr)
def test_what_only_looks_like_it_is_taken(value: Any):
    assert len(asked(given=value).input_hash) == 32


def test_a_field_that_is_not_given_is_none_that_older_code_does_not_know():
    plain = {"a": 1, "b": ["null", None, {"c": 2}], "z": 'x":null,'}
    later = {
        "0": None,
        "a": 1,
        "b": ["null", None, {"c": 2, "d": None}],
        "y": None,
        "z": 'x":null,',
    }
    other = plain | {"b": ["null", {"c": 2}]}

    hashes = [claim("till", "k", given).input_hash for given in (plain, later, {"z": None}, {})]

    assert hashes[0] == hashes[1]
    assert hashes[2] == hashes[3]
    assert claim("till", "k", other).input_hash != hashes[0]
    assert claim("till", "k", plain | {"z": "x"}).input_hash != hashes[0]
