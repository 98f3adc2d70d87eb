"""Texts with placeholders."""

from datetime import date

import pytest
from babel.numbers import format_decimal

from loyalty_graph.wallet.placeholders import (
    Kind,
    Name,
    PlaceholderError,
    compile_text,
    compile_tree,
    write_number,
)

KNOWN = {
    "member.name": Name(Kind.TEXT),
    "member.tier": Name(Kind.TEXT, optional=True),
    "points.balance": Name(Kind.NUMBER),
    "points.expires_on": Name(Kind.DATE),
}
VALUES: dict[str, object] = {
    "member.name": "Ada",
    "member.tier": None,
    "points.balance": 1234567,
    "points.expires_on": date(2026, 12, 30),
}
ESSENTIAL = frozenset({"value"})


@pytest.mark.parametrize(
    ("text", "locale", "expected"),
    [
        ("{{ member.name }}", "en_US", "Ada"),
        ("{{member.name}}", "en_US", "Ada"),
        ("{{ member.name | upper }}!", "en_US", "ADA!"),
        ("{{ points.balance | number }}", "en_US", "1,234,567"),
        ("{{ points.balance | number }}", "de_DE", "1.234.567"),
        ("{{ points.balance | number }}", "hi_IN", "12,34,567"),
        ("by {{ points.expires_on | date }}", "en_US", "by Dec 30, 2026"),
        ("by {{ points.expires_on | date }}", "en_GB", "by 30 Dec 2026"),
        ("{{ points.expires_on | month }}", "en_US", "Dec 2026"),
        ("{{ member.name }}, {{ member.name }}", "en_US", "Ada, Ada"),
        ("no placeholder, {one} brace", "en_US", "no placeholder, {one} brace"),
    ],
)
def test_a_text_is_filled_in_the_locale(text: str, locale: str, expected: str):
    assert compile_text(text, KNOWN).fill(VALUES, locale) == expected


@pytest.mark.parametrize("missing", [None, ""])
def test_a_text_that_needs_a_missing_value_is_missing_whole(missing: str | None):
    text = compile_text("You are {{ member.tier }}.", KNOWN)

    assert text.fill({**VALUES, "member.tier": missing}, "en_US") is None


def test_zero_is_a_value():
    text = compile_text("{{ points.balance | number }}", KNOWN)

    assert text.fill({**VALUES, "points.balance": 0}, "en_US") == "0"


@pytest.mark.parametrize(
    "hostile", ["{{ points.balance }}", "}}{{", '"},{"a":"', "\n\r\t", "\U0001f96c\u202e", "%@"]
)
def test_a_value_is_never_read_as_a_template(hostile: str):
    text = compile_text("<{{ member.name }}>", KNOWN)

    assert text.fill({**VALUES, "member.name": hostile}, "en_US") == f"<{hostile}>"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "{{ member.nickname }}",
            "unknown placeholder member.nickname; did you mean member.name? known are ",
        ),
        ("{{ member.name | shout }}", "unknown filter shout; member.name can have: upper"),
        ("{{ points.balance }}", "points.balance is a number and needs a filter: number"),
        ("{{ points.balance | date }}", "the filter date does not fit points.balance, a number"),
        ("{{ }}", "a placeholder is {{ name }} or {{ name | filter }}"),
        ("{{ member.name | upper | upper }}", "a placeholder is {{ name }}"),
        ("{{ member.name }", "a placeholder is written {{ name }}"),
        ("member.name }}", "a placeholder is written {{ name }}"),
    ],
)
def test_a_placeholder_that_means_nothing_is_refused(text: str, complaint: str):
    with pytest.raises(PlaceholderError) as refused:
        compile_text(text, KNOWN)

    assert complaint in str(refused.value)


@pytest.mark.parametrize("value", [0, 999, 1000, 1234567, 2**70, -1, -1234567])
@pytest.mark.parametrize("locale", ["en_US", "de_CH", "fr_FR", "hi_IN", "ar_EG", "sv_SE", "pl_PL"])
def test_numbers_are_written_as_babel_writes_them(value: int, locale: str):
    assert write_number(value, locale) == format_decimal(value, locale=locale)


def test_a_tree_is_filled_and_what_has_no_value_is_left_out():
    tree = compile_tree(
        {
            "fixed": {"a": [1, True, None]},
            "title": "{{ member.tier }}",
            "fields": [
                {"key": "tier", "value": "{{ member.tier }}"},
                {"key": "name", "label": "{{ member.tier }}", "value": "{{ member.name }}"},
                "{{ member.tier }}",
            ],
        },
        KNOWN,
        essential=ESSENTIAL,
    )

    filled = tree.fill(VALUES, "en_US")

    assert filled == {"fixed": {"a": [1, True, None]}, "fields": [{"key": "name", "value": "Ada"}]}


def test_one_filling_does_not_show_in_the_next():
    tree = compile_tree({"a": "{{ member.name }}", "b": "c"}, KNOWN, essential=ESSENTIAL)

    tree.fill(VALUES, "en_US")["b"] = "changed"

    assert tree.fill(VALUES, "en_US") == {"a": "Ada", "b": "c"}
