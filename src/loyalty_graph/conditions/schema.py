"""Conditions as JSON Schema: editors complete and check them by it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from loyalty_graph.conditions.tree import Operator
from loyalty_graph.conditions.values import (
    BETWEEN_VALUES,
    NUMBER_MAX,
    TEXT_LENGTH_MAX,
    VALUES_MAX,
    operators,
)
from loyalty_graph.conditions.vocabulary import Term, Type, Vocabulary

MARK = "x-condition"
"""What stands in a field's own schema: the names of the definitions that it is one of."""

_LISTS = {Operator.IN, Operator.NOT_IN, Operator.HAS_ANY, Operator.HAS_ALL}
_NUMBER = {"type": "integer", "minimum": -NUMBER_MAX, "maximum": NUMBER_MAX}
_PLAIN: Mapping[Type, Mapping[str, Any]] = {
    Type.TEXT: {"type": "string", "minLength": 1, "maxLength": TEXT_LENGTH_MAX},
    Type.TEXTS: {"type": "string", "minLength": 1, "maxLength": TEXT_LENGTH_MAX},
    Type.NUMBER: _NUMBER,
    Type.MONEY: _NUMBER,
    Type.FLAG: {"type": "boolean"},
    Type.DATE: {"type": "string", "format": "date"},
}


def completed(schema: dict[str, Any], vocabularies: Iterable[Vocabulary]) -> dict[str, Any]:
    """Return a schema in which fields that hold conditions lead to definitions of them."""
    wanted = {name for one in _marks(schema) for name in one[MARK]}
    for one in _marks(schema):
        names = one.pop(MARK)
        refs = [{"$ref": f"#/$defs/{name}"} for name in names]
        one.update(refs[0] if len(refs) == 1 else {"anyOf": refs})
    known = {name: one for vocabulary in vocabularies for name, one in definitions(vocabulary)}
    assert wanted <= known.keys(), "every kind of condition is described"
    schema.setdefault("$defs", {}).update(known)
    return schema


def _marks(schema: Any) -> Iterator[dict[str, Any]]:
    below = schema.values() if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and MARK in schema:
        yield schema
    elif isinstance(schema, dict | list):
        for one in below:
            yield from _marks(one)


def definitions(vocabulary: Vocabulary) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the definitions of a vocabulary's conditions, and of those on one line."""
    groups: dict[str, dict[str, Any]] = {}
    for name, term in vocabulary.terms.items():
        group, _, short = name.partition(".")
        groups.setdefault(group, {})[short] = _compared(term)
    whole = {group: _table(terms) for group, terms in groups.items()}
    lines = {name: _compared(term) for name, term in vocabulary.line_terms.items()}
    yield vocabulary.name, _condition(vocabulary.name, whole | _of_lines(vocabulary))
    if lines:
        yield vocabulary.line_name, _condition(vocabulary.line_name, lines)


def _condition(name: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    this = {"$ref": f"#/$defs/{name}"}
    several = {"type": "array", "minItems": 1, "items": this}
    return _table({**parts, "all": several, "any": several, "not": this})


def _of_lines(vocabulary: Vocabulary) -> dict[str, Any]:
    if not vocabulary.line_terms:
        return {}
    line = {"$ref": f"#/$defs/{vocabulary.line_name}"}
    counted = {"where": line} | _comparisons(Type.NUMBER, _NUMBER)
    numbers = {Type.NUMBER, Type.MONEY}
    of = [name for name, term in vocabulary.line_terms.items() if term.type in numbers]
    return {
        "any_line": line,
        "all_lines": line,
        "count_lines": _table(counted),
        "sum_lines": {**_table({"of": {"enum": of}} | counted), "required": ["of"]},
    }


def _table(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": dict(properties),
    }


def _compared(term: Term) -> dict[str, Any]:
    plain = dict(_PLAIN[term.type])
    if term.choices is not None:
        plain = {"enum": list(term.choices)}
    forms = [_table(_comparisons(term.type, plain))]
    if term.type is not Type.TEXTS:
        forms.insert(0, plain)
    if Operator.IN in operators(term.type):
        forms.insert(1, _list(plain))
    return {"description": term.description, "anyOf": forms}


def _comparisons(kind: Type, plain: Mapping[str, Any]) -> dict[str, Any]:
    return {one.value: _value(one, plain) for one in operators(kind)}


def _value(operator: Operator, plain: Mapping[str, Any]) -> Mapping[str, Any]:
    if operator is Operator.IS_SET:
        return {"type": "boolean"}
    if operator is Operator.BETWEEN:
        return {**_list(plain), "minItems": BETWEEN_VALUES, "maxItems": BETWEEN_VALUES}
    return _list(plain) if operator in _LISTS else plain


def _list(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": VALUES_MAX, "items": dict(plain)}
