"""Whatever is asked, the answer is never a failure of ours. The same examples each time."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import hypothesis_graphql
import pytest
import schemathesis
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    IntValueNode,
    StringValueNode,
    build_schema,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    parse,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import Mode

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.limits import over_limits
from loyalty_graph.graphql.schema import SCHEMA
from tests.api import Api, member_id

EXAMPLES = 40
MANY_EXAMPLES = 500
LEVELS = (3, 2, 1)
CORE = build_schema(SCHEMA.as_str())
"""As other tools read it: Strawberry marks inputs as @oneOf in the text only."""
Work = Callable[[Any], None]


def text_node(value: str) -> StringValueNode:
    return StringValueNode(value=value)


def number_node(value: int) -> IntValueNode:
    return IntValueNode(value=str(value))


def mostly(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy that is the rare one in one of ten."""
    return st.integers(0, 9).flatmap(lambda dice: usual if dice else rare)


numbers = mostly(
    st.integers(1, 20),
    st.sampled_from([0, -1, 2**31 - 1, -(2**31), 2**53, 2**63 - 1, -(2**63), 10**12, 10**15]),
)
decimals = mostly(
    st.sampled_from(["0", "0.01", "0.10"]),
    st.sampled_from(["4.50", "-1", "0.001", "9" * 30, f"{'9' * 30}.{'9' * 30}", "-0", "1.10"]),
)
days = st.sampled_from(["2026-03-02", "0001-01-01", "9999-12-31", "2024-02-29", "2026-02-30"])
instants = mostly(
    st.just("2026-03-02T12:00:00Z"),
    st.sampled_from(
        [
            "2026-03-02T12:04:59.999999+02:00",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999-23:59",
            "1970-01-01T00:00:00Z",
        ]
    ),
)
scalars: dict[str, st.SearchStrategy[Any]] = {
    "Points": numbers,
    "Int": numbers.filter(lambda number: abs(number) < 2**31),
    "Boolean": st.booleans(),
    "Decimal": decimals,
    "Date": days,
    "DateTime": instants,
}
as_nodes: dict[str, st.SearchStrategy[Any]] = {
    "Points": numbers.map(number_node),
    "Count": numbers.map(number_node),
    "Decimal": decimals.map(text_node),
    "Date": days.map(text_node),
    "DateTime": instants.map(text_node),
}
odd_texts = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", " ", "\x01", "\x7f", "\u202e", "﷽" * 300, "x" * 5000, "😀", "' or 1=1 --", "%"]
    ),
)


def known_texts(api: Api) -> dict[str, list[str]]:
    """Return what leads past the first refusal, by the names of the fields it belongs into."""
    ada = api.run(api.shop.enrol, email="ada@example.com", external_id="crm-1")
    others = [member_id(api.run(api.shop.enrol)) for _ in range(20)]
    bought = api.run(api.shop.buy, ada, external_id="receipt-0")
    purchase = encode_id("Purchase", ada.id, bought.purchase_id)
    entry, program = encode_id("LedgerEntry", ada.id, 1), encode_id("Program", api.shop.program_id)
    return {
        "id": [*others, purchase, purchase, purchase, entry, program],
        "idempotencyKey": [f"key-{number}" for number in range(1000)],
        "number": [ada.number],
        "email": ["ada@example.com", "bob@example.com"],
        "phone": ["+4915112345678"],
        "externalId": ["crm-1", "receipt-0", *(f"r-{number}" for number in range(100))],
        "source": ["till"],
        "slug": ["bean-club"],
        "productType": ["COFFEE", "MUG", "TEA", "GIFT_CARD"],
        "locale": ["en", "de-AT"],
        "after": [""],
    }


class Values:
    """Strategies for the variables of any input, with texts that are known there among them."""

    def __init__(self, known: Mapping[str, list[str]]) -> None:
        self._known = known
        self._strangers = st.one_of(
            odd_texts, st.sampled_from([text for texts in known.values() for text in texts])
        )

    def of(self, name: str, kind: GraphQLInputType) -> st.SearchStrategy[Any]:
        if isinstance(kind, GraphQLNonNull):
            return self._present(name, kind.of_type)
        return st.one_of(self._present(name, kind), st.none())

    def _present(self, name: str, kind: GraphQLInputType) -> st.SearchStrategy[Any]:
        if is_list_type(kind):
            return st.lists(self.of(name, kind.of_type), max_size=3)
        if isinstance(kind, GraphQLEnumType):
            return st.sampled_from(sorted(kind.values))
        if isinstance(kind, GraphQLScalarType):
            return scalars[kind.name] if kind.name in scalars else self._text(name)
        assert isinstance(kind, GraphQLInputObjectType), "there are four kinds of inputs"
        return st.deferred(lambda: self._object(kind))

    def _text(self, name: str) -> st.SearchStrategy[str]:
        fitting = st.sampled_from(self._known.get(name, ["one", "another"]))
        return mostly(fitting, self._strangers)

    def _object(self, kind: GraphQLInputObjectType) -> st.SearchStrategy[Any]:
        fields = {name: self.of(name, field.type) for name, field in kind.fields.items()}
        if kind.is_one_of:
            return st.one_of(
                [
                    st.fixed_dictionaries(
                        {name: self._present(name, get_nullable_type(field.type))}
                    )
                    for name, field in kind.fields.items()
                ]
            )
        needed = {name: fields[name] for name, field in kind.fields.items() if is_needed(field)}
        others = {name: value for name, value in fields.items() if name not in needed}
        return st.fixed_dictionaries(needed, optional=others)


