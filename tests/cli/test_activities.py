"""Recording from the command line what a member did beside buying."""

import asyncio

import pytest

from loyalty_graph.cli.activities import NOTHING
from loyalty_graph.db import open_database
from loyalty_graph.earning.activities import Hindrance
from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine
from tests.shop import open_shop
from tests.usecases.test_activities import FOLLOW, earning_by


def test_it_says_why_nothing_was_earned(call: CommandLine, ada: Member):
    done = call("activity", "record", ada.number, "NEWSLETTER")
    as_json = call(
        "activity", "record", ada.number, "SOCIAL_FOLLOW", "--network", "mastodon", "--json"
    )

    said = "✓ Recorded; it earned nothing: the programme has no rule for it.\n"
    assert (done.code, done.out) == (0, said)
    assert {**as_json.json, "activity": ""} == {
        "activity": "",
        "points": 0,
        "reason": "NO_RULE",
        "balance": 216,
        "unit": "beans",
    }


def test_it_says_what_was_earned(
    call: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOYALTY_DATABASE_URL", database_url)

    async def make() -> Member:
        async with open_database(database_url):
            shop = await open_shop(earning_by(FOLLOW))
            return await shop.enrol()

    number = asyncio.run(make()).number
    follow = ("activity", "record", number, "SOCIAL_FOLLOW", "--network")

    first, second = call(*follow, "mastodon"), call(*follow, "Mastodon")

    assert first.out == "✓ +20 beans; the balance is 20.\n"
    assert second.out == "✓ Recorded; it earned nothing: it counts once, and did.\n"


def test_every_reason_has_its_words():
    assert set(NOTHING) == set(Hindrance)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody", "NEWSLETTER"), "NOT_FOUND There is no member nobody"),
        (("{ada}", "CHECK_IN"), "INVALID_INPUT A CHECK_IN names its store."),
        (("{ada}", "SIGN_UP"), "INVALID_INPUT SIGN_UP is seen by the programme itself."),
    ],
)
def test_what_cannot_be_is_refused(
    call: CommandLine, ada: Member, words: tuple[str, ...], said: str
):
    done = call("activity", "record", *(word.format(ada=ada.number) for word in words))

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(said)


def test_a_kind_that_is_none_is_told_with_those_that_are(call: CommandLine, ada: Member):
    done = call("activity", "record", ada.number, "REVIEWW")

    assert (done.code, done.out) == (2, "")
    assert "'REVIEWW' is none of SOCIAL_FOLLOW" in " ".join(done.err.split())
