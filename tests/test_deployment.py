"""What is deployed: linted as those who run it read it, and in words that our commands know."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from loyalty_graph.cli import app
from loyalty_graph.config import ENV_PREFIX, Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
BIN = Path(sys.executable).parent
UNITS = sorted(DEPLOY.glob("*.service"))
COMPOSE = DEPLOY / "compose.yaml"
OF_COMPOSE = {"LOYALTY_DATABASE_PASSWORD"}
"""A part of the database's URL there, and no setting of ours."""


def linted(*words: object) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_the_dockerfile_has_no_fault():
    assert linted(BIN / "hadolint", DEPLOY / "Dockerfile") == ""


def test_the_compose_file_is_one():
    schema = ("--builtin-schema", "vendor.compose-spec")
    assert linted(BIN / "check-jsonschema", *schema, COMPOSE) == ""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_units_are_understood_by_systemd(unit: Path, tmp_path: Path):
    # It asks whether the program is there, which it is only where it was installed.
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/opt/loyalty-graph/bin/loyalty-graph", "/bin/true"))

    assert linted("systemd-analyze", "verify", here) == ""


def commands() -> list[list[str]]:
    services = yaml.safe_load(COMPOSE.read_text())["services"].values()
    composed = [one["command"] for one in services if one.get("image") == "loyalty-graph"]
    started = [re.search(r"^ExecStart=\S+ (.+)$", unit.read_text(), re.MULTILINE) for unit in UNITS]
    return [*composed, *(found[1].split() for found in started if found)]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_what_is_started_is_a_command_of_ours(words: list[str]):
    name, *options = words

    root = typer.main.get_group(app)
    command = root.get_command(typer.Context(root), name)
    known = {option for parameter in command.params for option in parameter.opts}

    assert {one for one in options if one.startswith("--")} <= known


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_every_setting_is_one_of_ours(path: Path):
    named = set(re.findall(rf"\b{ENV_PREFIX}[A-Z_]+\b", path.read_text()))

    ours = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert named <= ours | OF_COMPOSE
