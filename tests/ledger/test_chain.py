import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.ledger import chain

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PROGRAM, ADA, BOB = UUID(int=1), UUID(int=2), UUID(int=3)
FIELDS = chain.Fields(
    sequence=1,
    kind="EARN",
    debit="ISSUED",
    credit="MEMBER",
    points=108,
    qualifying=108,
    at=NOON,
    recorded_at=NOON,
    reference="receipt 1",
    rule_version=1,
    opened=(108, NOON, None),
    uses=[(1, 8)],
    details_hash=bytes(32),
)


def test_the_canonical_text_is_compact_and_sorted():
    value = {"b": [1, None, True], "a": {"z": -5, "Z": "x"}}

    assert chain.canonical(value) == b'{"a":{"Z":"x","z":-5},"b":[1,null,true]}'


@pytest.mark.parametrize(
    ("case", "text", "written"),
    [
        ("short escapes", '\b\t\n\f\r"\\', rb'"\b\t\n\f\r\"\\"'),
        ("other controls in lower case", "\x00\x0b\x1f", rb'"\u0000\u000b\u001f"'),
        ("nothing else is escaped", "/\x7f€\u2028😂", '"/\x7f€\u2028😂"'.encode()),
        ("not normalised", "A\u030a", '"A\u030a"'.encode()),
    ],
)
def test_strings_are_written_as_rfc_8785_section_3_2_2_2_says(case: str, text: str, written: bytes):
    assert chain.canonical(text) == written


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abcXYZ_", max_size=5), inner),
    max_leaves=20,
)


@given(json_values)
def test_the_canonical_text_does_not_depend_on_the_library(value: Any):
    """For our values sorted keys and short separators are all that RFC 8785 asks for."""
    written = chain.canonical(value)

    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert written.decode() == expected
    assert json.loads(written) == value


def test_enumerations_and_tuples_read_back_from_a_database_hash_the_same():
    from loyalty_graph.earning.rules import Rounding

    written = {"by": (Rounding.FLOOR, 1)}

    assert chain.details_hash(b"s", "", "", written) == chain.details_hash(
        b"s", "", "", {"by": ["FLOOR", 1]}
    )


def test_a_chain_begins_for_one_member_of_one_programme():
    own = chain.genesis(PROGRAM, ADA)

    others = {chain.genesis(PROGRAM, BOB), chain.genesis(BOB, ADA), chain.genesis(ADA, PROGRAM)}
    assert own not in others
    assert len(others) == 3
    assert chain.link(own, FIELDS) not in {chain.link(other, FIELDS) for other in others}


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 2},
        {"kind": "ADJUST"},
        {"debit": "ADJUSTED"},
        {"credit": "REDEEMED"},
        {"points": 109},
        {"at": NOON + timedelta(microseconds=1)},
        {"recorded_at": NOON + timedelta(microseconds=1)},
        {"reference": "receipt 2"},
        {"rule_version": None},
        {"rule_version": 2},
        {"opened": None},
        {"opened": (107, NOON, None)},
        {"opened": (108, NOON + timedelta(days=1), None)},
        {"opened": (108, NOON, NOON)},
        {"uses": []},
        {"uses": [(2, 8)]},
        {"uses": [(1, 7)]},
        {"uses": [(1, 8), (2, 1)]},
        {"details_hash": bytes(31) + b"\1"},
    ],
    ids=str,
)
def test_every_covered_field_changes_the_hash(change: dict[str, Any]):
    start = chain.genesis(PROGRAM, ADA)

    assert chain.link(start, replace(FIELDS, **change)) != chain.link(start, FIELDS)


def test_the_hash_covers_the_one_before():
    assert chain.link(b"a" * 32, FIELDS) != chain.link(b"b" * 32, FIELDS)


def test_an_instant_has_one_spelling():
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))

    assert chain.link(b"", replace(FIELDS, at=berlin)) == chain.link(b"", FIELDS)


def test_the_hash_can_be_worked_out_with_any_sha_256():
    body = (
        '{"at":"2026-03-02T12:00:00.000000+00:00","credit":"MEMBER","debit":"ISSUED",'
        f'"details":"{"00" * 32}","kind":"EARN",'
        '"opened":[108,"2026-03-02T12:00:00.000000+00:00"],"points":108,"qualifying":108,'
        '"recorded_at":"2026-03-02T12:00:00.000000+00:00","reference":"receipt 1",'
        '"rule_version":1,"sequence":1,"uses":[[1,8]]}'
    )
    start = hashlib.sha256(b"loyalty-graph ledger 1" + PROGRAM.bytes + ADA.bytes).digest()

    expected = hashlib.sha256(start + body.encode()).digest()
    assert chain.link(chain.genesis(PROGRAM, ADA), FIELDS) == expected


@pytest.mark.parametrize(
    ("salt", "text", "actor", "explanation"),
    [
        (b"r", "hat", "eve", {"a": 1}),
        (b"s", "cap", "eve", {"a": 1}),
        (b"s", "hat", "bob", {"a": 1}),
        (b"s", "hat", "eve", {"a": 2}),
        (b"s", "hat", "eve", None),
    ],
)
def test_every_detail_and_the_salt_change_the_details_hash(
    salt: bytes, text: str, actor: str, explanation: dict[str, Any] | None
):
    original = chain.details_hash(b"s", "hat", "eve", {"a": 1})

    assert chain.details_hash(salt, text, actor, explanation) != original
