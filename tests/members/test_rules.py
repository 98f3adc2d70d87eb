import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.members.rules import (
    check_digit,
    member_number,
    one_email,
    one_external_id,
    one_member_number,
    one_phone,
)


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("  ada@example.com ", "ada@example.com"),
        ("ada@bücher.example", "ada@bücher.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
        ("a\u0308da@example.com", "äda@example.com"),
        ("ada+tea@example.com", "ada+tea@example.com"),
    ],
)
def test_an_address_has_one_spelling(text: str, spelling: str):
    assert one_email(text) == one_email(one_email(text)) == spelling


@pytest.mark.parametrize("text", ["", "ada", "ada@", "@example.com", "a b@example.com", "a@b@c.de"])
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(InvalidInputError, match="is no e-mail address") as refusal:
        one_email(text)

    assert refusal.value.field == "email"


@pytest.mark.parametrize(
    "text", ["+4915112345678", "+49 151 12345678", "+49 (0)151-12345678", "+49/151/12345678"]
)
def test_a_phone_number_has_one_spelling(text: str):
    assert one_phone(text) == "+4915112345678"


@pytest.mark.parametrize(
    "text", ["", "phone", "0151 12345678", "+49", "+491", "+1234567", "+999 1234567"]
)
def test_what_is_no_phone_number_is_refused(text: str):
    with pytest.raises(InvalidInputError, match="use the international form") as refusal:
        one_phone(text)

    assert refusal.value.field == "phone"


@pytest.mark.parametrize(
    ("text", "spelling"), [(" a1 ", "a1"), ("A1", "A1"), ("x" * 100, "x" * 100)]
)
def test_an_external_id_stands_without_spaces(text: str, spelling: str):
    assert one_external_id(text) == spelling


@pytest.mark.parametrize("text", ["", "  ", "x" * 101, "a\0b", "a\nb"], ids=repr)
def test_an_external_id_that_cannot_be_kept_is_refused(text: str):
    with pytest.raises(InvalidInputError, match="needs 1 to 100 characters"):
        one_external_id(text)


def test_the_check_digit_is_that_of_the_standard():
    """The example of ISO/IEC 7812-1, and a well-known test card."""
    assert check_digit("7992739871") == "3"
    assert check_digit("411111111111111") == "1"


seeds = st.integers(0, 10**10 - 1)


@given(seeds)
def test_a_number_is_found_however_it_is_written(seed: int):
    number = member_number(seed)

    assert len(number) == 12
    assert number.startswith("9")
    assert one_member_number(number) == number
    assert one_member_number(f" {number[:4]} {number[4:8]}-{number[8:]} ") == number


@given(seeds, st.integers(0, 11), st.integers(1, 9))
def test_each_single_wrong_digit_is_noticed(seed: int, place: int, change: int):
    number = member_number(seed)
    wrong = (int(number[place]) + change) % 10

    with pytest.raises(InvalidInputError, match="a digit is wrong"):
        one_member_number(f"{number[:place]}{wrong}{number[place + 1 :]}")


@given(seeds, st.integers(0, 10))
def test_swapped_neighbours_are_noticed_but_for_0_and_9(seed: int, place: int):
    number = member_number(seed)
    one, other = number[place : place + 2]
    swapped = f"{number[:place]}{other}{one}{number[place + 2 :]}"

    if one == other or {one, other} == {"0", "9"}:
        assert one_member_number(swapped) == swapped
    else:
        with pytest.raises(InvalidInputError, match="two are swapped"):
            one_member_number(swapped)


@pytest.mark.parametrize("text", ["", "9", "9" * 13, "90000000000a", "٩٠٠٠٠٠٠٠٠٠٠٠", "²" * 12])
def test_what_is_no_member_number_is_refused(text: str):
    with pytest.raises(InvalidInputError, match="one has 12 digits"):
        one_member_number(text)
