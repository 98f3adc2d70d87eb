from pathlib import Path

import pytest
from tortoise import Model, fields

from loyalty_graph.db import opening
from tests.db.steps import first_step, second_step, third_step
from tests.db.support import initialised, tool

make_migration = tool("make_migration")


def test_the_first_step_makes_the_tables_and_keeps_the_state(tmp_path: Path):
    written = make_migration.write_migration(tmp_path, "begin", initialised(*first_step()))

    assert [path.name for path in written] == ["0001_begin.sqlite.sql", "0001_begin.postgres.sql"]
    assert written[0].read_text().startswith("-- 0001_begin: read it")
    assert 'CREATE TABLE "member" (\n    "id" CHAR(36) NOT NULL,\n' in written[0].read_text()
    assert '"id" UUID NOT NULL' in written[1].read_text()
    assert make_migration.write_migration(tmp_path, "again", initialised(*first_step())) == []
    assert len(list(tmp_path.iterdir())) == 3


def test_a_later_step_has_the_next_number(tmp_path: Path):
    make_migration.write_migration(tmp_path, "begin", initialised(*first_step()))

    written = make_migration.write_migration(tmp_path, "widen", initialised(*second_step()))

    assert [path.name for path in written] == ["0002_widen.sqlite.sql", "0002_widen.postgres.sql"]


def test_contents_are_thrown_away_only_when_told_so(tmp_path: Path):
    make_migration.write_migration(tmp_path, "begin", initialised(*second_step()))
    before = {path: path.read_text() for path in tmp_path.iterdir()}

    with pytest.raises(ValueError, match=r"throws away offer, member\.nickname, member\.ratio"):
        make_migration.write_migration(tmp_path, "shrink", initialised(*third_step()))

    assert {path: path.read_text() for path in tmp_path.iterdir()} == before
    assert make_migration.write_migration(
        tmp_path, "shrink", initialised(*third_step()), allow_loss=True
    )


def test_a_column_that_rows_cannot_fill_is_refused(tmp_path: Path):
    make_migration.write_migration(tmp_path, "begin", initialised(*third_step()))

    with pytest.raises(ValueError, match=r"value in member\.email.*db_default"):
        make_migration.write_migration(
            tmp_path, "back", initialised(*first_step()), allow_loss=True
        )

    assert len(list(tmp_path.iterdir())) == 3
    assert make_migration.write_migration(
        tmp_path, "back", initialised(*first_step()), allow_loss=True, filled=True
    )


def test_a_name_that_is_no_name_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="write it like add_member_phone"):
        make_migration.write_migration(tmp_path, "Add phone!", initialised(*first_step()))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [("add_phone", 0, "nothing to do\n"), ("Add", 1, "'Add' will not do")],
)
def test_the_command_says_what_it_did(
    name: str,
    code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr("sys.argv", ["make_migration.py", name])
    monkeypatch.setattr(make_migration, "FOLDER", tmp_path)
    monkeypatch.setattr(make_migration, "MODEL_MODULES", [])

    assert make_migration.main() == code

    assert told in "".join(capsys.readouterr())
    assert list(tmp_path.iterdir()) == []


def test_the_command_knows_our_models():
    models = make_migration.models_in(opening.MODEL_MODULES)

    assert {model.__module__ for model in models} <= set(opening.MODEL_MODULES)
    assert models


def test_a_later_step_says_whether_older_code_can_go_on(tmp_path: Path):
    member, entry, visit = first_step()

    class Stamp(Model):
        id: int = fields.BigIntField(primary_key=True)

        class Meta(Model.Meta):
            table = "stamp"

    make_migration.write_migration(tmp_path, "begin", initialised(member, entry, visit))
    more = initialised(member, entry, visit, Stamp)
    added = make_migration.write_migration(tmp_path, "add_stamp", more)
    changed = make_migration.write_migration(tmp_path, "widen", initialised(*second_step(), Stamp))

    assert all("\n-- phase: expand\n" in path.read_text() for path in added)
    assert all("\n-- phase: contract\n" in path.read_text() for path in changed)
