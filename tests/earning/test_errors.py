"""Refusals of offers say which offer it is, and what is left of it."""

from loyalty_graph.earning.errors import (
    OfferActivatedError,
    OfferNotOpenError,
    OfferUsedUpError,
)


def test_a_refusal_names_the_offer_and_what_is_left_of_it():
    refusals = [
        OfferNotOpenError("BREAD"),
        OfferActivatedError("BREAD", uses_left=2),
        OfferUsedUpError("BREAD"),
    ]

    assert [(str(one), one.field) for one in refusals] == [
        ("The offer BREAD is not open now.", "offer"),
        ("The offer BREAD is activated already; uses left: 2.", "offer"),
        ("The offer BREAD is used up.", "offer"),
    ]
