"""Which key signs, which are known, and what is no key."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from loyalty_graph.config import Settings
from loyalty_graph.errors import SettingsError
from loyalty_graph.ledger.checkpoint_keys import (
    key_folder,
    known_keys,
    public_part,
    replace_key,
    signing_key,
)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_the_first_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path):
    folder = tmp_path / "keys"

    first, again = signing_key(folder), signing_key(folder)

    assert public_part(first) == public_part(again)
    assert known_keys(folder) == {public_part(first)}
    assert [path.name for path in folder.iterdir()] == ["0001.pem"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "0001.pem").stat().st_mode & 0o777 == 0o600


def test_of_a_key_that_was_replaced_the_public_part_is_kept(tmp_path: Path):
    old = signing_key(tmp_path)

    new = replace_key(tmp_path)

    assert public_part(new) == public_part(signing_key(tmp_path)) != public_part(old)
    assert known_keys(tmp_path) == {public_part(old), public_part(new)}
    assert b"PRIVATE" not in (tmp_path / "0001.pem").read_bytes()
    assert sorted(content(tmp_path)) == ["0001.pem", "0002.pem"]


def test_where_only_public_keys_are_left_the_next_one_signs(tmp_path: Path):
    old = signing_key(tmp_path)
    (tmp_path / "0001.pem").write_bytes(
        old.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )

    new = replace_key(tmp_path)

    assert public_part(signing_key(tmp_path)) == public_part(new)
    assert known_keys(tmp_path) == {public_part(old), public_part(new)}


def test_there_is_nothing_to_replace_before_the_first(tmp_path: Path):
    with pytest.raises(SettingsError, match="there is no key yet"):
        replace_key(tmp_path)

    assert content(tmp_path) == {}


def test_keys_are_in_the_data_folder_unless_a_folder_is_set(tmp_path: Path):
    other = tmp_path / "other"

    assert key_folder(Settings(data_dir=tmp_path)) == tmp_path / "checkpoint-keys"
    assert key_folder(Settings(data_dir=tmp_path, checkpoint_keys=other)) == other


def test_who_only_has_the_public_part_cannot_sign(tmp_path: Path):
    signing_key(tmp_path)
    replace_key(tmp_path)
    (tmp_path / "0002.pem").unlink()
    before = content(tmp_path)

    with pytest.raises(SettingsError, match="has to be a private one"):
        signing_key(tmp_path)

    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("case", "pem", "message"),
    [
        ("no PEM", b"hello", "no key can be read"),
        ("half a key", b"-----BEGIN PRIVATE KEY-----\nMC4C", "no key can be read"),
        (
            "another kind",
            generate_private_key(SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "a key of Ed25519 is needed",
        ),
    ],
)
def test_what_is_no_key_is_refused(tmp_path: Path, case: str, pem: bytes, message: str):
    (tmp_path / "0001.pem").write_bytes(pem)

    for ask in (signing_key, known_keys, replace_key):
        with pytest.raises(SettingsError, match=message):
            ask(tmp_path)

    assert content(tmp_path) == {"0001.pem": pem}


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match="no key can be written: "):
        signing_key(tmp_path / "file" / "keys")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]
