import asyncio
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.earning.models import EarningRules
from loyalty_graph.errors import InvalidInputError, ProgramFileError
from loyalty_graph.members.models import Member
from loyalty_graph.programs.models import Program, ProgramVersion
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.usecases import program_file
from loyalty_graph.wallet import rollouts
from tests.shop import COFFEE, DAY, NOON, NOTE, PROGRAM, Shop
from tests.tiers.shop import BENEFITS, TIERS
from tests.usecases.subscribing import PLANS

PRESET = Path(__file__).parents[2] / "presets" / "corner-grocer.toml"

USD = {"currency": "USD", "from": "2026-01-01", "rate": "0.92"}
POST = {"code": "POST", "kind": "FREE_SHIPPING", "name": "Free shipping"}


def changed(place: str, value: Any) -> dict[str, Any]:
    """Return the test programme with another value at `place`, such as "program.points"."""
    data: Any = deepcopy(PROGRAM)
    *parents, last = place.split(".")
    part = data
    for name in parents:
        part = part[int(name) if isinstance(part, list) else name]
    part[int(last) if isinstance(part, list) else last] = value
    whole: dict[str, Any] = data
    return whole


async def test_the_corner_grocer_loads(database: object):
    version = await program_file.load(program_file.read(PRESET), now=NOON)

    assert (version.number, version.settings.slug) == (1, "corner-grocer")
    assert version.settings.branding.background == "rgb(18, 54, 42)"
    assert "no cash value" in version.settings.branding.terms
    rules = await EarningRules.get(program_id=version.program_id, version=1)
    assert len(rules.settings["rates"]) == 4


async def test_a_second_load_is_the_second_version_and_the_first_stays(shop: Shop, ada: Member):
    await shop.buy(ada)
    later = shop.later(DAY)

    version = await program_file.load(
        program_file.check(changed("program.name", "Tea Club"), name="test"), now=later.now
    )
    await later.buy(ada)
    await later.buy(ada, purchased_at=shop.now)

    assert (version.number, version.in_force_from) == (2, later.now)
    found = (
        await Purchase.all().order_by("recorded_at", "id").values_list("rule_version", flat=True)
    )
    assert sorted(found) == [1, 1, 2]
    names = await ProgramVersion.all().order_by("version").values_list("settings", flat=True)
    assert [one["name"] for one in names] == ["Bean Club", "Tea Club"]


async def test_loads_at_the_same_moment_become_versions_one_after_the_other(database: object):
    file = program_file.check(PROGRAM, name="test")

    loaded = await asyncio.gather(*(program_file.load(file, now=NOON) for _ in range(4)))

    assert sorted(version.number for version in loaded) == [1, 2, 3, 4]
    assert len({version.program_id for version in loaded}) == 1
    assert (await Program.get()).version == 4


