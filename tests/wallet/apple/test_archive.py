"""Pass files are zips of equal bytes for equal cards."""

import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from loyalty_graph.wallet.apple.archive import PassArchive
from loyalty_graph.wallet.apple.checking import verify_pass_file
from loyalty_graph.wallet.apple.development_ca import IDENTITY, Chain, make_chain
from loyalty_graph.wallet.apple.signing import Signer
from tests.wallet.making import NOW, make_signer

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl program is not here"
)
FILES = {"logo.png": b"second", "icon.png": b"first"}


def test_the_archive_holds_the_files_and_the_three_made_for_this_pass(signer: Signer):
    data = PassArchive(FILES, signer).build({"a": "ä"}, now=NOW)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "icon.png",
            "logo.png",
            "pass.json",
            "manifest.json",
            "signature",
        ]
        assert archive.read("icon.png") == b"first"
        assert json.loads(archive.read("pass.json")) == {"a": "ä"}
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest == {
        "icon.png": hashlib.sha1(b"first", usedforsecurity=False).hexdigest(),
        "logo.png": hashlib.sha1(b"second", usedforsecurity=False).hexdigest(),
        "pass.json": hashlib.sha1('{"a":"ä"}'.encode(), usedforsecurity=False).hexdigest(),
    }


def test_equal_cards_at_one_second_are_equal_bytes(signer: Signer):
    card = {"serialNumber": "1"}

    first = PassArchive(FILES, signer).build(card, now=NOW)
    again = PassArchive(dict(reversed(FILES.items())), signer).build(card, now=NOW)
    later = PassArchive(FILES, signer).build(card, now=NOW + timedelta(seconds=1))

    assert first == again
    assert first != later


@pytest.mark.parametrize(
    "files",
    [
        {},
        {f"{number:03}.png": bytes([number % 256]) * number for number in range(300)},
        {"Käse.png": b"x", 'quote".png': b"y"},
    ],
    ids=["none", "many", "odd names"],
)
def test_any_number_of_files_is_packed(signer: Signer, files: dict[str, bytes]):
    data = PassArchive(files, signer).build({}, now=NOW)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in files} == files
        assert set(json.loads(archive.read("manifest.json"))) == {*files, "pass.json"}


@needs_openssl
@pytest.mark.parametrize("program", ["smime", "cms"])
@pytest.mark.parametrize("key_bits", [2048, 4096])
def test_the_openssl_program_accepts_the_signature(tmp_path: Path, program: str, key_bits: int):
    chain = make_chain(IDENTITY, now=NOW, key_bits=key_bits)
    unpack(PassArchive(FILES, make_signer(chain)).build({"a": "b"}, now=NOW), chain, tmp_path)

    done = openssl_verify(program, tmp_path)

    assert done.returncode == 0, done.stderr
    assert "successful" in done.stderr


@needs_openssl
@pytest.mark.parametrize("program", ["smime", "cms"])
def test_the_openssl_program_refuses_another_manifest(
    chain: Chain, signer: Signer, tmp_path: Path, program: str
):
    unpack(PassArchive(FILES, signer).build({"a": "b"}, now=NOW), chain, tmp_path)
    with (tmp_path / "manifest.json").open("ab") as manifest:
        manifest.write(b" ")

    done = openssl_verify(program, tmp_path)

    assert done.returncode != 0


@needs_openssl
def test_the_whole_card_is_accepted_by_both_checkers(
    chain: Chain, pass_file: bytes, tmp_path: Path
):
    unpack(pass_file, chain, tmp_path)

    ours = verify_pass_file(pass_file, trusted_root=chain.root, now=NOW)
    theirs = openssl_verify("cms", tmp_path)

    assert ours.failures == ()
    assert theirs.returncode == 0, theirs.stderr


def unpack(data: bytes, chain: Chain, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
    (folder / "root.pem").write_bytes(chain.files()["root.pem"])


def openssl_verify(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "openssl",
            program,
            "-verify",
            "-binary",
            "-inform",
            "DER",
            "-in",
            "signature",
            "-content",
            "manifest.json",
            "-CAfile",
            "root.pem",
            "-purpose",
            "any",
            "-attime",
            str(int(NOW.timestamp())),
            "-out",
            "/dev/null",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
