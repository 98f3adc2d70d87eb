"""Planning and applying programme files through the API."""

from typing import Any

import pytest

from loyalty_graph.usecases import program_versions
from loyalty_graph.usecases.program_versions import ApplyProgram
from tests.api import OTHER_PROGRAM, Api
from tests.shop import DAY
from tests.usecases.test_program_versions import DEARER, RENAMED, TEXT, draft

DIFF = """query ($toml: String!, $version: Int) {
    programDiff(input: {toml: $toml, version: $version}) {
        userErrors { code field message }
        diff { comparedWith changes { part subject kind sentence place } cards cardHolders } } }"""
APPLIED = "diff { comparedWith changes { sentence } } program { version name } replayed"
VERSIONS = """query ($first: Int! = 20, $before: Int) {
    programVersions(first: $first, before: $before) {
        number appliedAt actor note changeCount toml } }"""
NAME = "query ($version: Int) { program(version: $version) { name version } }"


def changed(*changes: tuple[str, str]) -> str:
    return draft(*changes).text


@pytest.fixture
def club(api: Api) -> Api:
    """The API with the club's file applied as version 2."""
    command = ApplyProgram(draft(), "cli", "opening")
    api.run(program_versions.apply, command, now=api.now)
    return api


def test_a_plan_is_told_in_words_and_stores_nothing(club: Api):
    before = club.everything()

    answer = club.data(DIFF, {"toml": changed(DEARER)})["programDiff"]

    assert answer == {
        "userErrors": [],
        "diff": {
            "comparedWith": 2,
            "changes": [
                {
                    "part": "rewards",
                    "subject": "Reward COFFEE",
                    "kind": "CHANGED",
                    "sentence": "Reward COFFEE: costs 50 beans instead of 40",
                    "place": "rewards[COFFEE].cost_points",
                }
            ],
            "cards": [],
            "cardHolders": 0,
        },
    }
    assert club.everything() == before
    assert len(club.data(VERSIONS)["programVersions"]) == 2


def test_a_file_is_compared_with_any_version(club: Api):
    given = {"idempotencyKey": "k", "toml": changed(DEARER)}
    assert club.do("applyProgram", given, "")["userErrors"] == []

    newest = club.data(DIFF, {"toml": TEXT})["programDiff"]["diff"]["changes"]
    before = club.data(DIFF, {"toml": TEXT, "version": 2})["programDiff"]["diff"]["changes"]
    [unknown] = club.data(DIFF, {"toml": TEXT, "version": 9})["programDiff"]["userErrors"]

    assert [one["sentence"] for one in newest] == ["Reward COFFEE: costs 40 beans instead of 50"]
    assert before == []
    assert (unknown["code"], unknown["field"]) == ("NOT_FOUND", "version")


def test_applying_makes_the_next_version_once(club: Api):
    club.now += DAY
    given = {
        "idempotencyKey": "k",
        "toml": changed(RENAMED),
        "expectedVersion": 2,
        "note": "a new name",
    }

    first = club.do("applyProgram", given, APPLIED)
    again = club.do("applyProgram", given, APPLIED)

    assert first == {
        "userErrors": [],
        "diff": {
            "comparedWith": 2,
            "changes": [{"sentence": "Programme: called “Tea Club” instead of Bean Club"}],
        },
        "program": {"version": 3, "name": "Tea Club"},
        "replayed": False,
    }
    assert again == {**first, "replayed": True}
    newest, oldest = club.data(VERSIONS, {"first": 2})["programVersions"]
    actor = newest.pop("actor")
    assert actor.startswith("partner:")
    assert newest == {
        "number": 3,
        "appliedAt": "2026-03-03T12:00:00Z",
        "note": "a new name",
        "changeCount": 1,
        "toml": changed(RENAMED),
    }
    assert (oldest["number"], oldest["actor"], oldest["toml"]) == (2, "cli", TEXT)
    assert [one["number"] for one in club.data(VERSIONS, {"before": 2})["programVersions"]] == [1]


