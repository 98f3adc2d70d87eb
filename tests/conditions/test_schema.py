"""The JSON Schema takes what can be read, and refuses what cannot."""

from typing import Annotated, Any

import jsonschema_rs
import pytest
from pydantic import BaseModel

from loyalty_graph.conditions.faults import ConditionFaults
from loyalty_graph.conditions.fields import Described, condition_of, line_condition_of
from loyalty_graph.conditions.reading import read
from loyalty_graph.conditions.schema import completed
from loyalty_graph.conditions.vocabulary import Vocabulary
from tests.conditions.vocabularies import ALONE, GUESTS

CALLED = Vocabulary(ALONE.terms, name="GuestCondition")


class Rule(BaseModel):
    when: Annotated[dict[str, Any], condition_of(GUESTS)] | None = None
    lines: Annotated[dict[str, Any], line_condition_of(GUESTS)] | None = None
    either: Annotated[dict[str, Any], Described((GUESTS.name, CALLED.name))] | None = None


SCHEMA = completed(Rule.model_json_schema(), (GUESTS, CALLED))


def fits(data: Any, field: str = "when") -> bool:
    return jsonschema_rs.is_valid(SCHEMA, {field: data})


@pytest.mark.parametrize(
    "data",
    [
        {"guest": {"visits": 3}},
        {"guest": {"visits": [1, 2], "seen": {"between": [1, 2], "is_not": 1}}},
        {"guest": {"born": {"at_least": "2000-02-29"}, "is_regular": True}},
        {"table": {"place": {"not_in": ["INSIDE"]}}},
        {
            "any": [{"guest": {"room": "A"}}],
            "not": {"all": [{"guest": {"room": {"is_set": True}}}]},
        },
        {"any_line": {"labels": {"has_any": ["HOT"]}, "not": {"kind": ["A", "B"]}}},
        {"count_lines": {"where": {"kind": "A"}, "at_least": 2}},
        {"sum_lines": {"of": "price_minor", "at_least": 200}},
    ],
    ids=str,
)
def test_what_can_be_read_fits(data: Any):
    read(data, GUESTS)

    assert fits(data)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"gest": {"visits": 1}},
        {"guest": {"vists": 1}},
        {"guest": {}},
        {"guest": {"visits": "3"}},
        {"guest": {"visits": {"atleast": 3}}},
        {"guest": {"visits": []}},
        {"guest": {"visits": {"between": [1]}}},
        {"guest": {"visits": 10**16}},
        {"guest": {"is_regular": [True]}},
        {"guest": {"room": {"at_least": "A"}}},
        {"table": {"place": "terrace"}},
        {"any": []},
        {"not": {"any": [{"guest": {"vists": 1}}]}},
        {"any_line": {"labels": "HOT"}},
        {"any_line": {"guest": {"visits": 1}}},
        {"sum_lines": {"at_least": 1}},
        {"sum_lines": {"of": "kind", "at_least": 1}},
    ],
    ids=str,
)
def test_what_cannot_be_read_does_not_fit(data: Any):
    with pytest.raises(ConditionFaults):
        read(data, GUESTS)

    assert not fits(data)


def test_a_field_may_hold_one_of_several_kinds():
    assert fits({"guest": {"visits": 1}}, "either")
    assert not fits({"guest": {"vists": 1}}, "either")


def test_a_field_of_lines_holds_terms_of_lines():
    assert fits({"kind": "A"}, "lines")
    assert not fits({"guest": {"visits": 1}}, "lines")


def test_terms_are_described():
    guest = SCHEMA["$defs"]["Condition"]["properties"]["guest"]["properties"]

    assert guest["visits"]["description"] == "How often the guest came."
