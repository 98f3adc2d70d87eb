"""What points wait for, in words a person can read."""

from collections.abc import Mapping

from loyalty_graph.usecases.writing import InLanguages, Writing

EVENTS: Mapping[str, InLanguages] = {
    "DELIVERY": ("delivery", "zur Lieferung", "teslimat", "التسليم"),
    "RETURN_WINDOW": (
        "return window",
        "zum Ende der Rückgabefrist",
        "iade süresinin sonu",
        "نهاية مدة الإرجاع",
    ),
}
"""The usual ones; a programme may name others, which are told as it wrote them."""


def event_in_words(code: str, writing: Writing) -> str:
    """Return an event's code, such as RETURN_WINDOW, in words."""
    if known := EVENTS.get(code):
        return writing.say(known, {})
    return writing.within(code.replace("_", " ").lower())
