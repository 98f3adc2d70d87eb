"""Conditions as fields of settings: plain data that is checked where it stands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from loyalty_graph.conditions.contradictions import impossible
from loyalty_graph.conditions.faults import ConditionFaults, Fault
from loyalty_graph.conditions.reading import read, read_line
from loyalty_graph.conditions.schema import MARK
from loyalty_graph.conditions.tree import Condition
from loyalty_graph.conditions.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Described:
    """Metadata of a field that holds a condition: what it is called in the JSON Schema."""

    names: tuple[str, ...]

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the mark that `schema.completed` makes a reference of."""
        return {MARK: list(self.names)}


@dataclass(frozen=True, slots=True)
class _Checked(Described):
    read: Callable[[Any], Condition]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the field's own schema with the check after it."""
        return no_info_after_validator_function(self.check, handler(source))

    def check(self, data: Any) -> Any:
        """Return the data as plain data.

        Raises:
            ValidationError: The condition cannot be.
        """
        try:
            fault = impossible(self.read(data))
        except ConditionFaults as error:
            raise _refusal(error.faults) from error
        if fault is not None:
            raise _refusal((fault,))
        return _plain(data)


def condition_of(vocabulary: Vocabulary) -> Described:
    """Return what checks a field that holds a condition as plain data.

    The field keeps the data, with days as texts, so that versions are stored as they stand. Each
    fault becomes an error of pydantic's at its own place below the field.
    """
    return _Checked((vocabulary.name,), lambda data: read(data, vocabulary))


def line_condition_of(vocabulary: Vocabulary) -> Described:
    """Return what checks a field that holds a condition on one line as plain data."""
    return _Checked((vocabulary.line_name,), lambda data: read_line(data, vocabulary))


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
