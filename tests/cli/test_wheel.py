"""The wheel carries everything: installed away from the clone, the demo runs from it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKED = ("src", "presets", "passes", "schema.graphql", "pyproject.toml", "README.md", "LICENSE")
NEEDED = (
    "presets/corner-grocer.toml",
    "presets/stories/corner-grocer.toml",
    "presets/demo/complete-journey.txt.xz",
    "passes/templates/store-card/pass.json",
    "schema.graphql",
)


def run(*words: str | Path, cwd: Path, **settings: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**environment, **settings},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the package as the wheel has it, built from a copy of the tree."""
    tree, wheels, target = tmp_path / "tree", tmp_path / "wheels", tmp_path / "installed"
    tree.mkdir()
    for name in PACKED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    run("-m", "hatchling", "build", "-t", "wheel", "-d", wheels, cwd=tree)
    [wheel] = wheels.glob("loyalty_graph-*.whl")
    # A wheel is a zip; what an installer would do beside unpacking is the console script.
    shutil.unpack_archive(wheel, target, "zip")
    shutil.rmtree(tree)
    return target


@pytest.mark.slow
@pytest.mark.sqlite
def test_the_demo_runs_from_the_wheel_alone(installed: Path, tmp_path: Path):
    where = "import loyalty_graph.config as c; print(c.PACKAGE); print(c.bundled('presets'))"
    settings = {"PYTHONPATH": str(installed), "LOYALTY_DATA_DIR": str(tmp_path / "data")}

    package, presets = run("-c", where, cwd=tmp_path, **settings).splitlines()
    report = run(
        *("-m", "loyalty_graph", "demo", "--once", "--json"),
        *("--households", "3", "--today", "2026-11-22"),
        cwd=tmp_path,
        **settings,
    )
    schema = run("-m", "loyalty_graph", "schema", "print", cwd=tmp_path, **settings)

    assert Path(package) == installed / "loyalty_graph"
    assert Path(presets) == installed / "loyalty_graph" / "_bundled" / "presets"
    for name in NEEDED:
        assert (installed / "loyalty_graph" / "_bundled" / name).is_file(), name
    assert json.loads(report)["members"] == json.loads(report)["passes_issued"] == 3
    assert "type Query {" in schema
    entry_points = next(installed.glob("*.dist-info")) / "entry_points.txt"
    assert "loyalty-graph = loyalty_graph.__main__:main" in entry_points.read_text()
