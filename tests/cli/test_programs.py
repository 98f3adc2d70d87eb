"""Programme files: planned, applied, looked back at."""

import asyncio
from pathlib import Path

import pytest

from loyalty_graph.cli.output import console
from loyalty_graph.db import migrate, open_database
from loyalty_graph.programs.models import Program, ProgramVersion
from loyalty_graph.wallet import service as wallet
from tests.cli.conftest import PRESET, CommandLine
from tests.shop import NOON, Shop


def versions(url: str) -> list[int]:
    async def read() -> list[int]:
        async with open_database(url):
            await migrate()
            return [row.version for row in await ProgramVersion.all().order_by("version")]

    return asyncio.run(read())


def changed(tmp_path: Path, *replacements: tuple[str, str]) -> Path:
    """Return the corner grocer's file with other words in it."""
    text = PRESET.read_text()
    for before, after in replacements:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    file = tmp_path / "club.toml"
    file.write_text(text)
    return file


DEARER = ("cost_points = 600", "cost_points = 700")


def test_each_apply_is_the_next_version(call: CommandLine, database_url: str):
    first = call("program", "apply", PRESET, "--database", database_url)
    second = call("program", "apply", PRESET, "--database", database_url)

    [told, *_] = first.out.splitlines()
    assert told == "✓ Corner Grocer Rewards (corner-grocer): version 1 is in force."
    assert "    + Tier GREEN is new: “Green”" in first.out.splitlines()
    assert second.out.splitlines() == [
        "✓ Corner Grocer Rewards (corner-grocer): version 2 is in force.",
        "",
        "  Nothing is different.",
    ]
    assert versions(database_url) == [1, 2]


def test_a_plan_says_what_would_change_and_changes_nothing(
    call: CommandLine, shop_url: str, tmp_path: Path
):
    file = changed(
        tmp_path,
        DEARER,
        ("entry = 180000", "entry = 170000"),
        ("accept_days = 365", "accept_days = 90"),
        ("[branding]", '[[stores]]\ncode = "S1"\nname = "Main Street"\n\n[branding]'),
    )

    done = call("program", "plan", file)

    *told, command = done.out.splitlines()
    assert told == [
        "Corner Grocer Rewards (corner-grocer): what would change after version 1",
        "",
        "  Programme",
        "    ~ accepts purchases up to 90 days old instead of 365 days",
        "",
        "  Stores",
        "    + Store S1 is new: “Main Street”",
        "",
        "  Tiers",
        "    ~ Tier GOLD: reached with 1,700.00 USD instead of 1,800.00 USD",
        "",
        "  Rewards",
        "    ~ Reward TENTH_OFF: costs 700 points instead of 600",
        "",
        "  Cards",
        "    They show it (tiers); nobody holds one yet.",
        "",
        "  1 new, 3 changed; nothing was stored. To apply it:",
    ]
    assert command.endswith(f"program apply {file} --expected-version 1")
    assert versions(shop_url) == [1]


