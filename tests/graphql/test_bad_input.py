"""What hostile or broken clients send to the whole application: told what is wrong, and no more.

Nothing is written, no answer is a failure of ours, and the log holds nothing that was sent.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    get_nullable_type,
    is_list_type,
)

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.schema import SCHEMA
from loyalty_graph.paging import Cursor
from tests.api import GOLDEN_LINES, Api, member_id

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
SECRET = "swordfish"
ENROL = "mutation ($i: EnrolMemberInput!) { enrolMember(input: $i) { userErrors { code } } }"
FIND = "query ($ref: MemberRef!) { member(ref: $ref) { id } }"
ENTRIES = """query ($ref: MemberRef!, $after: String) {
    member(ref: $ref) { entries(after: $after) { totalCount } } }"""


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, logger="loyalty_graph")


def post(
    api: Api, content: bytes | str, content_type: str = JSON, accept: str = GRAPHQL
) -> tuple[int, str]:
    """Send a body with an admin's token; return status and message of the one error."""
    [told] = post_all(api, [content], content_type, accept)
    return told


def post_all(
    api: Api, contents: Iterable[bytes | str], content_type: str = JSON, accept: str = GRAPHQL
) -> list[tuple[int, str]]:
    """Send bodies like `post`, one after the other."""
    headers = {"Content-Type": content_type, "Accept": accept}
    headers["Authorization"] = f"Bearer {api.token('admin')}"
    before = api.everything()
    told = []
    for content in contents:
        answer = api.client.post("/graphql", content=content, headers=headers)
        [error] = answer.json()["errors"]
        assert error["extensions"]["code"] == "BAD_REQUEST"
        told.append((answer.status_code, error["message"]))
    assert api.everything() == before
    return told


def operation(query: str, variables: object = None) -> str:
    return json.dumps({"query": query, "variables": variables})


def with_variables(written: str) -> str:
    return f'{{"query": {json.dumps(ENROL)}, "variables": {written}}}'


TOO_DEEP = "The variables are nested too deeply."
NO_JSON = "Unable to parse request body as JSON"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        pytest.param(
            b"x" * 10_000_000, 413, "The body is larger than 1000000 bytes.", id="10 MB of nothing"
        ),
        pytest.param(
            operation(ENROL, {"i": {"firstName": "x" * 10_000_000}}),
            413,
            "The body is larger than 1000000 bytes.",
            id="10 MB in a name",
        ),
        pytest.param(
            operation("{" + " ".join(f"a{n}: version" for n in range(10_000)) + "}"),
            400,
            "Syntax Error: Document contains more than 2000 tokens. Parsing aborted.",
            id="10,000 aliases",
        ),
        pytest.param(
            operation("{ a" * 50 + "}" * 50),
            400,
            "The operation has 50 levels; at most 15 are allowed.",
            id="depth 50",
        ),
        pytest.param(
            with_variables('{"i": ' + '{"a": ' * 300 + "1" + "}" * 301), 400, TOO_DEEP, id="objects"
        ),
        pytest.param(
            with_variables('{"i": ' + "[" * 900 + "]" * 900 + "}"), 400, TOO_DEEP, id="lists"
        ),
        pytest.param(
            with_variables('{"i": ' + "[" * 400_000 + "]" * 400_000 + "}"),
            400,
            NO_JSON,
            id="JSON without end",
        ),
        pytest.param(
            with_variables('{"i": {"firstName": "\\ud800"}}'), 400, NO_JSON, id="surrogate"
        ),
        pytest.param(with_variables('{"i": {"firstName": NaN}}'), 400, NO_JSON, id="NaN"),
        pytest.param(
            operation("{ version }").encode("utf-16"), 400, NO_JSON, id="another encoding"
        ),
    ],
)
def test_a_body_that_is_too_much_is_refused(
    api: Api, body: bytes | str, status: int, message: str, caplog: pytest.LogCaptureFixture
):
    assert post(api, body) == (status, message)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json-seq",
        "",
    ],
)
def test_a_body_of_another_type_is_not_read(api: Api, content_type: str):
    body = operation(ENROL, {"i": {}})

    assert post(api, body, content_type) == (415, "Send the body as application/json.")


