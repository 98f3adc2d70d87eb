"""Refusals of offers say which offer it is, and what is left of it."""

import pytest

from loyalty_graph.earning.errors import (
    OfferActivatedError,
    OfferNotOpenError,
    OfferUsedUpError,
)
from loyalty_graph.errors import LoyaltyError


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (OfferNotOpenError("BREAD"), "The offer BREAD is not open now."),
        (
            OfferActivatedError("BREAD", uses_left=2),
            "The offer BREAD is activated already; uses left: 2.",
        ),
        (OfferUsedUpError("BREAD"), "The offer BREAD is used up."),
    ],
)
def test_a_refusal_names_the_offer(refusal: LoyaltyError, message: str):
    assert (str(refusal), refusal.field) == (message, "offer")
