"""What a notification says, in the languages that cards come in; others get English."""

from collections.abc import Mapping

from loyalty_graph.wallet.face import VOCABULARY, CardFace
from loyalty_graph.wallet.google.rules import Notice
from loyalty_graph.wallet.placeholders import Text, compile_text
from loyalty_graph.wallet.words import language

_EXPIRING = "{{ points.expiring | number }} {{ points.unit }}"
_LAST_DAY = "{{ points.expires_on | date }}"

# A new balance needs no words: Google writes them itself.
_WORDS: Mapping[str, Mapping[Notice, str]] = {
    "en": {
        Notice.TIER: "You are now {{ member.tier }}.",
        Notice.EXPIRY: f"Use {_EXPIRING} by {_LAST_DAY}.",
    },
    "de": {
        Notice.TIER: "Sie sind jetzt {{ member.tier }}.",
        Notice.EXPIRY: f"{_EXPIRING} verfallen nach dem {_LAST_DAY}.",
    },
    "tr": {
        Notice.TIER: "Artık {{ member.tier }} üyesisiniz.",  # noqa: RUF001 - Turkish
        Notice.EXPIRY: f"{_EXPIRING} {_LAST_DAY} tarihine kadar kullanılabilir.",  # noqa: RUF001 - Turkish
    },
    "ar": {
        Notice.TIER: "أنت الآن {{ member.tier }}.",
        Notice.EXPIRY: f"استخدم {_EXPIRING} حتى {_LAST_DAY}.",
    },
}
_TEXTS: Mapping[str, Mapping[Notice, Text]] = {
    language: {one: compile_text(text, VOCABULARY) for one, text in words.items()}
    for language, words in _WORDS.items()
}


def words(notice: Notice, face: CardFace) -> str:
    """Return the sentence for a new tier, or for points that expire soon."""
    text = _TEXTS[language(face.locale, tuple(_TEXTS))][notice].fill(face.values(), face.locale)
    assert text is not None, "a notice is given of what the card shows"
    return text
