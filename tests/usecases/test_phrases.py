"""Every reason has its sentence in every language, with the same places to fill."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty_graph.ledger.kinds import Book, Forgiveness, Kind
from loyalty_graph.purchases.rules import ActivityKind
from loyalty_graph.usecases import event_words, explanation_steps, lot_words, rule_words
from loyalty_graph.usecases.activity_words import DID
from loyalty_graph.usecases.explanations import REASONS, explain_entry, explain_purchase
from loyalty_graph.usecases.lot_words import Source, Used, consumption
from loyalty_graph.usecases.phrases import SENTENCES, Phrase
from loyalty_graph.usecases.writing import InLanguages, writing_of
from loyalty_graph.wallet.words import LANGUAGES
from tests.shop import DAY, NOON
from tests.usecases.test_explanations import COFFEE, ENTRY, SETTINGS

PLACE = re.compile(r"\{(\w+)\}")
OPTIONAL = {"are", "unit"}
"""Verbs agree with the number in English and German only; others say account, not points."""


def all_of(module: Any) -> list[InLanguages]:
    """Return everything a module says in the four languages."""
    found: list[InLanguages] = []
    for value in vars(module).values():
        if isinstance(value, dict):
            found += [one for one in value.values() if isinstance(one, tuple)]
        elif isinstance(value, tuple) and len(value) == 4 and isinstance(value[0], str):
            found.append(value)
    return [one for one in found if one != LANGUAGES]


def test_every_reason_of_every_kind_and_meaning_has_a_sentence():
    assert set(SENTENCES) == set(Phrase)
    assert set(REASONS) == {*Kind, *Forgiveness}
    assert set(DID) == set(ActivityKind)


@pytest.mark.parametrize(
    "said",
    [
        *SENTENCES.values(),
        *DID.values(),
        *all_of(event_words),
        *all_of(explanation_steps),
        *all_of(lot_words),
        *all_of(rule_words),
    ],
)
def test_the_four_languages_fill_the_same_places(said: InLanguages):
    places = {frozenset(PLACE.findall(one)) - OPTIONAL for one in said}

    assert len(said) == len(LANGUAGES)
    assert len(places) == 1
    assert all(said) or not any(said)


@pytest.mark.parametrize(
    ("kind", "changes", "german", "turkish", "arabic"),
    [
        pytest.param(
            Kind.EXPIRE,
            {"points": -1200, "at": datetime(2026, 12, 31, 23, tzinfo=UTC)},
            "1.200 beans sind mit Ablauf des 31.12.2026 verfallen.",
            "1.200 beans 31 Ara 2026 sonunda geçerliliğini yitirdi.",
            "انتهت صلاحية 1,200 beans بنهاية \u206831\u200f/12\u200f/2026\u2069.",
            id="expiry",
        ),
        pytest.param(
            Kind.REVERSE,
            {"points": -1, "explanation": {"before": 1000, "after": 999}},
            "1 bean abgezogen: nach einer Rückgabe ist der Einkauf 999 statt 1.000 wert.",
            "1 bean geri alındı: iadeden sonra alışverişin değeri 1.000 yerine 999.",
            "خُصمت 1 bean: بعد الإرجاع تساوي عملية الشراء 999 بدلًا من 1,000.",
            id="claw-back",
        ),
        pytest.param(
            Kind.REDEEM,
            {"points": -40, "explanation": {"name": "Coffee"}},
            "40 beans eingelöst für Coffee.",
            "Coffee için 40 beans harcandı.",
            "استُخدمت 40 beans مقابل \u2068Coffee\u2069.",
            id="reward",
        ),
        pytest.param(
            Kind.EARN_PENDING,
            {
                "points": 0,
                "pending": 1,
                "explanation": {
                    "activates_at": "2026-12-05T23:00:00+00:00",
                    "rules": [{"name": "Double", "points": 1}],
                },
            },
            "1 bean ist bis 06.12.2026 vorgemerkt: Double.",
            "1 bean 6 Ara 2026 tarihine kadar bekliyor: Double.",
            "1 bean قيد الانتظار حتى \u206806\u200f/12\u200f/2026\u2069: \u2068Double\u2069.",
            id="waiting",
        ),
        pytest.param(
            Kind.EARN_PENDING,
            {
                "points": 0,
                "pending": 2,
                "explanation": {
                    "activates_at": "2026-12-05T23:00:00+00:00",
                    "awaits": "DELIVERY",
                },
            },
            "2 beans sind bis zur Lieferung vorgemerkt, längstens bis 06.12.2026.",
            "2 beans teslimat için bekliyor, en geç 6 Ara 2026 tarihine kadar.",
            ("2 beans قيد انتظار التسليم، حتى \u206806\u200f/12\u200f/2026\u2069 على الأكثر."),
            id="an event",
        ),
        pytest.param(
            Kind.EARN_PENDING,
            {
                "points": 0,
                "pending": 2,
                "explanation": {
                    "activates_at": "2026-12-05T23:00:00+00:00",
                    "awaits": "FIRST_VISIT",
                },
            },
            "2 beans sind bis first visit vorgemerkt, längstens bis 06.12.2026.",
            "2 beans first visit için bekliyor, en geç 6 Ara 2026 tarihine kadar.",
            (
                "2 beans قيد انتظار \u2068first visit\u2069، "
                "حتى \u206806\u200f/12\u200f/2026\u2069 على الأكثر."
            ),
            id="an event of the programme's own",
        ),
        pytest.param(
            Kind.EARN,
            {
                "explanation": {
                    "activity": {"kind": "SOCIAL_FOLLOW", "network": "Insta"},
                    "rules": [{"name": "A", "points": 1}, {"name": "B", "points": 26}],
                }
            },
            "27 beans für das Folgen auf Insta: A und B.",
            "Insta takibi için 27 beans: A ve B.",
            "27 beans للمتابعة على \u2068Insta\u2069: \u2068A\u2069 و\u2068B\u2069.",
            id="activity",
        ),
    ],
)
def test_a_reason_is_told_in_the_language_of_the_member(
    kind: Kind, changes: dict[str, Any], german: str, turkish: str, arabic: str
):
    entry = replace(ENTRY, kind=kind, **changes)

    told = [explain_entry(entry, SETTINGS, writing_of(one)) for one in ("de", "tr", "ar")]

    assert [one and one.summary for one in told] == [german, turkish, arabic]


def test_austrians_and_swiss_write_their_own_way_and_strangers_get_english():
    why = {"steps": [{**COFFEE, "amount": 135000, "by": ["PRORATA", "FLOOR"]}]}

    told = {
        locale: explain_purchase(27, why, SETTINGS, writing_of(locale)).summary
        for locale in ("de_AT", "de_CH", "en_GB", "fi")
    }

    assert told == {
        "de_AT": "27 beans für einen Einkauf über €\xa01.350,00.",
        "de_CH": "27 beans für einen Einkauf über EUR\xa01’350.00.",
        "en_GB": "27 beans for a purchase of €1,350.00.",
        "fi": "27 beans for a purchase of €1,350.00.",
    }


def test_the_reckoning_is_told_in_german():
    cuts = [["POINTS", "DAY", 20, 30], ["TIMES", "WEEK", 1, 50], ["BUDGET", "EVER", 900, 50]]
    why = {
        "steps": [
            {**COFFEE, "by": ["PRORATA", "CEIL"]},
            {**COFFEE, "by": ["STEP", "FLOOR"]},
            {"type": "GIFT_CARD", "amount": 1, "excluded": True, "points": 0},
            {**COFFEE, "by": ["PRORATA", "FLOOR"], "paid": [1465, "USD", "0.9214"]},
        ],
        "multiplied": {"from": 10, "to": 15, "by": [["TIER", "GOLD", "3/2", "Gold"]]},
        "rules": [{"name": "Herbst", "points": 20, "wanted": 50, "cuts": [cut]} for cut in cuts],
    }

    told = explain_purchase(27, why, SETTINGS, writing_of("de"))

    assert [step.text for step in told.steps] == [
        "COFFEE: 13,50\xa0€, 2 je 1,00\xa0€, aufgerundet = 27",
        "COFFEE: 13,50\xa0€, 2 je volle 1,00\xa0€ = 27",
        "GIFT_CARD: 0,01\xa0€ bringt hier nichts = 0",
        "COFFEE: 14,65\xa0$ zu 0.9214 = 13,50\xa0€, 2 je 1,00\xa0€, abgerundet = 27",
        "10 beans x 3/2 (Stufe Gold), abgerundet = 15",
        "Herbst: 50 beans, davon 30 über der Obergrenze von 20 am Tag ausgelassen",
        "Herbst: 50 beans, ausgelassen: zählt nur einmal in der Woche",
        "Herbst: 50 beans, davon alle über dem Budget von 900 ausgelassen",
    ]


MAY, JUNE = datetime(2026, 5, 3, 12, tzinfo=UTC), datetime(2026, 6, 9, 12, tzinfo=UTC)


def source(points: int, earned_at: datetime, number: int = 1) -> Source:
    return Source(number, points, earned_at, earned_at + 365 * DAY)


def test_seventy_points_came_from_two_lots():
    used = Used([source(20, JUNE), source(50, MAY)])

    told = {one: consumption(used, JUNE, SETTINGS, writing_of(one)) for one in LANGUAGES}

    assert told == {
        "en": "70 beans came from two lots: 50 earned on May 3, 20 on Jun 9.",
        "de": "70 beans kamen aus zwei Posten: 50 gesammelt am 3. Mai, 20 am 9. Juni.",
        "tr": (
            "70 beans iki parti içinden geldi: 3 May tarihinde kazanılan 50, 9 Haz tarihinde 20."
        ),
        "ar": "جاءت 70 beans من دفعتين: 50 كُسبت في \u20683 مايو\u2069، 20 في \u20689 يونيو\u2069.",
    }


def test_a_sentence_that_ends_with_an_abbreviation_has_one_full_stop():
    in_april = Used([source(50, datetime(2026, 4, 3, 12, tzinfo=UTC))])
    german = writing_of("de")

    assert consumption(in_april, JUNE, SETTINGS, german) == "Gesammelt am 3. Apr."
    assert german.say(("", "Text: {text}", "", ""), {"text": "hm.."}) == "Text: hm.."


@pytest.mark.parametrize(
    ("used", "sentence"),
    [
        pytest.param(Used(), None, id="nothing"),
        pytest.param(Used([source(7, MAY)]), "Earned on May 3.", id="one lot"),
        pytest.param(
            Used([source(7, MAY - 365 * DAY)]), "Earned on May 3, 2025.", id="a year before"
        ),
        pytest.param(
            Used([source(n, MAY + n * DAY, n) for n in range(1, 8)]),
            "28 beans came from 7 lots: 1 earned on May 4, 2 on May 5, 3 on May 6, 4 on May 7, "
            "5 on May 8, 13 from the others.",
            id="many lots",
        ),
        pytest.param(Used(debt=1), "Of these, 1 bean paid what was owed.", id="debt"),
        pytest.param(
            Used([source(7, MAY)], missing=3),
            "Earned on May 3. Of these, 3 beans had been spent already.",
            id="not enough",
        ),
    ],
)
def test_consumption_is_told_as_far_as_there_is_something_to_tell(used: Used, sentence: str | None):
    assert consumption(used, JUNE, SETTINGS, writing_of("en")) == sentence


def test_points_that_stay_are_told_without_a_number():
    entry = replace(
        ENTRY,
        kind=Kind.REVERSE,
        points=0,
        debit=Book.MEMBER,
        at=NOON,
        explanation={"before": 27, "after": 0},
    )

    told = explain_entry(entry, SETTINGS)

    assert told is not None
    assert (told.phrase, told.summary) == (
        Phrase.KEPT,
        (
            "The beans stay, but count for the tier no more: "
            "after a refund the purchase is worth 0 instead of 27."
        ),
    )
