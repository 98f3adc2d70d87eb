"""Faults of programme files: where they are, and what would do instead."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.errors import ProgramFileError
from loyalty_graph.usecases import program_faults, program_file
from loyalty_graph.usecases.program_faults import FAULTS_MAX, Fault, did_you_mean, fault_of

PRESET = (Path(__file__).parents[2] / "presets" / "corner-grocer.toml").read_text()


def faults(*changes: tuple[str, str], text: str = PRESET) -> list[str]:
    """Return what is wrong with the corner grocer's file after these replacements."""
    for before, after in changes:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    with pytest.raises(ProgramFileError) as refused:
        program_file.parse(text, name="shop.toml")
    return list(refused.value.faults)


def at(words: str, column: int | None = None, further: int = 0) -> str:
    """Return the line, some `further` down, and column at which words of the preset begin."""
    before, _, _ = PRESET.partition(words)
    begins = len(before) - before.rfind("\n")
    return f"{before.count(chr(10)) + 1 + further}:{column or begins}"


DELIVERED = 'benefits = ["BIRTHDAY_CAKE", "COFFEE", "DELIVERY"]'
COOK = '[[rewards]]\ncode = "COOKING_EVENING"'
NOTE = '[[rewards]]\ncode = "NOTE"'


@pytest.mark.parametrize(
    ("case", "before", "after", "told"),
    [
        (
            "a misspelt key stands at its name",
            "accept_days = 365",
            "acept_days = 365",
            (
                f"{at('accept_days =')}: program.acept_days: there is no setting acept_days here;"
                " did you mean accept_days?"
            ),
        ),
        (
            "a wrong word stands at the value",
            'downgrade = "ONE_STEP"',
            'downgrade = "ONE_STPE"',
            (
                f"{at(chr(34) + 'ONE_STEP' + chr(34) + chr(10))}: tiers.downgrade: "
                '"ONE_STPE" is none of NONE, ONE_STEP, TO_EARNED; did you mean ONE_STEP?'
            ),
        ),
        (
            "an item of a list has its own place",
            DELIVERED,
            DELIVERED.replace("COFFEE", "COFFE"),
            (
                f"{at(DELIVERED, 30)}: tiers.levels[2].benefits[1]: there is no benefit COFFE; "
                "did you mean COFFEE?"
            ),
        ),
        (
            "what is missing stands at its table",
            COOK,
            "[[rewards]]",
            f"{at(COOK, 3)}: rewards[5].code: is missing.",
        ),
        (
            "overlapping tiers stand at the threshold",
            "entry = 180000 # $1,800 in a year\nkeep = 150000",
            "\nentry = 60000\nkeep = 60000 #",
            (
                f"{at('entry = 180000', 9, 1)}: tiers.levels[2].entry: "
                "entry 60000 is not above 60000 of levels[1] (SILVER)."
            ),
        ),
        (
            "a reward dearer than any balance",
            "cost_points = 2000",
            "cost_points = 2_000_000_000_000",
            (
                f"{at('2000' + chr(10) + 'tiers')}: rewards[5].cost_points: should be at most "
                "1,000,000,000,000, not 2,000,000,000,000."
            ),
        ),
        (
            "a wrong type",
            "limit_per_member = 4",
            'limit_per_member = "four"',
            (
                f"{at('4' + chr(10) + 'code_days')}: rewards[2].limit_per_member: should be a "
                'whole number without quotes, not "four".'
            ),
        ),
        (
            "money as one would say it",
            "price_minor = 599 #",
            "price_minor = 5.99 #",
            (
                f"{at('599 #')}: subscription_plans[0].price_minor: should be a whole number, "
                "not 5.99; money is in its smallest unit: 12.50 is 1250."
            ),
        ),
        (
            "money that happens to be whole",
            "price_minor = 5990 #",
            "price_minor = 60.00 #",
            (
                f"{at('5990 #')}: subscription_plans[1].price_minor: should be a whole number, "
                "not 60.0; money is in its smallest unit: 12.50 is 1250."
            ),
        ),
        (
            "a number in quotes",
            "expiry_months = 6",
            'expiry_months = "6"',
            (
                f"{at('6 # from the day')}: program.points.expiry_months: "
                'should be a whole number without quotes, not "6".'
            ),
        ),
        (
            "a syntax error",
            NOTE,
            NOTE.replace('"', ""),
            f"{at(NOTE, 8, 1)}: is no TOML: Invalid value.",
        ),
    ],
)
def test_a_fault_names_its_place_and_what_would_do(
    *, case: str, before: str, after: str, told: str
):
    assert faults((before, after)) == [f"shop.toml:{told}"]


