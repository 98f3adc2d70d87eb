"""Colours and their contrast."""

import pytest

from loyalty_graph.wallet.colours import Colour, contrast, parse_colour

BLACK, WHITE = Colour(0, 0, 0), Colour(255, 255, 255)


def test_a_colour_is_read_and_written_in_the_form_of_pass_files():
    colour = parse_colour("rgb(18, 54, 42)")

    assert colour == Colour(18, 54, 42)
    assert str(colour) == "rgb(18, 54, 42)"


@pytest.mark.parametrize("text", ["", "#12362a", "rgb(18,54,42)", "rgb(256, 0, 0)", "rgb(1, 2)"])
def test_other_forms_are_not_colours(text: str):
    assert parse_colour(text) is None


@pytest.mark.parametrize(
    ("case", "one", "other", "ratio"),
    [
        ("the most there is", BLACK, WHITE, 21.0),
        ("the same colour", WHITE, WHITE, 1.0),
        ("a well-known grey, just below", Colour(119, 119, 119), WHITE, 4.48),
        ("a well-known grey, just above", Colour(118, 118, 118), WHITE, 4.54),
    ],
)
def test_contrast_is_that_of_the_web_content_guidelines(
    case: str, one: Colour, other: Colour, ratio: float
):
    assert round(contrast(one, other), 2) == ratio
    assert contrast(one, other) == contrast(other, one)
