"""The JSON Schema of programme files, by which editors check them."""

import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from loyalty_graph.usecases.program_file import ProgramFile
from loyalty_graph.usecases.program_schema import json_schema
from tools import program_reference

PRESETS = sorted((Path(__file__).parents[2] / "presets").glob("*.toml"))


def faults(data: Any) -> list[str]:
    """Return what an editor would mark; days and times are texts to it."""
    shown = orjson.loads(orjson.dumps(data))
    found = jsonschema_rs.validator_for(json_schema(ProgramFile)).iter_errors(shown)
    return [".".join(map(str, one.instance_path)) for one in found]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_editors_find_nothing_wrong_with_a_preset(path: Path):
    assert faults(tomllib.loads(path.read_text())) == []


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ({"segments": [{"when": {"member": {"purchase_cout": 3}}}]}, "segments.0.when.member"),
        ({"earning": {"rules": [{"when": {"purchas": {}}}]}}, "earning.rules.0.when"),
        ({"earning": {"rules": [{"lines": {"product": "A"}}]}}, "earning.rules.0.lines"),
        ({"rewards": [{"when": {"tier": {"rank": "GOLD"}}}]}, "rewards.0.when"),
    ],
    ids=str,
)
def test_editors_mark_what_is_wrong_in_a_condition(part: dict[str, Any], place: str):
    data = tomllib.loads(PRESETS[0].read_text())

    assert place in faults({**data, **part})


def test_every_setting_is_described():
    schema = json_schema(ProgramFile)
    parts = {"ProgramFile": schema, **schema["$defs"]}

    silent = [
        f"{kind}.{name}"
        for kind, part in parts.items()
        if "Condition" not in kind
        for name, setting in part.get("properties", {}).items()
        if "description" not in setting
    ]

    assert silent == [], "program_descriptions.py says what each setting means"


def test_the_committed_reference_is_the_one_the_code_makes():
    assert program_reference.main(["--check"]) == 0, "run make schema"