@pytest.mark.parametrize(
    ("case", "setting", "told"),
    [
        ("a switch for a number", "cooldown_hours = true", "should be a whole number, not true"),
        ("a number for a switch", "needs_proof = 1", "should be true or false, not 1"),
        ("a word for a switch", 'needs_proof = "yes"', 'should be true or false, not "yes"'),
    ],
)
def test_what_is_of_another_type_is_refused(case: str, setting: str, told: str):
    rule = f'[[earning.rules]]\ncode = "HI"\nname = "Hi"\non = "CHECK_IN"\npoints = 5\n{setting}\n'

    [fault] = faults(text=f"{PRESET}\n{rule}")

    assert fault.endswith(f"earning.rules[0].{setting.partition(' ')[0]}: {told}.")


def test_two_bonuses_of_one_code_are_told_where_the_second_one_stands():
    rule = '[[earning.rules]]\ncode = "HI"\nname = "Hi"\npoints = 5\n'
    offer = '[[earning.offers]]\ncode = "HI"\nname = "Hi again"\npoints = 5\n'

    [fault] = faults(text=f"{PRESET}\n{rule}{offer}")

    line = PRESET.count("\n") + 7
    assert fault == (
        f"shop.toml:{line}:8: earning.offers[0].code: "
        "HI stands at rules[0] too; what a bonus gave is kept by it."
    )


def test_all_faults_are_told_in_the_order_of_the_file():
    told = faults(
        ('unit_other = "points"', 'unit_other = ""'),
        ("grace_days = 31", "grace_day = 31"),
        ("accept_days = 365", "accept_days = 0"),
    )

    assert [one.partition(": ")[2] for one in told] == [
        "program.accept_days: should be at least 1, not 0.",
        'program.points.unit_other: should have at least 1 character, not "".',
        "tiers.grace_day: there is no setting grace_day here; did you mean grace_days?",
    ]


def test_at_most_fifty_faults_are_shown():
    strangers = "".join(f"stranger_{number} = 1\n" for number in range(FAULTS_MAX + 7))

    told = faults(text=f"{strangers}\n{PRESET}")

    assert len(told) == FAULTS_MAX + 1
    assert told[0].startswith("shop.toml:1:1: stranger_0: there is no setting stranger_0 here")
    assert told[-1] == "shop.toml: and 7 more faults."


@pytest.mark.parametrize(
    ("case", "text", "told"),
    [
        ("a list too deep to read", "a = " + "[" * 100_000, "is nested deeper than 40 levels."),
        ("a list too deep to use", f"a = {'[' * 41}{']' * 41}", "is nested deeper than 40 levels."),
        ("a key too deep to use", f"{'a.' * 60}a = 1", "a.a.a: is nested deeper than 40 levels."),
        ("a key too deep to read", f"\n{'a.' * 100_000}a = 1", ":2:1: a key is nested deeper than"),
        (
            "a name too deep to read",
            "[" + '"a b" . ' * 50_000 + "a]",
            ":1:2: a key is nested deeper",
        ),
        ("a number too long to read", "a = " + "9" * 5000, ":1:5: a number has more digits than"),
        ("a number too long to keep", "a = 9223372036854775808", ":1:5: a: should be within 9,2"),
        ("a character no database keeps", 'a = "\\u0000"', ":1:5: a: holds the character NUL."),
        ("a name no database keeps", '"\\u0000" = 1', ":1:1: \0: the name holds the character"),
        ("a text too long", "#" * 1_000_001, "shop.toml: is longer than 1,000,000 bytes."),
        ("a control character", "a = 1 # \0", "shop.toml:1:9: is no TOML: Found invalid"),
        ("a comma left out", 'a = ["x" "y"]', ":1:10: is no TOML: Unclosed array; is a comma or"),
        ("a comma left out of a table", "a = { b = 1 c = 2 }", "; is a comma or a } missing here?"),
        ("a quote left out", 'a = "x\nb = 1', "; is a quote missing at the end of the line?"),
        ("a date that is none", "a = 2026-02-30", "shop.toml:1:5: is no TOML: Invalid date"),
    ],
)
def test_a_hostile_text_is_refused(case: str, text: str, told: str):
    [fault] = faults(text=text)

    assert told in fault


def test_a_file_of_ten_megabytes_is_refused_unread(tmp_path: Path):
    path = tmp_path / "shop.toml"
    path.write_bytes(b"#" * 10_000_000)

    with pytest.raises(ProgramFileError, match=r"shop.toml: is longer than 1,000,000 bytes\.$"):
        program_file.read(path)