@pytest.mark.parametrize("place", ["program.currency", "program.sandbox"])
async def test_what_cannot_change_is_refused_and_nothing_is_stored(shop: Shop, place: str):
    value = {"program.currency": "USD", "program.sandbox": True}[place]
    file = program_file.check(changed(place, value), name="test")

    with pytest.raises(InvalidInputError, match="cannot change its currency or its sandbox mark"):
        await program_file.load(file, now=shop.now + DAY)

    assert (await Program.get()).version == 1
    assert await ProgramVersion.all().count() == await EarningRules.all().count() == 1


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            "programme",
            {},
            "programme: there is no setting programme here; did you mean program",
        ),
        ("program", None, "program: should be a table"),
        ("program.name", "", "program.name: should have at least 1"),
        (
            "program.slug",
            "Bean Club",
            'program.slug: "Bean Club" cannot be used; write small letters',
        ),
        ("program.currency", "EURO", "program.currency: EURO is no currency"),
        ("program.time_zone", "Berlin", "program.time_zone: Berlin is no time zone"),
        ("program.accept_days", 0, "program.accept_days: should be at least 1, not 0"),
        (
            "program.points.expiry_months",
            121,
            "program.points.expiry_months: should be at most 120, not 121",
        ),
        (
            "program.points.clawback",
            "TAKE",
            'program.points.clawback: "TAKE" is none of CLAMP_TO_ZERO, ALLOW_',
        ),
        ("program.branding", {}, r"program.branding: write it as \[branding\]"),
        ("branding", {"label": "green"}, "branding.label: green is no colour"),
        ("branding", {"label": "rgb(0, 0, 256)"}, r"branding.label: rgb\(0, 0, 256\) is no colour"),
        (
            "branding",
            {"logo": "x"},
            "branding.logo: there is no setting logo here; known here: template",
        ),
        (
            "earning.default_rate.points",
            -1,
            "earning.default_rate.points: should be at least 0, not -1",
        ),
        (
            "earning.rates.1.per_amount_minor",
            0,
            r"earning.rates\[1\].per_amount_minor: should be at least 1",
        ),
        ("earning.rates.0.rounding", "UP", r"earning.rates\[0\].rounding: \"UP\" is none of FLOOR"),
        ("exchange_rates", [{**USD, "currency": "EUR"}], "program: EUR is the programme's own"),
        ("exchange_rates", [{**USD, "currency": "XYZ"}], r"exchange_rates\[0\].currency: 'XYZ' is"),
        ("exchange_rates", [{**USD, "rate": 0.9}], r"exchange_rates\[0\].rate: a rate stands in"),
        (
            "exchange_rates",
            [{**USD, "rate": "0.00"}],
            r"exchange_rates\[0\].rate: '0.00' is no rate",
        ),
        (
            "exchange_rates",
            [{**USD, "rate": "1,09"}],
            r"exchange_rates\[0\].rate: '1,09' is no rate",
        ),
        ("exchange_rates", [{**USD, "from": 20260101}], r"exchange_rates\[0\].from: '20260101' is"),
        (
            "exchange_rates",
            [{**USD, "from": "2026-02-30"}],
            r"exchange_rates\[0\].from: there is no",
        ),
        ("exchange_rates", [{**USD, "to": "2026-03-01"}], r"exchange_rates\[0\].to: there is no"),
        ("exchange_rates", [USD, USD], r"exchange_rates\[1\]: a rate of USD from 2026-01-01 sta"),
        ("program.exchange_rates", [USD], r"program.exchange_rates: write it as \[\[exchange_rat"),
        ("earning.rates.0.product_types", ["MUG"], "earning: MUG has two rates"),
        ("earning.excluded_product_types", ["MUG"], "earning: MUG cannot have a rate and be"),
        ("benefits", [{**POST, "uses": 1}], r"benefits\[0\]: uses and per go together"),
        ("benefits", [POST, POST], r"benefits\[1\].code: POST stands at \[0\] too"),
        ("benefits", [{**POST, "kind": "FREE_REFILL"}], r"benefits\[0\]: FREE_REFILL is counted"),
        ("tiers", TIERS, r"tiers.levels\[0\].benefits\[0\]: there is no benefit CAKE; .*"),
        (
            "tiers",
            {**TIERS, "levels": TIERS["levels"][::-1]},
            r"tiers.levels\[1\].entry: entry 10000 is not",
        ),
        (
            "subscription_plans",
            [{**PLANS[0], "price_minor": 0}],
            r"subscription_plans\[0\]: the plan PLUS has no price; give price_minor",
        ),
        (
            "subscription_plans",
            [PLANS[0], {**PLANS[1], "interval": "DAY"}],
            r"subscription_plans\[1\].interval: \"DAY\" is none of MONTH, YEAR",
        ),
        (
            "subscription_plans",
            [{**PLANS[0], "benefits": ["CAKE"]}],
            r"subscription_plans\[0\].benefits\[0\]: there is no benefit CAKE; .*",
        ),
        (
            "subscription_plans",
            [PLANS[0], PLANS[0]],
            r"subscription_plans\[1\].code: PLUS stands at \[0\] too",
        ),
        ("rewards", [COFFEE, COFFEE], r"rewards\[1\].code: COFFEE stands at \[0\] too"),
        (
            "rewards",
            [{**COFFEE, "cost": 3}],
            r"rewards\[0\].cost: there is no .*; did you mean cost_points\?$",
        ),
        ("rewards", [{**COFFEE, "percent": 3}], r"rewards\[0\]: a reward of kind FREE_PRODUCT has"),
        (
            "rewards",
            [COFFEE, {**NOTE, "tiers": ["GOLD"], "tier_costs": {"GOLD": 5}}],
            r"rewards\[1\].tiers\[0\]: there is no tier GOLD; .*\n.*tier_costs.GOLD: there is",
        ),
        ("program.points.payment", {"points": 1}, "program.points.payment.worth_minor: is missing"),
    ],
)
def test_an_error_names_its_place(place: str, value: Any, message: str):
    with pytest.raises(ProgramFileError, match=f"^shop.toml: .*{message}"):
        program_file.check(changed(place, value), name="shop.toml")


