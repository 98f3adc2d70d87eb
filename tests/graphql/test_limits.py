import pytest
from graphql import get_introspection_query, parse

from loyalty_graph.graphql import limits
from loyalty_graph.graphql.schema import SCHEMA
from tests.graphql.conftest import CUPBOARD, context_of


async def errors_of(query: str) -> list[str]:
    result = await CUPBOARD.execute(query, None, context_of())
    if result.errors:
        assert result.data is None
    return [error.message for error in result.errors or []]


def nested(levels: int) -> str:
    return "{ cups { nodes { " + "filling { " * (levels - 3) + "number" + " }" * levels


@pytest.mark.parametrize(
    ("at_most", "too_much", "complaint"),
    [
        pytest.param(
            nested(15),
            nested(16),
            "The operation has 16 levels; at most 15 are allowed.",
            id="levels",
        ),
        pytest.param(
            "{" + "a: greeting " * 50 + "}",
            "{" + "a: greeting " * 51 + "}",
            "The operation has 51 aliases; at most 50 are allowed.",
            id="aliases",
        ),
        pytest.param(
            "{" + "greeting " * 1000 + "}",
            "{" + "greeting " * 1001 + "}",
            "The operation has 1001 fields; at most 1000 are allowed.",
            id="fields",
        ),
    ],
)
async def test_an_operation_has_limits(at_most: str, too_much: str, complaint: str):
    assert limits.over_limits(parse(at_most)) == []
    assert await errors_of(too_much) == [complaint]


async def test_a_document_has_at_most_2000_tokens():
    (message,) = await errors_of("{" + "greeting " * 2001 + "}")

    assert "Document contains more than 2000 tokens" in message


async def test_fragments_count_as_often_as_they_are_spread():
    chain = " ".join(
        f"fragment F{n} on Cup {{ a: filling {{ ...F{n + 1} }} b: filling {{ ...F{n + 1} }} }}"
        for n in range(8)
    )
    query = f"{{ cups {{ nodes {{ ...F0 }} }} }} {chain} fragment F8 on Cup {{ number }}"

    assert await errors_of(query) == ["The operation has 510 aliases; at most 50 are allowed."]


async def test_inline_fragments_add_no_level():
    inline = "{ cups { nodes { " + "... on Cup { " * 20 + "number" + " }" * 20 + " } } }"

    assert await errors_of(inline) == []


async def test_every_operation_of_a_document_is_weighed():
    aliases = " ".join(f"a{n}: greeting" for n in range(51))

    assert await errors_of(f"query A {{ greeting }} query B {{ {aliases} }}") == [
        "The operation has 51 aliases; at most 50 are allowed."
    ]


async def test_one_of_several_operations_must_be_named():
    query = "query A { greeting } query B { asked }"

    named = await CUPBOARD.execute(query, None, context_of(), operation_name="A")

    assert named.data == {"greeting": "hello world"}
    assert await errors_of(query) == [
        "The document has several operations; say which one with operationName."
    ]


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("{ ...A } fragment A on CupboardQuery { ...A }", "Cannot spread fragment 'A' within"),
        ("{ ...Missing }", "Unknown fragment 'Missing'"),
    ],
)
async def test_fragments_that_cannot_be_are_left_to_validation(query: str, complaint: str):
    (message,) = await errors_of(query)

    assert complaint in message


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{ a" * 900, id="selections"),
        pytest.param("{ greeting(name: " + "[" * 900 + "]" * 900 + ") }", id="lists"),
    ],
)
async def test_a_document_nested_without_end_is_refused(query: str):
    assert await errors_of(query) == [
        "Syntax Error: Document is nested too deeply. Parsing aborted."
    ]


async def test_tools_may_read_the_whole_schema():
    query = get_introspection_query(input_value_deprecation=True)

    result = await SCHEMA.execute(query, None, context_of())

    assert result.errors is None


async def test_a_text_is_prepared_once_unless_it_is_long():
    limits._prepare_cached.cache_clear()
    long = "{ greeting }" + " " * limits.CACHED_CHARACTERS_MAX

    for _ in range(3):
        assert await errors_of("{ greeting }") == []
        assert await errors_of("{ greetin }") == [
            "Cannot query field 'greetin' on type 'CupboardQuery'. Did you mean 'greeting'?"
        ]
        assert await errors_of(long) == []

    info = limits._prepare_cached.cache_info()
    assert (info.misses, info.hits, info.currsize) == (2, 4, 2)
