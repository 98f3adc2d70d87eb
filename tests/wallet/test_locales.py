from datetime import date

import pytest

from loyalty_graph.money import Money
from loyalty_graph.wallet.locales import Script, known_locale


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("en", "en"),
        ("de-AT", "de_AT"),
        ("de_AT", "de_AT"),
        ("de-AT-1996", "de_AT"),
        ("zh-Hant-TW", "zh_Hant_TW"),
        ("de-XX9", "de"),
        ("xx-YY", "en"),
    ],
)
def test_a_locale_is_the_nearest_that_is_known(given: str, known: str):
    assert known_locale(given) == known


@pytest.mark.parametrize(
    ("locale", "number", "change", "money", "full", "day"),
    [
        ("en_US", "1,878", "+1,878", "$1,012.77", "Dec 30, 2026", "Dec 30"),
        ("en_GB", "1,878", "+1,878", "US$1,012.77", "30 Dec 2026", "30 Dec"),
        ("de_DE", "1.878", "+1.878", "1.012,77\xa0$", "30.12.2026", "30. Dez."),
    ],
)
def test_values_are_written_as_its_people_write(
    *, locale: str, number: str, change: str, money: str, full: str, day: str
):
    script, last = Script(locale), date(2026, 12, 30)

    assert script.number(1878) == number
    assert script.change(1878) == change
    assert script.money(Money(101277, "USD")) == money
    assert (script.full_date(last), script.day(last)) == (full, day)


def test_what_was_taken_has_a_real_minus_and_nothing_has_no_sign():
    assert [Script("en").change(points) for points in (-500, 0)] == ["\N{MINUS SIGN}500", "0"]


def test_a_locale_knows_where_its_lines_begin():
    assert [Script(one).is_right_to_left for one in ("ar_EG", "he", "en")] == [True, True, False]


def test_a_value_within_a_sentence_stands_for_itself_where_lines_begin_at_the_right():
    assert Script("ar_EG").within("1/2") == "\N{FIRST STRONG ISOLATE}1/2\N{POP DIRECTIONAL ISOLATE}"
    assert Script("en").within("1/2") == "1/2"
