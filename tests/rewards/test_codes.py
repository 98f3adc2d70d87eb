import re
from itertools import combinations
from uuid import UUID

import pytest

from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.rewards.codes import ALPHABET, Codes, spelled

CODES = Codes(b"k" * 32)
PROGRAM, OTHER, ID = UUID(int=1), UUID(int=2), UUID(int=3)
TEXT = CODES.text(PROGRAM, ID)


def test_a_code_can_be_read_out():
    assert re.fullmatch(f"([{ALPHABET}]{{6}}-){{2}}[{ALPHABET}]{{6}}", TEXT)
    assert not set("ILOU") & set(ALPHABET)


def test_a_code_is_always_the_same_and_nobody_elses():
    assert CODES.text(PROGRAM, ID) == TEXT
    assert CODES.text(OTHER, ID) != TEXT
    assert Codes(b"x" * 32).text(PROGRAM, ID) != TEXT
    assert len({CODES.text(PROGRAM, UUID(int=number)) for number in range(1000)}) == 1000


def test_a_code_carries_more_than_eighty_bits_in_every_character():
    seen = [CODES.text(PROGRAM, UUID(int=number)).replace("-", "") for number in range(2000)]

    assert all(set(ALPHABET) == {text[place] for text in seen} for place in range(17))
    assert 17 * 5 >= 80


@pytest.mark.parametrize(
    ("case", "typed"),
    [
        ("as shown", TEXT),
        ("in small letters", TEXT.lower()),
        ("without hyphens", TEXT.replace("-", "")),
        ("with spaces", f"  {TEXT.replace('-', ' ')} "),
        ("with what looks alike", TEXT.replace("0", "O").replace("1", "l")),
    ],
)
def test_a_code_has_one_spelling(case: str, typed: str):
    assert spelled(typed) == TEXT


@pytest.mark.parametrize("typed", ["", "ABC", TEXT + "A", TEXT[:-1], "U" * 18, "é" * 18, "٣" * 18])
def test_what_is_no_code_is_refused(typed: str):
    with pytest.raises(InvalidInputError, match="18 letters and digits") as refused:
        spelled(typed)

    assert refused.value.field == "code"


def test_every_wrong_character_is_seen():
    plain = TEXT.replace("-", "")

    for place, right in enumerate(plain):
        for wrong in set(ALPHABET) - {right}:
            with pytest.raises(InvalidInputError, match="mistyped"):
                spelled(plain[:place] + wrong + plain[place + 1 :])


def test_every_two_swapped_characters_are_seen():
    plain = CODES.text(PROGRAM, UUID(int=9)).replace("-", "")

    for one, other in combinations(range(18), 2):
        swapped = list(plain)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        if swapped != list(plain):
            with pytest.raises(InvalidInputError, match="mistyped"):
                spelled("".join(swapped))


def test_the_hash_of_a_code_needs_the_key():
    assert CODES.hash(TEXT) == CODES.hash(TEXT)
    assert Codes(b"x" * 32).hash(TEXT) != CODES.hash(TEXT)
    assert len(CODES.hash(TEXT)) == 32


def test_a_code_is_compared_with_the_one_its_redemption_has():
    CODES.check(TEXT, PROGRAM, ID)

    with pytest.raises(NotFoundError, match="with this code"):
        CODES.check(TEXT, OTHER, ID)
