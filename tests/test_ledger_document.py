"""Every number of the worked examples in docs/ledger.md is what the ledger makes of them."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.ledger.chart import rows
from loyalty_graph.usecases import proof
from tests.bookkeeping import Story
from tests.test_error_table import modules_of_errors
from tools import ledger_reference

DOCUMENT = ledger_reference.DOCUMENT
FENCE = re.compile(r"^```(toml|ledger)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
STEP = re.compile(r"(\d{4}-\d\d-\d\d)  (.+)")
STANDING = re.compile(
    r"(\w+) has (-?\d+)(?: = ([\d+ ]+))?((?:, -?\d+ (?:set aside|waiting|for tiers))*)"
)
PLACES_APART = re.compile(r"\s+")


@dataclass(frozen=True)
class Example:
    """A worked example: the settings in force, and each sentence with what is seen of it."""

    title: str
    program: Mapping[str, Any]
    steps: list[tuple[str, str, list[str]]]


def examples() -> Iterator[Example]:
    """Read the document: the first settings are of all examples, others of the next one only."""
    text = DOCUMENT.read_text(encoding="utf-8")
    club: dict[str, Any] | None = None
    program: dict[str, Any] = {}
    for found in FENCE.finditer(text):
        form, body = found.groups()
        if form == "toml":
            settings = tomllib.loads(body)
            club = club or settings
            program = joined(club, settings)
            continue
        headings = re.findall(r"^###? (.+)$", text[: found.start()], re.MULTILINE)
        yield Example(headings[-1], program, list(steps(body)))
        assert club is not None
        program = club


def joined(club: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the club with some settings in place of its own."""
    both = club | settings
    for name in club.keys() & settings.keys():
        if isinstance(club[name], dict):
            both[name] = joined(club[name], settings[name])
    if "expiry" in settings:
        both.pop("expiry_months", None)
    return both


def steps(body: str) -> Iterator[tuple[str, str, list[str]]]:
    seen: list[str] = []
    for line in body.splitlines():
        if step := STEP.fullmatch(line):
            seen = []
            yield step[1], step[2], seen
        elif line.strip():
            assert line.startswith(" "), line
            seen.append(PLACES_APART.sub(" ", line.strip()))


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.title)
async def test_an_example_is_what_the_ledger_makes_of_it(
    example: Example, database: object, tmp_path: Path
):
    story = await Story.begin(dict(example.program), example.steps[0][0], tmp_path)

    for day, what, seen in example.steps:
        told = await story.play(day, what)

        standings = [found for line in seen if (found := STANDING.fullmatch(line))]
        others = [line for line in seen if not STANDING.fullmatch(line)]
        assert told == others, f"{example.title}, {day} {what}"
        for name, has, lots, more in (found.groups() for found in standings):
            actual = await story.standing(name)
            written = dict(part.split(" ", 1)[::-1] for part in more.split(", ")[1:])
            written |= {"has": has} | ({"lots": lots} if lots else {})
            assert written == {part: actual[part] for part in written}, (day, what, name)

    assert (await proof.verify(story.shop.program_id, now=story.shop.now)).findings == []


def test_there_are_examples_and_each_has_numbers():
    assert len(EXAMPLES) >= 15
    assert all(any(seen for *_, seen in example.steps) for example in EXAMPLES)


def test_every_kind_of_entry_is_in_an_example():
    text = DOCUMENT.read_text(encoding="utf-8").partition(ledger_reference.MARK)[0]

    shown = {kind for kind, _ in rows() if re.search(rf"^ +\w+ +{kind} ", text, re.MULTILINE)}

    assert {kind for kind, _ in rows()} - shown == set()


def test_the_table_of_refusals_has_all_of_the_ledger_and_of_purchases():
    of_both = {
        kind.code
        for module in modules_of_errors()
        if module.__name__.split(".")[1] in {"ledger", "purchases"}
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == module.__name__
        if "code" in vars(kind) and kind.is_told
    }

    told = set(re.findall(r"^\| `([A-Z_]+)` \|", ledger_reference.reference(), re.MULTILINE))

    general = {*ledger_reference.GENERAL} & told
    assert told - general == of_both
    assert general == {*ledger_reference.GENERAL}
