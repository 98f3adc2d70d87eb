"""What others wrote is what they published, and says whose it is."""

import hashlib
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [
    ROOT / "src" / "loyalty_graph" / "web" / "static" / "graphiql",
    ROOT / "tests" / "web" / "vendored",
]
OURS = {"start.js", "page.css", "vendored.toml"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_vendored_files_are_byte_for_byte_what_was_published(folder: Path):
    listed = tomllib.loads((folder / "vendored.toml").read_text())["files"]

    for one in listed:
        assert hashlib.sha256((folder / one["file"]).read_bytes()).hexdigest() == one["sha256"]
        assert one["version"]
        assert one["licence"] in {"MIT", "MPL-2.0"}
    there = {path.name for path in folder.iterdir() if not path.name.startswith("LICENSE")}
    assert there - OURS == {one["file"] for one in listed}
    assert list(folder.glob("LICENSE*"))