def test_every_error_is_told_at_once():
    data = changed("program.points.unit_one", "")
    data["earning"]["rates"][0]["points"] = -1

    with pytest.raises(ProgramFileError) as refusal:
        program_file.check(data, name="shop.toml")

    assert "program.points.unit_one: " in refusal.value.message
    assert "earning.rates[0].points: " in refusal.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "shop.toml cannot be read: No such file"),
        (b"name = ", "shop.toml:1:8: is no TOML: Invalid value"),
        (b"\xff", "shop.toml:1: is no text in UTF-8."),
        (b"", r"shop.toml:1:1: program: is missing\.\n.*shop.toml:1:1: earning: is missing"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None, message: str):
    path = tmp_path / "shop.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ProgramFileError, match=message):
        program_file.read(path)


LOOKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "the name": lambda data: data["program"].update(name="Bean Society"),
    "the time zone": lambda data: data["program"].update(time_zone="Asia/Tokyo"),
    "the colours": lambda data: data.update(branding={"background": "rgb(0, 0, 0)"}),
    "the terms": lambda data: data.update(branding={"terms": "No cash."}),
    "what points are called": lambda data: data["program"]["points"].update(unit_other="grains"),
    "the name of a tier": lambda data: data["tiers"]["levels"][1].update(name="Argent"),
    "what a tier takes": lambda data: data["tiers"]["levels"][2].update(entry=40_000),
    "a new tier system": lambda data: data.pop("tiers"),
    "the name of a plan": lambda data: data["subscription_plans"][0].update(name="Club"),
}
"""What cards show."""

OTHERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "nothing": dict,
    "what is accepted": lambda data: data["program"].update(accept_days=90),
    "how long points live": lambda data: data["program"]["points"].update(expiry_months=9),
    "what is earned": lambda data: data["earning"]["default_rate"].update(points=2),
    "what a tier gives": lambda data: data["tiers"]["levels"][1].update(multiplier="2"),
    "the price of a plan": lambda data: data["subscription_plans"][0].update(price_minor=999),
}


async def reloaded(change: Callable[[dict[str, Any]], object]) -> list[str]:
    """Return why cards are rolled out when a programme is loaded, and loaded again changed."""
    whole = deepcopy({**PROGRAM, "tiers": TIERS, "benefits": BENEFITS, "subscription_plans": PLANS})
    first = await program_file.load(program_file.check(whole, name="test"), now=NOON)
    assert await rollouts.progress(first.program_id) == []
    change(whole)
    await program_file.load(program_file.check(whole, name="test"), now=NOON + DAY)
    return [one.reason for one in await rollouts.progress(first.program_id)]


@pytest.mark.parametrize("what", LOOKS)
async def test_what_cards_show_is_rolled_out_when_it_changes(database: object, what: str):
    assert await reloaded(LOOKS[what]) == ["programme version 2"]


@pytest.mark.parametrize("what", OTHERS)
async def test_what_cards_do_not_show_is_not_rolled_out(database: object, what: str):
    assert await reloaded(OTHERS[what]) == []


async def test_a_version_that_was_refused_rolls_nothing_out(shop: Shop):
    with pytest.raises(InvalidInputError):
        await program_file.load(
            program_file.check(
                changed("program", {**PROGRAM["program"], "currency": "USD", "name": "Other"}),
                name="test",
            ),
            now=NOON,
        )

    assert await rollouts.progress(shop.program_id) == []


def test_a_card_template_that_does_not_exist_is_refused_with_those_that_do():
    data = {**deepcopy(PROGRAM), "branding": {"template": "gold-card"}}

    with pytest.raises(ProgramFileError) as refused:
        program_file.check(data, name="mine.toml")

    assert str(refused.value) == (
        "mine.toml: branding.template: there is no card template gold-card; known are "
        "paid-membership, stamp-card, store-card, stored-value, vip-tier."
    )


@pytest.mark.parametrize(
    "name", ["paid-membership", "stamp-card", "store-card", "stored-value", "vip-tier"]
)
def test_every_shipped_card_template_can_be_chosen(name: str):
    data = {**deepcopy(PROGRAM), "branding": {"template": name}}

    assert program_file.check(data, name="test").program.branding.template == name


async def test_a_programme_may_name_a_template_of_ones_own(tmp_path: Path):
    (tmp_path / "our-card").mkdir()
    named = changed("branding", {"template": "our-card"})

    file = program_file.check(named, name="test", templates_dir=tmp_path)

    assert file.program.branding.template == "our-card"
    with pytest.raises(ProgramFileError, match="there is no card template our-card; known are"):
        program_file.check(named, name="test")
