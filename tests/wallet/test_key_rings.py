"""Keys in files: taken up while processes run, never lost by one, and never shown."""

import stat
from pathlib import Path

import pytest

from loyalty_graph.errors import SettingsError
from loyalty_graph.wallet.key_rings import KeyRing, add_key, read_keys


def test_keys_are_files_of_their_owner_s_oldest_first(tmp_path: Path):
    folder = tmp_path / "pass-keys"

    made = [add_key(folder) for _ in range(3)]

    assert [one.path.name for one in made] == ["0001.key", "0002.key", "0003.key"]
    assert read_keys(folder) == made
    assert len({one.secret for one in made}) == 3
    assert {len(one.secret) for one in made} == {64}
    assert {stat.S_IMODE(one.path.stat().st_mode) for one in made} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert made[0].secret.decode() not in repr(made[0])


def test_a_new_key_is_taken_up_once(tmp_path: Path):
    ring = KeyRing(tmp_path / "keys")
    before = ring.keys, ring.look()
    made = add_key(tmp_path / "keys")

    looks = [ring.look(), ring.look()]

    assert before == ([], False)
    assert looks == [True, False]
    assert ring.keys == [made]


def test_what_vanishes_is_told_of_and_stays_known(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    made = add_key(tmp_path)
    ring = KeyRing(tmp_path)
    made.path.unlink()

    looks = [ring.look(), ring.look()]

    assert looks == [False, False]
    assert ring.keys == [made]
    assert caplog.messages == [f"Keys have vanished from {tmp_path}; put them back."]


def test_what_is_no_key_is_named_without_what_it_holds(tmp_path: Path):
    (tmp_path / "0001.key").write_text("hush")
    with pytest.raises(SettingsError, match=r"0001\.key: a key has at least 32") as short:
        KeyRing(tmp_path)
    (tmp_path / "0001.key").unlink()
    (tmp_path / "0001.key").mkdir()

    with pytest.raises(SettingsError, match="no key can be read from it"):
        read_keys(tmp_path)

    assert "hush" not in short.value.message


def test_where_no_key_can_be_written_is_said(tmp_path: Path):
    (tmp_path / "keys").write_text("in the way")
    (tmp_path / "keys").chmod(0o600)

    with pytest.raises(SettingsError, match="deeper: no key can be written: Not a directory"):
        add_key(tmp_path / "keys" / "deeper")