def test_the_programme_is_shown_as_it_was(club: Api):
    given = {"idempotencyKey": "k", "toml": changed(RENAMED)}
    assert club.do("applyProgram", given, "")["userErrors"] == []

    assert club.data(NAME)["program"] == {"name": "Tea Club", "version": 3}
    assert club.data(NAME, {"version": 2})["program"] == {"name": "Bean Club", "version": 2}
    assert club.error(NAME, {"version": 4}) == "NOT_FOUND"


def test_a_dry_run_stores_nothing_and_uses_up_no_key(club: Api):
    given = {"toml": changed(DEARER), "dryRun": True, "expectedVersion": 2}
    before = club.everything()

    answer = club.do("applyProgram", given, APPLIED)

    assert (answer["program"], answer["replayed"]) == (None, False)
    assert len(answer["diff"]["changes"]) == 1
    assert club.everything() == before
    assert len(club.data(VERSIONS)["programVersions"]) == 2


def test_each_fault_is_an_error_with_its_line_and_column(club: Api):
    toml = TEXT.replace("unit_one", "unit_won").replace("cost_points = 40", "cost_points = 0")
    told = [
        (
            "toml:8:1: program.points.unit_won: there is no setting unit_won here; "
            "did you mean unit_one?"
        ),
        "toml:7:10: program.points.unit_one: is missing.",
        "toml:34:15: rewards[0].cost_points: should be at least 1, not 0.",
    ]

    planned = club.data(DIFF, {"toml": toml})["programDiff"]
    applied = club.do("applyProgram", {"idempotencyKey": "k", "toml": toml}, APPLIED)

    for answer in (planned, applied):
        assert sorted(one["message"] for one in answer["userErrors"]) == sorted(told)
        assert {(one["code"], one["field"]) for one in answer["userErrors"]} == {
            ("PROGRAM_FILE", "toml")
        }
        assert answer["diff"] is None
    assert len(club.data(VERSIONS)["programVersions"]) == 2


@pytest.mark.parametrize(
    ("case", "given", "refusal"),
    [
        ("an outdated plan", {"expectedVersion": 1}, ("STALE_VERSION", "expectedVersion")),
        ("no key", {"idempotencyKey": None}, ("INVALID_INPUT", "idempotencyKey")),
        ("a long note", {"note": "x" * 501}, ("INVALID_INPUT", "note")),
        ("no TOML", {"toml": "a = [" * 9000}, ("PROGRAM_FILE", "toml")),
        ("another's file", {"toml": TEXT.replace("bean-", "tea-")}, ("PROGRAM_FILE", "toml")),
        (
            "an unknown template",
            {"toml": f"{TEXT}[branding]\ntemplate = 'gold'\n"},
            ("PROGRAM_FILE", "toml"),
        ),
    ],
)
def test_a_refused_file_changes_nothing(
    club: Api, *, case: str, given: dict[str, Any], refusal: tuple[str, str]
):
    club.open_shop(OTHER_PROGRAM)
    whole = {"idempotencyKey": "k", "toml": changed(DEARER), **given}

    assert club.refusal("applyProgram", whole) == refusal
    assert len(club.data(VERSIONS)["programVersions"]) == 2


def test_the_shops_of_a_programme_are_shown(club: Api):
    stores = '[[stores]]\ncode = "S1"\nname = "Quay"\nlatitude = 53.55\nlongitude = 9.993700\n'
    given = {"idempotencyKey": "k", "toml": f"{TEXT}{stores}"}

    shown = "program { stores { code name labels city latitude longitude } }"
    answer = club.do("applyProgram", given, shown)

    assert answer["program"]["stores"] == [
        {
            "code": "S1",
            "name": "Quay",
            "labels": [],
            "city": "",
            "latitude": "53.55",
            "longitude": "9.9937",
        }
    ]
