"""Conditions that cannot be read are refused, with every fault at its place."""

from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty_graph.conditions.faults import ConditionFaults
from loyalty_graph.conditions.reading import DEPTH_MAX, NODES_MAX, read, read_line
from loyalty_graph.conditions.references import Reference, references
from loyalty_graph.conditions.tree import terms_of
from loyalty_graph.conditions.values import NUMBER_MAX, TEXT_LENGTH_MAX, VALUES_MAX
from tests.conditions.vocabularies import ALONE, GUESTS


def faults_of(data: Any, vocabulary: Any = GUESTS) -> list[tuple[str, str]]:
    with pytest.raises(ConditionFaults) as refused:
        read(data, vocabulary)
    return [(".".join(map(str, fault.path)), fault.message) for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        ({"gest": {"visits": 1}}, "gest", "there is no group gest; did you mean guest?"),
        (
            {"till": {"number": 1}},
            "till",
            (
                "there is no group till; known are all, any, not, guest, table, any_line,"
                " all_lines, count_lines, sum_lines"
            ),
        ),
        (
            {"guest": {"vists": 1}},
            "guest.vists",
            "there is no term guest.vists; did you mean visits?",
        ),
        (
            {"table": {"colour": 1}},
            "table.colour",
            "there is no term table.colour; known are place",
        ),
        ({"visits": 1}, "visits", "visits stands in a group: guest.visits"),
        ({"kind": "A"}, "kind", "kind is a term of lines: use any_line = { kind = ... }"),
        ({"guest": 3}, "guest", "guest needs a table of terms, such as guest.visits"),
        ({"guest": {}}, "guest", "guest needs a table of terms, such as guest.visits"),
        ({}, "", "an empty table says nothing; leave it out"),
        ([], "", "needs a table of what must hold"),
        ({"guest": {"visits": {}}}, "guest.visits", "an empty table says nothing; leave it out"),
        (
            {"guest": {"visits": {"atleast": 1}}},
            "guest.visits.atleast",
            "there is no comparison atleast; did you mean at_least?",
        ),
        (
            {"guest": {"room": {"at_least": "A"}}},
            "guest.room.at_least",
            "guest.room cannot be compared by at_least, but by is, is_not, in, not_in, is_set",
        ),
        (
            {"guest": {"is_regular": [True]}},
            "guest.is_regular",
            "guest.is_regular cannot be compared by in, but by is, is_not, is_set",
        ),
        ({"guest": {"visits": "3"}}, "guest.visits", 'guest.visits is a whole number, not "3"'),
        ({"guest": {"visits": 3.0}}, "guest.visits", "guest.visits is a whole number, not 3.0"),
        ({"guest": {"visits": True}}, "guest.visits", "guest.visits is a whole number, not true"),
        ({"guest": {"visits": None}}, "guest.visits", "guest.visits is a whole number, not None"),
        (
            {"guest": {"visits": {"is": [1]}}},
            "guest.visits.is",
            "guest.visits is a whole number, not a list",
        ),
        (
            {"guest": {"visits": {"is": {"at_least": 1}}}},
            "guest.visits.is",
            "guest.visits is a whole number, not a table",
        ),
        (
            {"guest": {"visits": 10 * NUMBER_MAX}},
            "guest.visits",
            "a number has at most 15 digits",
        ),
        ({"guest": {"visits": [1, "2"]}}, "guest.visits.1", None),
        ({"guest": {"visits": {"in": 3}}}, "guest.visits.in", "needs a list"),
        (
            {"guest": {"visits": {"in": []}}},
            "guest.visits.in",
            "an empty list has nothing to compare with",
        ),
        (
            {"guest": {"visits": {"between": [1]}}},
            "guest.visits.between",
            "between needs the lowest and the highest value: [1, 5]",
        ),
        (
            {"guest": {"visits": {"between": 4}}},
            "guest.visits.between",
            "between needs the lowest and the highest value: [1, 5]",
        ),
        (
            {"guest": {"visits": {"is_set": 1}}},
            "guest.visits.is_set",
            "needs true or false, not 1",
        ),
        ({"guest": {"is_regular": "yes"}}, "guest.is_regular", 'needs true or false, not "yes"'),
        ({"guest": {"room": 3}}, "guest.room", "guest.room is a text, not 3"),
        (
            {"guest": {"room": ""}},
            "guest.room",
            f"a text has 1 to {TEXT_LENGTH_MAX} characters that can be printed",
        ),
        (
            {"guest": {"room": "a\0"}},
            "guest.room",
            f"a text has 1 to {TEXT_LENGTH_MAX} characters that can be printed",
        ),
        (
            {"guest": {"born": "24.12.2026"}},
            "guest.born",
            'guest.born is a day such as 2026-12-24, not "24.12.2026"',
        ),
        (
            {"guest": {"born": datetime(2026, 12, 24, tzinfo=UTC)}},
            "guest.born",
            "guest.born is a day such as 2026-12-24, not 2026-12-24 00:00:00+00:00",
        ),
        (
            {"table": {"place": "terrace"}},
            "table.place",
            "table.place is never terrace; did you mean TERRACE?",
        ),
        (
            {"table": {"place": "X"}},
            "table.place",
            "table.place is never X; it can be INSIDE, TERRACE",
        ),
        ({"any": {"guest": {"visits": 1}}}, "any", "any needs a list of tables"),
        ({"any": []}, "any", "any needs a list of tables"),
        ({"all": "x"}, "all", "all needs a list of tables"),
        ({"any": [3]}, "any.0", "needs a table of what must hold"),
        ({"not": 3}, "not", "needs a table of what must hold"),
        (
            {"any_line": {"knd": "A"}},
            "any_line.knd",
            "there is no term of lines knd; did you mean kind?",
        ),
        (
            {"any_line": {"labels": "A"}},
            "any_line.labels",
            "labels holds several texts: use has, has_any, has_all",
        ),
        (
            {"any_line": {"any_line": {"kind": "A"}}},
            "any_line.any_line",
            "there is no term of lines any_line; known are kind, labels, price_minor, pieces",
        ),
        (
            {"count_lines": 3},
            "count_lines",
            "count_lines needs a table with a comparison, such as at_least",
        ),
        (
            {"count_lines": {"where": {"kind": "A"}}},
            "count_lines",
            "count_lines needs a comparison, such as at_least",
        ),
        (
            {"count_lines": {"where": {"knd": "A"}, "at_least": 1}},
            "count_lines.where.knd",
            "there is no term of lines knd; did you mean kind?",
        ),
        (
            {"sum_lines": {"at_least": 3}},
            "sum_lines.of",
            "sum_lines needs of; known are price_minor, pieces",
        ),
        (
            {"sum_lines": {"of": "price", "at_least": 3}},
            "sum_lines.of",
            "lines have no number price; did you mean price_minor?",
        ),
        (
            {"sum_lines": {"of": "price_minor", "at_least": "3"}},
            "sum_lines.at_least",
            'price_minor is a whole number of minor units, not "3"',
        ),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_refused_at_its_place(data: Any, place: str, message: str | None):
    [found] = faults_of(data)

    assert found[0] == place
    assert message is None or found[1] == message


def test_all_faults_are_told_together():
    found = faults_of(
        {"guest": {"vists": 1, "seen": "x"}, "any": [{"guest": {"room": "A"}}, {"tabel": {}}]}
    )

    assert [place for place, _ in found] == ["guest.vists", "guest.seen", "any.1.tabel"]


def test_a_vocabulary_without_lines_knows_nothing_of_them():
    [(place, message)] = faults_of({"any_line": {"kind": "A"}}, ALONE)

    assert (place, message) == (
        "any_line",
        "there is no group any_line; known are all, any, not, guest",
    )


def test_a_condition_on_a_line_has_no_groups():
    with pytest.raises(ConditionFaults, match="there is no term of lines guest"):
        read_line({"guest": {"visits": 1}}, GUESTS)


def nested(levels: int) -> Any:
    data: Any = {"guest": {"visits": 1}}
    for _ in range(levels - 1):
        data = {"not": data}
    return data


def test_a_condition_has_a_greatest_depth():
    read(nested(DEPTH_MAX), GUESTS)

    [(place, message)] = faults_of(nested(DEPTH_MAX + 1))

    assert place == ".".join(["not"] * DEPTH_MAX)
    assert message == "a condition is at most 10 levels deep"


def test_a_condition_nested_beyond_all_reason_is_refused_without_reading_it():
    assert len(faults_of(nested(5_000))) == 1


def test_a_condition_has_a_greatest_size():
    visits = [{"guest": {"visits": 1}}] * NODES_MAX
    read({"any": visits[:-1]}, GUESTS)

    [fault] = faults_of({"any": visits})

    assert fault == ("", "a condition has at most 200 parts; this has more")


@pytest.mark.parametrize(
    "part",
    [
        {"not": {"guest": {"visits": 1}}},
        {"any_line": {"kind": "A"}},
        {"guest": {"visits": {"at_least": 1, "at_most": 2}}},
        {"count_lines": {"where": {"kind": "A"}, "at_least": 1, "at_most": 2}},
    ],
    ids=str,
)
def test_every_kind_of_part_counts(part: Any):
    [fault] = faults_of({"any": [part] * NODES_MAX})

    assert fault == ("", "a condition has at most 200 parts; this has more")


def test_a_list_has_a_greatest_length():
    read({"guest": {"visits": list(range(VALUES_MAX))}}, GUESTS)

    [fault] = faults_of({"guest": {"visits": [1] * (VALUES_MAX + 1)}})

    assert fault == ("guest.visits", "a list holds at most 1000 values; this has 1001")


def test_all_lists_together_have_a_greatest_length():
    lists = [{"guest": {"visits": list(range(VALUES_MAX))}}] * 5
    read({"any": lists}, GUESTS)

    [fault] = faults_of({"any": [*lists, {"guest": {"visits": 1}}]})

    assert fault == ("", "a condition compares with at most 5,000 values in all; this has more")


def test_a_text_has_a_greatest_length():
    read({"guest": {"room": "x" * TEXT_LENGTH_MAX}}, GUESTS)

    assert len(faults_of({"guest": {"room": "x" * (TEXT_LENGTH_MAX + 1)}})) == 1


def test_a_long_list_of_faults_is_cut():
    wrong = {f"group_{number}": 1 for number in range(300)}

    assert len(faults_of(wrong)) == 20


def test_what_a_condition_names_is_found_with_its_place():
    condition = read(
        {
            "guest": {"room": {"not_in": ["A", "B"]}, "visits": 1},
            "any": [{"any_line": {"kind": "SOUP"}}, {"guest": {"room": {"is_set": True}}}],
            "count_lines": {"where": {"kind": ["FISH"]}, "at_least": 1},
        },
        GUESTS,
    )

    assert list(references(condition)) == [
        Reference("room", "A", ("guest", "room", "not_in", 0)),
        Reference("room", "B", ("guest", "room", "not_in", 1)),
        Reference("dish", "SOUP", ("any", 0, "any_line", "kind")),
        Reference("dish", "FISH", ("count_lines", "where", "kind", 0)),
    ]


def test_the_terms_of_a_condition_are_known():
    condition = read(
        {
            "guest": {"seen": 1},
            "not": {"sum_lines": {"of": "pieces", "where": {"kind": "A"}, "is": 3}},
            "count_lines": {"is": 1},
        },
        GUESTS,
    )

    assert terms_of(condition) == {"guest.seen", "pieces", "kind"}
