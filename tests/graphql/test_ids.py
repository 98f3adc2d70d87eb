import base64
from uuid import UUID

import pytest

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.ids import GlobalId, decode_id, encode_id

ADA = UUID("01936f5e-0000-7000-8000-000000000001")


def sealed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_an_id_is_a_type_and_its_key():
    text = encode_id("Transfer", ADA, 7)

    assert decode_id(text) == GlobalId("Transfer", (str(ADA), "7"))
    assert decode_id(text, expected={"Member", "Transfer"}).key == (str(ADA), "7")
    assert "=" not in text


def test_a_key_of_one_uuid_is_read_as_such():
    assert decode_id(encode_id("Member", ADA), expected="Member").uuid() == ADA


@pytest.mark.parametrize("key", [("7",), (str(ADA), "7")])
def test_another_key_is_no_uuid(key: tuple[str, ...]):
    with pytest.raises(InvalidInputError, match="memberId is not an id of this API") as refused:
        GlobalId("Member", key).uuid(field="memberId")

    assert refused.value.field == "memberId"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "!!!!",
        "\u00fc",
        "_w",
        sealed("Member"),
        sealed("Member:"),
        sealed(":x"),
        sealed("a b:x"),
        "A" * 304,
    ],
)
def test_what_is_no_id_is_refused_by_the_name_of_its_argument(text: str):
    with pytest.raises(InvalidInputError) as refused:
        decode_id(text, field="memberId")

    assert refused.value.field == "memberId"
    assert refused.value.message == (
        "memberId is not an id of this API; take it from the id field of an answer."
    )


def test_the_id_of_another_type_is_refused():
    with pytest.raises(
        InvalidInputError, match=r"^id is the id of a Member, not of a Purchase or Refund\.$"
    ):
        decode_id(encode_id("Member", ADA), expected=["Refund", "Purchase"])
