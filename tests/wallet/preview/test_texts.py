"""Texts that are measured, cut and broken without a font."""

import pytest

from loyalty_graph.wallet.preview.texts import (
    LONGEST,
    capitals,
    is_right_to_left,
    lines_of,
    printable,
    shares,
    shortened,
    size_for,
    width_of,
)


@pytest.mark.parametrize(
    ("case", "text", "width"),
    [
        ("letters and a space", "il W", 17.5),
        ("accents take no room", "e\N{COMBINING ACUTE ACCENT}", 6),
        ("an accented letter is as wide as without", "é", 6),
        ("isolates take none", "\N{FIRST STRONG ISOLATE}e\N{POP DIRECTIONAL ISOLATE}", 6),
        ("a ligature is as wide as its letters", "\N{LATIN SMALL LIGATURE FI}", 6.5),
        ("Chinese is square", "点点", 20),
        ("Arabic is narrow", "نقطة", 20.8),
        ("Greek", "Ωω", 14),
        ("a picture", "\N{HOT BEVERAGE}", 13),
    ],
)
def test_the_width_of_a_text_is_known_without_its_font(case: str, text: str, width: float):
    assert width_of(text, 10) == pytest.approx(width)


def test_bold_texts_are_wider():
    assert width_of("W", 100, 600) == pytest.approx(1.05 * width_of("W", 100, 500))


@pytest.mark.parametrize(
    ("case", "text", "width", "shown"),
    [
        ("what fits stays", "Ada", 100, "Ada"),
        ("what does not is cut", "Ada Lovelace", 50, "Ada Lov…"),
        ("no space before the dots", "Ada Lovelace", 36, "Ada…"),
        ("one line", "Ada\n\t Lovelace", 100, "Ada Lovelace"),
        ("no accent is torn off", "Ze\N{COMBINING ACUTE ACCENT}eeeeee", 21, "Z…"),
        ("no room at all", "Ada", 1, "…"),
    ],
)
def test_a_line_is_cut_where_it_no_longer_fits(case: str, text: str, width: float, shown: str):
    assert shortened(text, width, 10) == shown


def test_a_text_without_end_is_cut_before_it_is_measured():
    assert shortened("i" * 10 * LONGEST, 10**9, 10) == "i" * LONGEST


def test_a_text_shrinks_as_far_as_it_may():
    assert size_for("0" * 10, 65, size=20, smallest=8) == pytest.approx(10)
    assert size_for("0" * 10, 6.5, size=20, smallest=8) == 8
    assert size_for("0", 65, size=20, smallest=8) == 20


@pytest.mark.parametrize(
    ("case", "text", "lines"),
    [
        ("nothing", "", []),
        ("words", "one two three", ["one two", "three"]),
        ("its own line breaks stay", "one\n\ntwo", ["one", "", "two"]),
        ("a word too long is parted", "0123456789", ["012345", "6789"]),
        ("the last line says that there is more", "1\n2\n3\n4", ["1", "2", "3…"]),
    ],
)
def test_texts_are_broken_into_lines(case: str, text: str, lines: list[str]):
    assert lines_of(text, 41, 10, most=3) == lines


@pytest.mark.parametrize(
    ("case", "text", "begins"),
    [
        ("Latin", "Ada", "left"),
        ("Arabic", "ليلى", "right"),
        ("Hebrew after a number", "12 שלום", "right"),
        ("only a number", "4821 0937", "left"),
        ("a value of its own does not count", "\N{FIRST STRONG ISOLATE}Ada\u2069 ليلى", "right"),
        ("an end without a beginning", "\u2069Ada", "left"),
        ("nothing", "", "left"),
    ],
)
def test_the_first_strong_letter_says_where_a_line_begins(case: str, text: str, begins: str):
    assert is_right_to_left(text) is (begins == "right")


def test_capitals_follow_the_language():
    assert capitals("Mitglied seit", "de") == "MITGLIED SEIT"
    assert capitals("Birim", "tr_TR") == "BİRİM"


def test_what_no_xml_can_hold_is_left_out():
    assert printable("A\x00d\x1ba\ud800\ufffe\n") == "Ada\n"


def test_room_is_parted_so_that_little_wishes_are_met():
    assert shares([10, 100, 100], 110) == [10, 50, 50]
    assert shares([10, 20], 100) == [10, 20]
    assert shares([], 100) == []