def is_needed(field: GraphQLInputField) -> bool:
    return isinstance(field.type, GraphQLNonNull)


def ask(
    api: Api, caplog: pytest.LogCaptureFixture, query: str, variables: Mapping[str, Any]
) -> None:
    """Ask as an admin; the answer is JSON, and nothing failed on our side."""
    caplog.clear()
    answer = api.client.post(
        "/graphql",
        content=json.dumps({"query": query, "variables": variables}),
        headers={
            "Authorization": f"Bearer {api.token('admin')}",
            "Content-Type": "application/json",
            "Accept": "application/graphql-response+json",
        },
    )
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert failures == [], failures[0].exc_info
    # Some fields are for members only.
    assert answer.status_code in (200, 400, 403), answer.text
    body = answer.json()
    assert body.keys() <= {"data", "errors"}
    for error in body.get("errors", ()):
        assert error["extensions"]["code"] not in ("INTERNAL", None), error


def run(examples: int, strategy: st.SearchStrategy[Any], work: Work) -> None:
    """Try examples of a strategy; the same ones each time."""
    runner = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    runner(given(strategy)(work))()


amount = pytest.mark.parametrize(
    "examples",
    # Many on one backend: what differs on the other is below the API, and tested there.
    [EXAMPLES, pytest.param(MANY_EXAMPLES, marks=[pytest.mark.soak, pytest.mark.sqlite])],
)


@amount
@pytest.mark.parametrize("mode", [Mode.POSITIVE, Mode.NEGATIVE], ids=lambda mode: mode.name)
def test_no_document_makes_us_fail(
    api: Api, caplog: pytest.LogCaptureFixture, mode: Mode, examples: int
):
    known_texts(api)
    documents = hypothesis_graphql.from_schema(CORE, custom_scalars=as_nodes, codec=None, mode=mode)

    run(examples, documents, lambda document: ask(api, caplog, document, {}))


def every_root_field() -> dict[str, dict[str, GraphQLArgument]]:
    """Return an operation for each root field with arguments, which asks for all it may answer."""
    roots = {"query": CORE.query_type, "mutation": CORE.mutation_type}
    return {
        operation(verb, name, field): field.args
        for verb, root in roots.items()
        if root is not None
        for name, field in root.fields.items()
        if field.args
    }


def operation(verb: str, name: str, field: GraphQLField) -> str:
    variables = ", ".join(f"${one}: {argument.type}" for one, argument in field.args.items())
    given = ", ".join(f"{one}: ${one}" for one in field.args)
    asked = (
        f"{verb} ({variables}) {{ {name}({given}) {selection(field.type, levels)} }}"
        for levels in LEVELS
    )
    return next(text for text in asked if not over_limits(parse(text)))


def selection(kind: GraphQLOutputType, levels: int) -> str:
    inner = get_named_type(kind)
    if not isinstance(inner, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    parts = [
        f"{name} {selection(field.type, levels - 1)}"
        for name, field in inner.fields.items()
        if levels > 1 or not is_composite_type(get_named_type(field.type))
    ]
    return f"{{ __typename {' '.join(parts)} }}"


@amount
def test_no_arguments_make_us_fail(api: Api, caplog: pytest.LogCaptureFixture, examples: int):
    values = Values(known_texts(api))
    variables = {
        query: st.fixed_dictionaries(
            {name: values.of(name, one.type) for name, one in given.items()}
        )
        for query, given in every_root_field().items()
    }
    calls = st.sampled_from(sorted(variables)).flatmap(
        lambda query: st.tuples(st.just(query), variables[query])
    )

    run(examples, calls, lambda call: ask(api, caplog, *call))


@amount
def test_schemathesis_finds_no_failure(api: Api, caplog: pytest.LogCaptureFixture, examples: int):
    known_texts(api)
    for name, strategy in as_nodes.items():
        schemathesis.graphql.scalar(name, strategy)
    schema = schemathesis.graphql.from_file(SCHEMA.as_str())
    operations = [one.ok() for one in schema.get_all_operations()]
    cases = st.sampled_from(operations).flatmap(lambda operation: operation.as_strategy())

    run(examples, cases, lambda case: ask(api, caplog, str(case.body), {}))
