"""What conditions can ask of the moment and the store of a purchase or an activity."""

import re
import runpy
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from loyalty_graph.conditions.fields import condition_of
from loyalty_graph.conditions.python import compile_python
from loyalty_graph.conditions.reading import read
from loyalty_graph.conditions.vocabulary import Vocabulary
from loyalty_graph.earning import vocabulary
from loyalty_graph.earning.basket import Basket, Occasion
from loyalty_graph.purchases.rules import ActivityKind
from loyalty_graph.segments.facts import MemberFacts
from tests.earning.books import NEW_YORK

NIGHT = datetime(2026, 11, 22, 0, 30, tzinfo=NEW_YORK)
"""A Sunday."""
EVE = datetime(2026, 12, 31, 23, 59, tzinfo=NEW_YORK)
"""A Thursday."""
CITY = {"store": "Main Street", "store_labels": frozenset({"CITY"})}


@pytest.fixture
def words() -> SimpleNamespace:
    """The vocabularies, made anew: they are made as their module is read."""
    path, name = vocabulary.__file__, vocabulary.__name__
    return SimpleNamespace(**runpy.run_path(path, run_name=name))


Asked = Callable[[dict[str, Any], datetime], bool]


def in_purchase(words: SimpleNamespace) -> Asked:
    def holds(when: dict[str, Any], at: datetime) -> bool:
        place = CITY if at is NIGHT else {}
        asked: Vocabulary = words.PURCHASES
        return compile_python(read(when, asked), asked)(MemberFacts(), Basket([], [], at, **place))

    return holds


def in_activity(words: SimpleNamespace) -> Asked:
    def holds(when: dict[str, Any], at: datetime) -> bool:
        place = CITY if at is NIGHT else {}
        asked: Vocabulary = words.ACTIVITIES
        occasion = Occasion(ActivityKind.REVIEW, at, **place)
        return compile_python(read(when, asked), asked)(MemberFacts(), occasion)

    return holds


EITHER = pytest.mark.parametrize("asking", [in_purchase, in_activity])


@EITHER
@pytest.mark.parametrize(
    ("when", "at_night", "on_the_eve"),
    [
        ({"time": {"weekday": "SUNDAY"}}, True, False),
        ({"time": {"weekday": ["MONDAY", "THURSDAY"]}}, False, True),
        ({"time": {"hour": 0}}, True, False),
        ({"time": {"hour": {"at_least": 23}}}, False, True),
        ({"time": {"date": "2026-11-22"}}, True, False),
        ({"time": {"date": {"more_than": "2026-11-22"}}}, False, True),
        ({"time": {"month": {"between": [1, 11]}}}, True, False),
        ({"time": {"month": 12}}, False, True),
        ({"time": {"day": {"between": [1, 22]}}}, True, False),
        ({"time": {"day": 31}}, False, True),
        ({"store": {"code": "Main Street"}}, True, False),
        ({"store": {"code": {"is_set": False}}}, False, True),
        ({"store": {"code": {"is_not": "Elsewhere"}}}, True, False),
        ({"store": {"labels": {"has": "CITY"}}}, True, False),
    ],
)
def test_a_condition_asks_for_the_moment_and_the_store(
    asking: Callable[[SimpleNamespace], Asked],
    when: dict[str, Any],
    at_night: bool,  # noqa: FBT001 - what holds
    on_the_eve: bool,  # noqa: FBT001 - what holds
    words: SimpleNamespace,
):
    holds = asking(words)

    assert (holds(when, NIGHT), holds(when, EVE)) == (at_night, on_the_eve)


@pytest.mark.parametrize("name", ["PURCHASES", "ACTIVITIES"])
@pytest.mark.parametrize(
    "when",
    [
        {"time": {"weekday": "FRIYAY"}},
        {"time": {"hour": -1}},
        {"time": {"hour": 24}},
        {"time": {"month": 0}},
        {"time": {"month": 13}},
        {"time": {"day": 0}},
        {"time": {"day": 32}},
        {"time": {"hour": "noon"}},
        {"time": {"weekday": 3}},
        {"time": {"date": 20261122}},
        {"time": {"minute": 3}},
        {"store": {"labels": "CITY"}},
        {"store": {"code": 7}},
        {"store": {"code": {"at_least": "A"}}},
    ],
)
def test_what_no_moment_or_store_can_be_is_refused(
    name: str, when: dict[str, Any], words: SimpleNamespace
):
    field = TypeAdapter(Annotated[dict[str, Any], condition_of(getattr(words, name))])

    with pytest.raises(ValidationError):
        field.validate_python(when)


@pytest.mark.parametrize("name", ["PURCHASES", "ACTIVITIES"])
@pytest.mark.parametrize(
    "when",
    [
        {"time": {"hour": 0}},
        {"time": {"hour": 23}},
        {"time": {"month": 1}},
        {"time": {"month": 12}},
        {"time": {"day": 1}},
        {"time": {"day": 31}},
        {"store": {"code": {"is_set": False}}},
        {"store": {"labels": {"is_set": False}}},
    ],
)
def test_what_a_moment_or_store_can_be_is_taken(
    name: str, when: dict[str, Any], words: SimpleNamespace
):
    field = TypeAdapter(Annotated[dict[str, Any], condition_of(getattr(words, name))])

    assert field.validate_python(when) == when


@pytest.mark.parametrize("name", ["PURCHASES", "ACTIVITIES"])
def test_each_term_of_the_moment_and_the_store_is_described_in_a_sentence(
    name: str, words: SimpleNamespace
):
    terms = getattr(words, name).terms.values()

    said = [one.description for one in terms if one.name.startswith(("time.", "store."))]
    assert len(said) == 7
    assert all(re.fullmatch(r"The [a-z0-9 ,;]+\.", one) for one in said)


@pytest.mark.parametrize("name", ["PURCHASES", "ACTIVITIES"])
def test_a_store_is_one_of_the_programme_and_a_weekday_one_of_seven(
    name: str, words: SimpleNamespace
):
    terms = getattr(words, name).terms

    assert (terms["store.code"].refers, terms["time.date"].refers) == ("store", None)
    assert len(terms["time.weekday"].choices) == 7
    assert terms["time.hour"].choices is None
