"""What breaks clients is refused, unless the changelog says so."""

import subprocess
from pathlib import Path

import pytest

from tools import schema_changes

CUP = """type Query { cup: Cup } enum Size { S L }
type Cup { name: String! colour: String! size: Int age: Int }"""
BREAK = "Field Cup.size was removed."


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("size: Int", "size: Int handle: Boolean", []),
        (
            "colour: String!",
            "colour: Size!",
            ["Field Cup.colour changed type from String! to Size!."],
        ),
        ("size: Int", "", [BREAK]),
        ("S L", "S", ["Enum value Size.L was removed."]),
        ("enum Size { S L }", "", ["Size was removed."]),
        ("cup: Cup", "cup(id: ID!): Cup", ["A required argument Query.cup(id:) was added."]),
    ],
)
def test_what_breaks_clients_is_found(old: str, new: str, found: list[str]):
    assert schema_changes.breaks(CUP, CUP.replace(old, new)) == found


@pytest.mark.parametrize(
    ("changelog", "left"),
    [
        ("## Unreleased\n\n- Breaking: `Cup.size` is gone.\n", []),
        ("## Unreleased\n\n- Cups.\n- Breaking: everything about\n  `Cup.size` is gone.\n", []),
        ("## Unreleased\n\n- `Cup.size` is gone.\n", [BREAK]),
        ("## Unreleased\n\n- Breaking: `Cup.colour` is gone.\n", [BREAK]),
        ("## Unreleased\n\n- More.\n\n## 1.0.0\n\n- Breaking: `Cup.size` is gone.\n", [BREAK]),
    ],
)
def test_a_break_is_marked_by_naming_its_place_under_unreleased(changelog: str, left: list[str]):
    assert schema_changes.unmarked([BREAK], changelog) == left


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    commit(tmp_path, "first")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, text: str) -> None:
    (folder / "schema.graphql").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", text)


def test_before_the_first_release_the_last_commit_counts(clone: Path):
    (clone / "schema.graphql").write_text("changed")

    assert schema_changes.promised(clone) == "first"


def test_the_newest_release_counts_whatever_was_committed_since(clone: Path):
    git(clone, "tag", "v0.1.0")
    commit(clone, "second")
    git(clone, "tag", "another-kind")

    assert schema_changes.promised(clone) == "first"


def test_outside_a_clone_nothing_is_promised(tmp_path: Path):
    assert schema_changes.promised(tmp_path / "nowhere") is None


def test_an_unmarked_break_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(schema_changes, "breaks", lambda _before, _after: [BREAK])
    monkeypatch.setattr(schema_changes, "promised", lambda _root: CUP)

    assert schema_changes.main() == 1

    told = capsys.readouterr().out
    assert told.startswith(f"schema: breaks clients: {BREAK}\n")
    assert "- Breaking: `Type.field`" in told


def test_where_nothing_is_promised_nothing_is_broken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schema_changes, "promised", lambda _root: None)

    assert schema_changes.main() == 0