def test_a_plan_fits_a_narrow_terminal(
    call: CommandLine, shop_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(console, "_width", 72)

    done = call("program", "plan", changed(tmp_path, ('name = "Green"', 'name = "Fern"')))
    whole = call("program", "diff", "1", PRESET)

    assert max(len(line) for line in done.out.splitlines()[:-1]) <= 72
    assert "    ~ Tier GREEN: called “Fern” instead of Green" in done.out
    assert whole.out.splitlines()[-1] == "  Nothing is different."


def test_a_first_plan_needs_no_database_yet(call: CommandLine, database_url: str):
    done = call("program", "plan", PRESET, "--database", database_url, "--json")

    assert (done.json["program"], done.json["compared_with"]) == ("corner-grocer", None)
    assert {one["kind"] for one in done.json["changes"]} == {"NEW"}
    assert versions(database_url) == []


def test_a_first_plan_and_what_a_later_one_reaches(
    call: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("LOYALTY_DATABASE_URL", database_url)
    file = changed(tmp_path, ('name = "Green"', 'name = "Fern"'))
    segment = (
        '[[segments]]\ncode = "ALL"\nname = "All"\nwhen = { member = { status = "ACTIVE" } }\n'
    )
    file.write_text(f"{file.read_text()}\n{segment}")

    first = call("program", "plan", PRESET)
    assert call("program", "apply", PRESET).code == 0
    asyncio.run(join_with_a_card(database_url))
    later = call("program", "plan", file)
    done = call("program", "apply", file)

    assert first.out.startswith("Corner Grocer Rewards (corner-grocer): a new programme\n")
    told = later.out.splitlines()
    assert told[told.index("  Members now") : -3] == [
        "  Members now",
        "    Segment ALL holds 1.",
        "",
        "  Cards",
        "    They show it (tiers): a roll-out brings it to the cards of 1 member.",
    ]
    assert done.out.splitlines()[-1] == "  1 new, 1 changed."


async def join_with_a_card(url: str) -> None:
    async with open_database(url):
        shop = Shop((await Program.get()).id, NOON)
        await wallet.issue(shop.program_id, [(await shop.enrol()).id], now=NOON)


def test_a_dry_run_only_plans(call: CommandLine, shop_url: str, tmp_path: Path):
    file = changed(tmp_path, DEARER)

    dry = call("program", "apply", file, "--dry-run")

    assert dry.out == call("program", "plan", file).out
    assert versions(shop_url) == [1]


def test_an_apply_as_json_tells_each_change(call: CommandLine, shop_url: str, tmp_path: Path):
    done = call("program", "apply", changed(tmp_path, DEARER), "--json")

    assert done.json == {
        "version": 2,
        "program": "corner-grocer",
        "compared_with": 1,
        "changes": [
            {
                "part": "rewards",
                "subject": "Reward TENTH_OFF",
                "kind": "CHANGED",
                "text": "costs 700 points instead of 600",
                "place": "rewards[TENTH_OFF].cost_points",
                "before": 600,
                "after": 700,
                "details": [],
                "sentence": "Reward TENTH_OFF: costs 700 points instead of 600",
            }
        ],
        "reach": {},
        "cards": {"changed": [], "members": 0},
    }


def test_an_outdated_plan_is_refused(call: CommandLine, shop_url: str, tmp_path: Path):
    file = changed(tmp_path, DEARER)

    outdated = call("program", "apply", file, "--expected-version", 0)
    planned = call("program", "plan", file, "--expected-version", 2)
    present = call("program", "apply", file, "--expected-version", 1)

    told = "STALE_VERSION The programme is at version 1, not 0; plan again, then apply.\n"
    assert (outdated.code, outdated.out, outdated.err) == (1, "", told)
    assert (planned.code, planned.err.partition(" ")[0]) == (1, "STALE_VERSION")
    assert (present.code, versions(shop_url)) == (0, [1, 2])


def test_an_export_is_the_text_that_was_applied(call: CommandLine, shop_url: str, tmp_path: Path):
    file = changed(tmp_path, DEARER, ("# Corner Grocer Rewards:", "# Grüße [bold]from[/] us:"))
    assert call("program", "apply", file).code == 0

    assert call("program", "export").out == file.read_text()
    assert call("program", "export", "--version", 1).out == PRESET.read_text()
    assert call("program", "export", "--version", 3).code == 1


def test_going_back_is_a_new_version_and_the_history_tells_it(
    call: CommandLine, shop_url: str, tmp_path: Path
):
    assert call("program", "apply", changed(tmp_path, DEARER), "--note", "winter [x]").code == 0

    back = call("program", "rollback", 1, "--note", "too dear")
    told = call("program", "history")
    listed = call("program", "history", "--json", "--limit", 2).json

    assert back.out.splitlines() == [
        "✓ Corner Grocer Rewards (corner-grocer): version 3 is in force.",
        "",
        "  Rewards",
        "    ~ Reward TENTH_OFF: costs 600 points instead of 700",
        "",
        "  1 changed.",
    ]
    assert call("program", "export").out == PRESET.read_text()
    rows = [line.split()[:1] + line.split()[3:] for line in told.out.splitlines()[3:-1]]
    assert rows == [
        ["3", "cli", "1", "back", "to", "version", "1:", "too", "dear"],
        ["2", "cli", "1", "winter", "[x]"],
        ["1", "cli", "first"],
    ]
    assert [(one["version"], one["by"], one["changes"]) for one in listed] == [
        (3, "cli", 1),
        (2, "cli", 1),
    ]


def test_versions_and_files_can_be_compared(call: CommandLine, shop_url: str, tmp_path: Path):
    file = changed(tmp_path, DEARER)
    assert call("program", "apply", file).code == 0

    between = call("program", "diff", "2", "1")
    beside = call("program", "diff", PRESET, file, "--json")

    assert between.out.splitlines() == [
        "Corner Grocer Rewards: 2 → 1",
        "",
        "  Rewards",
        "    ~ Reward TENTH_OFF: costs 600 points instead of 700",
        "",
        "  1 changed.",
    ]
    assert [one["sentence"] for one in beside.json["changes"]] == [
        "Reward TENTH_OFF: costs 700 points instead of 600"
    ]


def test_a_copy_is_a_sandbox_with_the_same_comments(call: CommandLine, shop_url: str):
    first = call("program", "copy", "--to", "grocer-test")
    again = call("program", "copy", "--to", "grocer-test", "--program", "corner-grocer", "--json")
    onto_itself = call("program", "copy", "--to", "corner-grocer", "--program", "corner-grocer")

    told = "✓ Corner Grocer Rewards (grocer-test): version 1 is in force."
    assert first.out.splitlines()[0] == told
    assert (again.json["version"], again.json["changes"]) == (2, [])
    expected = PRESET.read_text().replace(
        'slug = "corner-grocer"', 'slug = "grocer-test"\nsandbox = true'
    )
    assert call("program", "export", "--program", "grocer-test").out == expected
    [note, _] = call("program", "history", "--program", "grocer-test", "--json").json
    assert note["note"] == "copy of corner-grocer, the newest version"
    assert "corner-grocer is real for good" in onto_itself.err
    assert (
        call("program", "history", "--program", "corner-grocer", "--json").json[0]["version"] == 1
    )


def test_a_file_is_checked_without_a_database(call: CommandLine):
    done = call("program", "check", PRESET)

    assert done.out == (
        "✓ Corner Grocer Rewards (corner-grocer): 4 benefits, 4 tiers, 2 plans, 6 rewards.\n"
    )


def test_many_faults_are_a_line_each(call: CommandLine, tmp_path: Path):
    file = changed(tmp_path, ("accept_days", "acept_days"), ("grace_days = 31", "grace_days = -1"))

    done = call("program", "check", file)

    head, *lines = done.err.splitlines()
    assert (done.code, head) == (1, "PROGRAM_FILE 2 faults; nothing was changed.")
    assert [line.removeprefix(str(file)).split(": ")[1] for line in lines] == [
        "program.acept_days",
        "tiers.grace_days",
    ]


def test_the_schema_is_what_editors_take(call: CommandLine):
    schema = call("program", "schema").json

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert list(schema["properties"])[:3] == ["program", "branding", "stores"]
    assert "branding" not in schema["$defs"]["ProgramSettings"]["properties"]
    assert "keep" not in schema["$defs"]["TierLevel"]["required"]


@pytest.mark.parametrize(
    ("case", "change", "place"),
    [
        (
            "a wrong word",
            ('currency = "USD"', 'currency = "XYZ"'),
            "program.currency: XYZ is no cur",
        ),
        ("a key nobody knows", ("accept_days", "akzept_days"), "program.akzept_days: "),
        ("no TOML", ("[program]", "[program"), "is no TOML: "),
        (
            "another currency later",
            ('currency = "USD"', 'currency = "EUR"'),
            "program.currency: cannot change from USD to EUR",
        ),
    ],
)
def test_a_file_that_cannot_be_loaded_names_the_place_and_changes_nothing(
    call: CommandLine,
    shop_url: str,
    tmp_path: Path,
    *,
    case: str,
    change: tuple[str, str],
    place: str,
):
    file = tmp_path / "club.toml"
    text = PRESET.read_text()
    assert text.count(change[0]) == 1
    file.write_text(text.replace(*change))

    done = call("program", "apply", file)

    assert (done.code, done.out) == (1, "")
    assert place in done.err
    assert done.err.count("\n") == 1
    assert versions(shop_url) == [1]
