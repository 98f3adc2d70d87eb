"""The words of cards."""

import pytest

from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.wallet.words import LANGUAGES, language, word


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_entry_and_every_status_has_its_words(language: str):
    for key in (*Kind, *Status):
        assert word(key, language), key


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("de_AT", "gesammelt"), ("ar_EG", "مكتسبة"), ("en_GB", "earned"), ("fr_FR", "earned")],
)
def test_a_language_without_words_of_its_own_reads_english(locale: str, expected: str):
    assert word(Kind.EARN, locale) == expected


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("pt_BR", "pt-BR"), ("pt_PT", "pt"), ("zh_Hant_TW", "zh-Hant"), ("fr", "en")],
)
def test_the_nearest_language_is_chosen(locale: str, expected: str):
    assert language(locale, ("en", "pt", "pt-BR", "zh-Hant")) == expected