@pytest.mark.parametrize(
    "literal",
    ['"a\\u0000b"', '"a\\u{0}b"', '"a\\u{000}b"', '"a\0b"', '"""a\0b"""'],
    ids=["escape", "braces", "more braces", "itself", "block"],
)
def test_a_null_character_is_refused_however_it_is_written(api: Api, literal: str):
    query = f"mutation {{ enrolMember(input: {{externalId: {literal}}}) {{ member {{ id }} }} }}"

    assert post(api, operation(query)) == (400, "Text cannot hold null characters.")


@pytest.mark.parametrize("literal", ['"\\ud800"', '"\\u{d800}"', '"\\ud800\\u0061"'])
def test_a_lone_surrogate_in_a_document_is_a_syntax_error(api: Api, literal: str):
    query = f"mutation {{ enrolMember(input: {{externalId: {literal}}}) {{ member {{ id }} }} }}"

    status, message = post(api, operation(query))

    assert status == 400
    assert message.startswith("Syntax Error: Invalid Unicode escape sequence")


def texts_of(kind: GraphQLInputType, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path to every text that an input takes; `[]` stands for a list."""
    inner = get_nullable_type(kind)
    if is_list_type(inner):
        yield from texts_of(inner.of_type, (*place, "[]"))
    elif isinstance(inner, GraphQLInputObjectType):
        for name, field in inner.fields.items():
            yield from texts_of(field.type, (*place, name))
    elif str(inner) in ("String", "ID"):
        yield place


def around(place: tuple[str, ...], text: str) -> Any:
    """Return a value with the text at a place."""
    value: Any = text
    for name in reversed(place):
        value = [value] if name == "[]" else {name: value}
    return value


def every_input() -> list[Any]:
    mutation = SCHEMA._schema.mutation_type
    assert mutation is not None
    return [
        pytest.param(name, field.args["input"].type, id=name)
        for name, field in mutation.fields.items()
    ]


@pytest.mark.parametrize(("mutation", "kind"), every_input())
def test_no_text_of_any_input_may_hold_null_characters_or_surrogates(
    api: Api, mutation: str, kind: GraphQLInputType
):
    query = f"mutation ($i: {kind}) {{ {mutation}(input: $i) {{ userErrors {{ code }} }} }}"
    places = list(texts_of(kind))

    surrogates = post_all(
        api, [operation(query, {"i": around(place, "x\udfffy")}) for place in places]
    )
    nulls = post_all(api, [operation(query, {"i": around(place, "x\0y")}) for place in places])

    assert dict(zip(places, surrogates, strict=True)) == dict.fromkeys(places, (400, NO_JSON))
    null = (400, "Text cannot hold null characters.")
    assert dict(zip(places, nulls, strict=True)) == dict.fromkeys(places, null)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"consents": ["ACTIVE"]}, "Value 'ACTIVE' does not exist in 'ConsentPurpose' enum."),
        ({"consents": ["terms"]}, "Value 'terms' does not exist in 'ConsentPurpose' enum."),
        ({"consents": [True]}, "Enum 'ConsentPurpose' cannot represent non-string value: True."),
        ({"firstName": 5}, "String cannot represent a non string value: 5"),
        ({"firstName": {"a": 1}}, "String cannot represent a non string value"),
        ({"nickname": "x"}, "not to include unknown field 'nickname'"),
        ({"birthday": "2026-02-30"}, "There is no such day: 2026-02-30."),
    ],
)
def test_a_value_of_another_type_is_named(api: Api, given: dict[str, object], message: str):
    status, told = post(api, operation(ENROL, {"i": given}))

    assert status == 400
    assert told.startswith("Variable '$i' has invalid value")
    assert message in told


def test_the_id_of_another_type_is_refused_by_name(api: Api):
    ada = api.run(api.shop.enrol)
    bought = api.run(api.shop.buy, ada)
    ids = {
        "Purchase": encode_id("Purchase", ada.id, bought.purchase_id),
        "LedgerEntry": encode_id("LedgerEntry", ada.id, 1),
        "Program": encode_id("Program", api.shop.program_id),
    }

    for kind, text in ids.items():
        [error] = api.ask(FIND, {"ref": {"id": text}})["errors"]
        assert error["message"] == f"ref.id is the id of a {kind}, not of a Member."
        given = {"member": {"id": text}, "idempotencyKey": "k"}
        assert api.refusal("closeMember", given) == ("INVALID_INPUT", "member.id")
    stranger = {"idempotencyKey": "k", "purchase": {"id": member_id(ada)}}
    assert api.refusal("refundPurchase", stranger) == ("INVALID_INPUT", "purchase.id")


@pytest.mark.parametrize(
    "after",
    [
        pytest.param("", id="empty"),
        pytest.param("x", id="no base64"),
        pytest.param("//8", id="no text"),
        pytest.param("W10", id="an empty list"),
        pytest.param("x" * 100_000, id="endless"),
        pytest.param(Cursor("members", (int,)).encode([1]), id="another list's"),
        pytest.param(Cursor("entries", (str,)).encode(["1"]), id="another kind"),
        pytest.param(Cursor("entries", (int, int)).encode([1, 2]), id="too long"),
        pytest.param(Cursor("entries", (int,)).encode([2**63]), id="beyond 64 bits"),
        pytest.param(Cursor("entries", (int,)).encode([-(10**30)]), id="far below"),
    ],
)
def test_a_malformed_cursor_is_refused(api: Api, after: str):
    ada = api.run(api.shop.enrol)

    [error] = api.ask(ENTRIES, {"ref": {"id": member_id(ada)}, "after": after})["errors"]

    assert error["extensions"] == {"code": "INVALID_INPUT", "field": "after"}
    assert error["message"].startswith("after is not a cursor of this list;")


@pytest.mark.parametrize("place", [-1, 2**31, 2**63 - 1])
def test_a_forged_cursor_is_a_place_like_others(api: Api, place: int):
    ada = api.run(api.shop.enrol)
    api.run(api.shop.buy, ada)
    after = Cursor("entries", (int,)).encode([place])

    shown = api.data(ENTRIES, {"ref": {"id": member_id(ada)}, "after": after})

    assert shown == {"member": {"entries": {"totalCount": 1}}}


@pytest.mark.parametrize(
    "ref",
    [
        {"email": f"{'x' * 200_000}@example.com"},
        {"phone": "+" + "9" * 200_000},
        {"number": "9" * 200_000},
        {"id": "x" * 200_000},
        {"externalId": "x" * 200_000},
    ],
    ids=lambda ref: str(next(iter(ref))),
)
def test_a_refusal_does_not_repeat_an_endless_text(api: Api, ref: dict[str, str]):
    [error] = api.ask(FIND, {"ref": ref})["errors"]

    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert len(error["message"]) < 300


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        pytest.param(f'{{ member(ref: {{email: "{SECRET}@x.de"}}) {{ id }} }}', None, id="found"),
        pytest.param(f'{{ member(ref: {{email: "{SECRET}"}}) {{ id }} }}', None, id="refused"),
        pytest.param(f"{{ {SECRET} }}", None, id="no such field"),
        pytest.param(f'{{ member(ref: "{SECRET}") {{ id }} }}', None, id="no such form"),
        pytest.param(FIND, {"ref": {"phone": SECRET}}, id="refused variable"),
        pytest.param(FIND, {"ref": {SECRET: 1}}, id="no such variable"),
        pytest.param(ENROL, {"i": {"email": SECRET}}, id="refused input"),
        pytest.param(ENROL, {"i": {"lastName": SECRET}}, id="done"),
        pytest.param(ENROL, {"i": {"birthday": SECRET}}, id="no day"),
        pytest.param("{ version }", {SECRET: [[[]]]}, id="unasked variable"),
        pytest.param(f'{{ version "{SECRET}', None, id="no document"),
    ],
)
def test_nothing_that_was_sent_stands_in_the_log(
    api: Api, query: str, variables: object, caplog: pytest.LogCaptureFixture
):
    token = api.token("admin")
    wrong = f"lg_live_{SECRET}"

    for text in (token, wrong):
        api.ask(query, variables, token=text)  # type: ignore[arg-type] # a test of the wrong kind
    api.client.post("/graphql", content=operation(query, variables) + SECRET)

    assert SECRET not in caplog.text
    assert token not in caplog.text


def test_a_refused_purchase_of_many_lines_writes_nothing(api: Api):
    ada = api.run(api.shop.enrol)
    given = {
        "idempotencyKey": "k",
        "member": {"id": member_id(ada)},
        "source": "till",
        "externalId": "r",
        "lines": [*GOLDEN_LINES * 100, {**GOLDEN_LINES[0], "quantity": 0}],
    }

    assert api.refusal("recordPurchase", given) == ("INVALID_INPUT", "lines.400")
