"""The story of every preset, through the API, to the last figure; and what a wrong one says."""

import re
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.cli.stories import alone_in, staged
from loyalty_graph.sandbox.presets import presets
from loyalty_graph.sandbox.stories import Story, StoryError, read_story, story_of
from loyalty_graph.sandbox.story_player import Played

DOCS = Path(__file__).parents[2] / "docs"
BEGINS = "2026-03-02T17:00:00Z"
JOINS = {"enrol": {}}
BUYS = {"buy": {"receipt": "coat", "lines": [{"type": "CLOTHING", "amount": "300.00"}]}}


async def played(
    preset: str, story: Story, database_url: str, folder: Path, into: list[Played] | None = None
) -> list[Played]:
    """Play a story; `into` keeps the steps that went well, also when a later one does not."""
    found = [] if into is None else into
    settings = alone_in(folder, database_url=database_url)
    async with staged(preset, story.begins, settings) as player:
        async for one in player.play(story):
            found.append(one)
    return found


def story_with(*steps: dict[str, Any]) -> Story:
    told = [{"says": "It goes on", **step} for step in steps]
    return Story.model_validate({"title": "A test", "begins": BEGINS, "steps": told})


@pytest.mark.parametrize("preset", presets())
@pytest.mark.usefixtures("uncounted")
async def test_a_preset_does_what_its_story_says(preset: str, database_url: str, data_dir: Path):
    story = read_story(story_of(preset))

    steps = await played(preset, story, database_url, data_dir)

    assert [one.step for one in steps] == list(story.steps)
    assert all(one.step.expect.given for one in steps)


@pytest.mark.parametrize(
    ("case", "step", "fault"),
    [
        (
            "a figure",
            {"says": "A coat", **BUYS, "expect": {"earned": 601, "points": 600}},
            "Step 2 (A coat): earned: expected 601, came 600.",
        ),
        (
            "two figures",
            {**BUYS, "expect": {"points": 1, "rewards": []}},
            (
                "Step 2 (It goes on): points: expected 1, came 600;"
                " rewards: expected none, came NOTE_5."
            ),
        ),
        (
            "what is not there",
            {**BUYS, "expect": {"subscription": "ACTIVE"}},
            "Step 2 (It goes on): subscription: expected ACTIVE, came None.",
        ),
        (
            "a refusal that nobody expected",
            {"redeem": {"reward": "NOTE_5"}},
            "Step 2 (It goes on): INSUFFICIENT_POINTS This needs 500 points; 0 are available.",
        ),
        (
            "another refusal",
            {"redeem": {"reward": "NOTE_5"}, "expect": {"refused": "OUT_OF_STOCK"}},
            "Step 2 (It goes on): refused: expected OUT_OF_STOCK, came INSUFFICIENT_POINTS.",
        ),
        (
            "no refusal",
            {**BUYS, "expect": {"refused": "DUPLICATE_PURCHASE"}},
            "Step 2 (It goes on): refused: expected DUPLICATE_PURCHASE, came None.",
        ),
        (
            "somebody unknown",
            {"member": "bob", "expect": {"points": 0}},
            "Step 2 (It goes on): points: expected 0, came None.",
        ),
        (
            "what the API does not know",
            {"buy": {"lines": [{"type": "SHOES", "amount": "1.00", "sku": "x" * 101}]}},
            "Step 2 (It goes on): INVALID_INPUT",
        ),
        (
            "a redemption without a name",
            {"use": "NOTE_5"},
            "Step 2 (It goes on): nothing was redeemed that is called NOTE_5.",
        ),
        (
            "a payment for nothing",
            {"pay": "4.99"},
            "Step 2 (It goes on): ada has no subscription.",
        ),
    ],
)
async def test_a_step_that_goes_otherwise_is_named_with_what_was_expected_and_came(
    case: str, step: dict[str, Any], fault: str, database_url: str, data_dir: Path
):
    before: list[Played] = []

    with pytest.raises(StoryError) as told:
        await played(
            "notes-vouchers", story_with(JOINS, step, BUYS), database_url, data_dir, before
        )

    assert told.value.message.startswith(fault)
    assert [one.number for one in before] == [1]


async def test_money_can_be_taken_from_a_voucher_only(database_url: str, data_dir: Path):
    buys = {"buy": {"lines": [{"type": "CLOTHING", "amount": "300.00"}]}}
    redeems = {"redeem": {"reward": "OFF_5", "called": "five"}}
    spends = {"spend": {"voucher": "five", "amount": "1.00"}}

    with pytest.raises(StoryError, match=r"^Step 4 \(It goes on\): five is no voucher\.$"):
        await played(
            "points-to-discount",
            story_with(JOINS, buys, redeems, spends),
            database_url,
            data_dir,
        )


async def test_the_story_in_the_documentation_is_true(
    tmp_path: Path, database_url: str, data_dir: Path
):
    [told] = re.findall(r"```toml\n(.*?)```", (DOCS / "presets.md").read_text(), re.DOTALL)
    path = tmp_path / "story.toml"
    path.write_text(told)

    assert len(await played("notes-vouchers", read_story(path), database_url, data_dir)) == 2


async def test_a_story_may_have_several_members(database_url: str, data_dir: Path):
    story = story_with(
        JOINS,
        {"member": "bob", **JOINS},
        {"member": "bob", **BUYS, "expect": {"points": 600}},
        {"expect": {"points": 0}},
    )

    assert len(await played("notes-vouchers", story, database_url, data_dir)) == 4


@pytest.mark.parametrize(
    ("case", "text", "fault"),
    [
        ("no file", None, "cannot be read"),
        ("no TOML", "title = ", "is no TOML"),
        ("no text", b"\xff", "is no TOML"),
        ("no steps", f'title = "x"\nbegins = {BEGINS}\nsteps = []', "steps: Tuple should have"),
        ("no offset", 'title = "x"\nbegins = 2026-03-02T17:00:00\n[[steps]]\nwait = 1', "begins: "),
        (
            "two things at once",
            f'title = "x"\nbegins = {BEGINS}\n[[steps]]\nsays = "?"\nwait = 1\nuse = "A"',
            "steps.0: use and wait are two steps",
        ),
        (
            "nothing",
            f'title = "x"\nbegins = {BEGINS}\n[[steps]]\nsays = "?"',
            "steps.0: say what happens, or what is expected",
        ),
        (
            "a figure nobody knows",
            f'title = "x"\nbegins = {BEGINS}\n[[steps]]\nsays = "?"\nexpect = {{ stars = 3 }}',
            "steps.0.expect.stars: Extra inputs are not permitted",
        ),
        (
            "no words",
            f'title = "x"\nbegins = {BEGINS}\n[[steps]]\nwait = 1',
            "steps.0.says: Field required",
        ),
        (
            "money as a number",
            f'title = "x"\nbegins = {BEGINS}\n[[steps]]\nsays = "?"\npay = 4.99',
            "steps.0.pay: Input should be a valid string",
        ),
    ],
)
def test_a_file_that_tells_no_story_is_refused_with_the_place(
    tmp_path: Path, case: str, text: str | bytes | None, fault: str
):
    path = tmp_path / "story.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(StoryError) as told:
        read_story(path)

    assert str(path) in told.value.message
    assert fault in told.value.message