@pytest.mark.parametrize(
    ("case", "store", "told"),
    [
        ("half a place", "latitude = 1.5", "stores[0]: latitude and longitude go together."),
        ("nowhere on Earth", "latitude = 91\nlongitude = 0", "stores[0].latitude: should be at"),
        ("no number", "latitude = nan\nlongitude = 0", "stores[0].latitude: should be a finite"),
        ("twice the same", '[[stores]]\ncode = "S1"\nname = "x"', "stores[1].code: S1 stands at"),
        ("an unknown key", "citi = ''", "did you mean city?"),
    ],
)
def test_a_store_that_cannot_be_is_refused(case: str, store: str, told: str):
    [fault] = faults(text=f'{PRESET}\n[[stores]]\ncode = "S1"\nname = "One"\n{store}\n')

    assert told in fault


def test_stores_are_part_of_the_programme():
    text = f"""{PRESET}
[[stores]]
code = "S1"
name = "Main Street"
labels = ["OUTDOOR"]
city = "Springfield"
latitude = 39.801700
longitude = -89.6437
"""

    [store] = program_file.parse(text, name="shop.toml").program.stores

    assert store.model_dump(mode="json") == {
        "code": "S1",
        "name": "Main Street",
        "labels": ["OUTDOOR"],
        "city": "Springfield",
        "latitude": "39.8017",
        "longitude": "-89.6437",
    }


@pytest.mark.parametrize(
    ("name", "known", "told"),
    [
        ("CAEK", ["CAKE", "POST"], "; did you mean CAKE?"),
        ("cost", ["closes_at", "cost_points"], "; did you mean cost_points?"),
        ("xyz", ["CAKE", "POST"], "; known here: CAKE, POST"),
        ("xyz", [f"CAKE_{number}" for number in range(13)], ""),
        ("xyz", [], ""),
    ],
)
def test_a_suggestion_is_near_or_all_that_is_known(name: str, known: list[Any], told: str):
    assert did_you_mean(name, known) == told


NAMING = f"""{PRESET}
[[stores]]
code = "S1"
name = "Main Street"

[[segments]]
code = "LOYAL"
name = "Loyal"
when = {{ tier = {{ code = ["GOLD", "PLATINUM"] }} }}

[[earning.rules]]
code = "DOUBLE"
name = "Double"
multiplier = "2"
tiers = ["GOLD"]
plans = ["PLUS"]
segments = ["LOYAL"]
when = {{ store = {{ code = "S1" }}, any_line = {{ product_type = "BAKERY" }} }}
lines = {{ product_type = ["PRODUCE", "DELI"] }}

[[earning.rules]]
code = "HELLO"
name = "Hello"
on = "CHECK_IN"
points = 5
when = {{ not = {{ subscription = {{ plan = "PLUS_YEAR" }} }} }}

[[earning.offers]]
code = "CLIP"
name = "Clip"
points = 50
audience = {{ tier = {{ code = {{ is_not = "GREEN" }} }} }}

[[rewards]]
code = "SCARF"
name = "A scarf"
kind = "CUSTOM"
cost_points = 900
when = {{ tier = {{ rank = {{ at_least = 1 }}, code = {{ is_not = "SILVER" }} }} }}
"""


def test_what_is_named_and_there_is_no_fault():
    assert program_file.parse(NAMING, name="shop.toml").segments[0].code == "LOYAL"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            'tiers = ["GOLD"]\n',
            'tiers = ["GLOD"]\n',
            "rules[0].tiers[0]: there is no tier GLOD; did",
        ),
        ('plans = ["PLUS"]', 'plans = ["PLSU"]', "rules[0].plans[0]: there is no plan PLSU; did"),
        (
            'segments = ["LOYAL"]',
            'segments = ["ROYAL"]',
            "rules[0].segments[0]: there is no segment ROYAL; did you mean LOYAL?",
        ),
        ('code = "S1" }, any', 'code = "S2" }, any', "there is no store S2; known here: S1."),
        ('product_type = "BAKERY"', 'product_type = "BAKRY"', "no product type BAKRY; did you mea"),
        ('["PRODUCE", "DELI"]', '["PRODUCE", "DELY"]', "rules[0].lines.product_type[1]: there is"),
        ('["GOLD", "PLATINUM"]', '["GOLD", "X"]', "segments[0].when.tier.code[1]: there is no ti"),
        ('plan = "PLUS_YEAR"', 'plan = "X"', "rules[1].when.not.subscription.plan: there is no p"),
        (
            'is_not = "GREEN"',
            'is_not = "GREY"',
            "offers[0].audience.tier.code.is_not: there is no ti",
        ),
    ],
)
def test_what_is_named_and_not_there_is_told_at_its_place(before: str, after: str, told: str):
    [fault] = faults((before, after), text=NAMING)

    assert told in fault
    assert fault.startswith("shop.toml:")


