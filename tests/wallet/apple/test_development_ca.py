"""The development CA: made once, used again, replaced when it will not do."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from loyalty_graph.errors import CertificateError
from loyalty_graph.wallet.apple.development_ca import (
    IDENTITY,
    PASS_TYPE_EXTENSION,
    Chain,
    development_root,
    development_signer,
)
from loyalty_graph.wallet.apple.signing import PassIdentity, certificate_identity
from tests.wallet.making import NOW, write_chain

FILES = ["certificate.pem", "intermediate.pem", "key.pem", "root.pem"]


def test_it_is_made_on_first_use_for_the_owner_alone(tmp_path: Path):
    folder = tmp_path / "data" / "development-ca"

    signer = development_signer(folder, now=NOW)

    assert signer.development
    assert signer.identity == IDENTITY
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert list(folder.parent.iterdir()) == [folder]


def test_it_is_used_again(chain: Chain, tmp_path: Path):
    write_chain(chain, tmp_path)

    signer = development_signer(tmp_path, now=NOW + timedelta(days=300))

    assert signer.certificate == chain.certificate
    assert development_root(tmp_path) == chain.root


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "another's"])
def test_a_damaged_one_is_replaced_whole(
    chain: Chain, other_chain: Chain, tmp_path: Path, name: str, damage: str
):
    folder = tmp_path / "ca"
    write_chain(chain, folder)
    if damage == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(other_chain.files()[name] if damage == "another's" else b"")

    signer = development_signer(folder, now=NOW)

    signer.issuer.verify_directly_issued_by(development_root(folder))
    assert signer.certificate.serial_number != chain.certificate.serial_number
    assert development_signer(folder, now=NOW).certificate == signer.certificate


@pytest.mark.parametrize(
    ("case", "days"), [("expired", 396), ("made by a clock that was ahead", -2)]
)
def test_one_that_is_not_valid_now_is_replaced(chain: Chain, tmp_path: Path, case: str, days: int):
    folder = tmp_path / "ca"
    write_chain(chain, folder)
    now = NOW + timedelta(days=days)

    signer = development_signer(folder, now=now)

    assert signer.certificate.not_valid_before_utc < now < signer.certificate.not_valid_after_utc


def test_one_for_another_identity_is_replaced(chain: Chain, tmp_path: Path):
    folder = tmp_path / "ca"
    write_chain(chain, folder)
    identity = PassIdentity("pass.com.example.shop", "ABCDE12345")

    assert development_signer(folder, identity=identity, now=NOW).identity == identity


def test_there_is_no_root_before_the_first_use(tmp_path: Path):
    with pytest.raises(CertificateError, match="cannot be read"):
        development_root(tmp_path)


def test_the_chain_is_shaped_like_apples(chain: Chain):
    certificate = chain.certificate
    marked = certificate.extensions.get_extension_for_oid(PASS_TYPE_EXTENSION).value

    certificate.verify_directly_issued_by(chain.issuer)
    chain.issuer.verify_directly_issued_by(chain.root)
    chain.root.verify_directly_issued_by(chain.root)
    assert certificate_identity(certificate) == IDENTITY
    assert isinstance(marked, x509.UnrecognizedExtension)
    assert marked.value[2:].decode() == IDENTITY.pass_type_identifier
    authorities = [
        made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        for made in (chain.root, chain.issuer, certificate)
    ]
    assert authorities == [True, True, False]


def test_one_that_another_process_made_meanwhile_is_used(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "ca"

    def quicker(*_: object, **__: object) -> Chain:
        write_chain(chain, folder)
        return chain

    monkeypatch.setattr("loyalty_graph.wallet.apple.development_ca.make_chain", quicker)

    assert development_signer(folder, now=NOW).certificate == chain.certificate


def test_a_folder_that_cannot_be_made_is_not_hidden(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OSError, match="file"):
        development_signer(tmp_path / "file" / "ca", now=NOW)
