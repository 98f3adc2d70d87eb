"""Conditions in settings are checked where they stand, and kept as plain data."""

from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ValidationError

from loyalty_graph.conditions.fields import condition_of, line_condition_of
from tests.conditions.vocabularies import GUESTS


class Rule(BaseModel):
    when: Annotated[dict[str, Any], condition_of(GUESTS)] | None = None
    lines: Annotated[dict[str, Any], line_condition_of(GUESTS)] | None = None


class House(BaseModel):
    rules: tuple[Rule, ...]


def test_a_condition_is_kept_as_it_stands():
    rule = Rule(
        when={"guest": {"born": date(2000, 2, 29), "visits": [1, 2]}},
        lines={"labels": {"has": "HOT"}},
    )

    assert rule.model_dump(mode="json") == {
        "when": {"guest": {"born": "2000-02-29", "visits": [1, 2]}},
        "lines": {"labels": {"has": "HOT"}},
    }
    assert Rule.model_validate(rule.model_dump(mode="json")) == rule


def test_every_fault_has_its_whole_place():
    with pytest.raises(ValidationError) as refused:
        House.model_validate(
            {
                "rules": [
                    {"when": {"guest": {"visits": 1}}},
                    {"when": {"guest": {"vists": 1}, "tabel": {}}, "lines": {"kind": 3}},
                ]
            }
        )

    assert [(fault["loc"], fault["msg"]) for fault in refused.value.errors()] == [
        (
            ("rules", 1, "when", "guest", "vists"),
            "there is no term guest.vists; did you mean visits?",
        ),
        (("rules", 1, "when", "tabel"), "there is no group tabel; did you mean table?"),
        (("rules", 1, "lines", "kind"), "kind is a text, not 3"),
    ]


def test_a_condition_that_can_never_be_true_is_refused():
    with pytest.raises(ValidationError) as refused:
        Rule(when={"guest": {"visits": {"at_least": 10, "at_most": 5}}})

    [fault] = refused.value.errors()
    assert fault["loc"] == ("when", "guest", "visits", "at_most")
    assert fault["msg"].startswith("this can never be true: guest.visits at_least 10 and at_most 5")