RULE = """
[[earning.rules]]
code = "EXTRA"
name = "Extra"
points = 5
"""
GROUPS = """
[[segments]]
code = "NEW"
name = "New"
when = { member = { purchase_count = { at_most = 3 } } }
[[segments]]
code = "OLD"
name = "Old"
when = { member = { purchase_count = { at_least = 30 } } }
"""


@pytest.mark.parametrize(
    ("case", "asked", "told"),
    [
        (
            "another tier",
            'tiers = ["GOLD"]\nwhen = { tier = { code = "SILVER" } }',
            "when: this can never be true: tier.code in GOLD and is SILVER exclude each other.",
        ),
        (
            "another segment",
            'segments = ["NEW"]\nwhen = { member = { purchase_count = { at_least = 9 } } }',
            "when: this can never be true: member.purchase_count at_least 9 and at_most 3 exclude",
        ),
        (
            "of an activity",
            'on = "REVIEW"\nplans = ["PLUS"]\nwhen = { subscription = { plan = "PLUS_YEAR" } }',
            "when: this can never be true: subscription.plan in PLUS and is PLUS_YEAR exclude",
        ),
    ],
)
def test_a_rule_for_those_whom_it_excludes_is_refused(case: str, asked: str, told: str):
    [fault] = faults(text=f"{PRESET}{RULE}{asked}\n{GROUPS}")

    assert f"earning.rules[0].{told}" in fault


def test_a_rule_for_some_of_those_whom_it_is_for_stands():
    asked = 'segments = ["NEW", "OLD"]\nwhen = { member = { purchase_count = { at_least = 9 } } }'

    file = program_file.parse(f"{PRESET}{RULE}{asked}\n{GROUPS}", name="shop.toml")

    assert [one.code for one in file.earning.rules] == ["EXTRA"]


WORDS = [
    "0",
    "-1",
    '"x"',
    "true",
    "[]",
    "{}",
    "[[x]]",
    "=",
    "\n",
    '"',
    "1.5",
    "2026-01-01",
    "99999999999999",
]


@given(st.data())
def test_a_damaged_file_is_sound_or_told_with_places(data: st.DataObject):
    start = data.draw(st.integers(0, len(NAMING)))
    end = data.draw(st.integers(start, min(start + 40, len(NAMING))))
    text = NAMING[:start] + data.draw(st.sampled_from(WORDS)) + NAMING[end:]
    whole = program_file.parse(NAMING, name="shop.toml")

    damaged, refused = parsed(text)

    if damaged is not None:
        told = [one.sentence for one in program_file.difference(whole, damaged)]
        assert (told == []) == (whole == damaged)
    assert all(re.match(r"shop\.toml:\d+:\d+: ", one) for one in refused)


def parsed(text: str) -> tuple[program_file.ProgramFile | None, Sequence[str]]:
    try:
        return program_file.parse(text, name="shop.toml"), ()
    except ProgramFileError as error:
        return None, error.faults


def test_a_word_that_is_no_word_is_told_as_it_stands():
    [fault] = faults(('kind = "CUSTOM"\ncost', "kind = true\ncost"))

    assert "rewards[5].kind: true is none of DISCOUNT_AMOUNT, " in fault


def test_a_place_that_a_sentence_names_wrongly_is_not_followed():
    fault = fault_of("note[3]: too much", ("rewards", 0), {"rewards": [{"code": "A"}]})

    assert fault == Fault(("rewards", 0), "note[3]: too much")


def test_faults_of_a_text_too_deep_to_look_through_stand_at_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
):
    def too_deep(_text: str) -> None:
        raise RecursionError

    monkeypatch.setattr(program_faults, "spots", too_deep)

    [fault] = faults(("accept_days", "acept_days"))

    assert fault.startswith("shop.toml:1:1: program.acept_days: ")


def test_an_activity_that_is_none_keeps_no_points_alive():
    slides = 'expiry = { policy = "SLIDING", months = 6, resets = ["ACTIVITY:CHEK_IN"] }'

    told = faults(("expiry_months = 6 #", f"{slides} #"))

    assert len(told) == 1
    assert told[0].endswith(
        "program.points.expiry.resets[0]: there is no activity CHEK_IN; did you mean CHECK_IN?"
    )
