"""Conditions as fields of settings: plain data that is checked where it stands."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from pydantic import AfterValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from loyalty_graph.conditions.contradictions import impossible
from loyalty_graph.conditions.faults import ConditionFaults, Fault
from loyalty_graph.conditions.reading import read, read_line
from loyalty_graph.conditions.tree import Condition
from loyalty_graph.conditions.vocabulary import Vocabulary


def condition_of(vocabulary: Vocabulary) -> AfterValidator:
    """Return what checks a field that holds a condition as plain data.

    The field keeps the data, with days as texts, so that versions are stored as they stand. Each
    fault becomes an error of pydantic's at its own place below the field.
    """
    return AfterValidator(_checker(lambda data: read(data, vocabulary)))


def line_condition_of(vocabulary: Vocabulary) -> AfterValidator:
    """Return what checks a field that holds a condition on one line as plain data."""
    return AfterValidator(_checker(lambda data: read_line(data, vocabulary)))


def _checker(reading: Callable[[Any], Condition]) -> Callable[[Any], Any]:
    def checked(data: Any) -> Any:
        try:
            fault = impossible(reading(data))
        except ConditionFaults as error:
            raise _refusal(error.faults) from error
        if fault is not None:
            raise _refusal((fault,))
        return _plain(data)

    return checked


def _refusal(faults: tuple[Fault, ...]) -> ValidationError:
    return ValidationError.from_exception_data(
        "condition",
        [
            InitErrorDetails(
                type=PydanticCustomError("condition", "{fault}", {"fault": fault.message}),
                loc=fault.path,
                input=None,
            )
            for fault in faults
        ],
    )


def _plain(data: Any) -> Any:
    match data:
        case Mapping():
            return {str(key): _plain(value) for key, value in data.items()}
        case list() | tuple():
            return [_plain(one) for one in data]
        case date():
            return data.isoformat()
        case _:
            return data
