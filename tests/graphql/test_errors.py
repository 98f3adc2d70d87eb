import logging

import pytest

from tests.graphql.conftest import CUPBOARD, context_of


async def ask(query: str) -> tuple[object, list[dict[str, object]]]:
    result = await CUPBOARD.execute(query, None, context_of())
    return result.data, [
        {"message": error.message, "path": error.path, **(error.extensions or {})}
        for error in result.errors or []
    ]


async def test_a_refused_mutation_answers_with_data():
    data, errors = await ask(
        "mutation { fill(number: -1) { cup { number } userErrors { code message field } } }"
    )

    assert errors == []
    assert data == {
        "fill": {
            "cup": None,
            "userErrors": [
                {
                    "code": "INSUFFICIENT_POINTS",
                    "message": "This needs 5 points; 3 are available.",
                    "field": None,
                }
            ],
        }
    }


async def test_what_only_the_operator_can_mend_is_not_told(caplog: pytest.LogCaptureFixture):
    data, errors = await ask("mutation { fill(number: 503) { userErrors { message } } }")

    assert data == {"fill": None}
    assert [error["code"] for error in errors] == ["INTERNAL"]
    assert "swordfish" not in str(errors)
    assert "swordfish" in caplog.text


async def test_a_mutation_that_was_done_has_no_user_errors():
    data, errors = await ask("mutation { fill(number: 2) { cup { number } userErrors { code } } }")

    assert errors == []
    assert data == {"fill": {"cup": {"number": 2}, "userErrors": []}}


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (401, "UNAUTHENTICATED", "Who are you?"),
        (403, "FORBIDDEN", "This needs the scope points:adjust."),
    ],
)
async def test_who_may_not_ask_gets_an_error_with_a_code(number: int, code: str, message: str):
    data, errors = await ask(f"mutation {{ fill(number: {number}) {{ userErrors {{ code }} }} }}")

    assert data == {"fill": None}
    assert errors == [{"message": message, "path": ["fill"], "code": code}]


async def test_a_refused_query_names_code_and_field():
    data, errors = await ask("{ refused greeting }")

    assert data == {"refused": None, "greeting": "hello world"}
    assert errors == [
        {
            "message": "That will not do.",
            "path": ["refused"],
            "code": "INVALID_INPUT",
            "field": "name",
        }
    ]


@pytest.mark.parametrize(
    "query", ["{ broken }", "mutation { fill(number: 500) { userErrors { code } } }"]
)
async def test_a_bug_is_masked_and_logged_with_the_request_id(
    query: str, caplog: pytest.LogCaptureFixture
):
    data, errors = await ask(query)

    (field,) = data or {}
    assert errors == [
        {
            "message": "Something went wrong on our side; it is logged as request request-1.",
            "path": [field],
            "code": "INTERNAL",
            "requestId": "request-1",
        }
    ]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == f"Request request-1 failed at ['{field}']"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "the password is swordfish"


async def test_a_value_our_schema_cannot_write_is_a_bug(caplog: pytest.LogCaptureFixture):
    data, errors = await ask("{ tooLarge }")

    assert data is None
    assert [error["code"] for error in errors] == ["INTERNAL"]
    assert "Request request-1 failed at ['tooLarge']" in caplog.text
    assert "cannot represent non 32-bit" in caplog.text


async def test_a_null_where_something_must_stand_is_the_callers_mistake():
    result = await CUPBOARD.execute(
        'query ($name: String = "x") { greeting(name: $name) }', {"name": None}, context_of()
    )

    assert [error.extensions for error in result.errors or []] == [{"code": "BAD_REQUEST"}]


async def test_a_refusal_is_logged_by_its_code_alone(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)

    await ask("mutation { fill(number: -1) { userErrors { code } } }")
    await ask("{ refused }")

    assert [record.getMessage() for record in caplog.records] == [
        "Request request-1: fill was refused: INSUFFICIENT_POINTS",
        "Request request-1 was refused at ['refused']: INVALID_INPUT",
    ]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{", id="a syntax error"),
        pytest.param("{ greetin }", id="an unknown field"),
        pytest.param('{ cups(first: "x") { nodes { number } } }', id="a wrong argument"),
    ],
)
async def test_a_bad_request_is_told_and_not_logged(query: str, caplog: pytest.LogCaptureFixture):
    data, errors = await ask(query)

    assert data is None
    assert [error["code"] for error in errors] == ["BAD_REQUEST"]
    assert caplog.records == []
