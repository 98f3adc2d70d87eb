"""The command that lists the programmes to begin with."""

from pathlib import Path

from loyalty_graph.sandbox.presets import presets
from tests.cli.conftest import CommandLine


def test_each_preset_is_listed_with_what_makes_it_and_where_it_is(call: CommandLine):
    done = call("program", "presets")

    assert done.code == 0
    assert done.out.count("\n") == 2 * len(presets())
    says = "Corner Grocer Rewards: the points programme of a grocer, and the one the demo replays."
    [line] = [one for one in done.out.splitlines() if one.startswith("corner-grocer ")]
    assert line.split(maxsplit=1) == ["corner-grocer", says]


def test_as_json_each_has_a_path_that_can_be_applied(call: CommandLine, database_url: str):
    done = call("program", "presets", "--json")

    assert list(done.json) == sorted(presets())
    path = done.json["notes-vouchers"]["path"]
    assert Path(path).is_file()
    applied = call("program", "apply", path, "--database", database_url)
    assert applied.out.startswith("✓ Points and Notes (notes-vouchers): version 1 is in force.\n")
