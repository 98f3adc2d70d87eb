"""Signing as one pass certificate, and refusing material that does not fit."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from loyalty_graph.errors import CertificateError
from loyalty_graph.wallet.apple import cms, der
from loyalty_graph.wallet.apple.development_ca import IDENTITY, Chain, make_chain
from loyalty_graph.wallet.apple.signing import CmsSkeleton, PassIdentity, Signer, load_signer
from tests.wallet.making import NOW, make_signer, write_chain

PASSWORD = "correct horse"


def encrypted_key(chain: Chain) -> bytes:
    protection = BestAvailableEncryption(PASSWORD.encode())
    return chain.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def test_material_that_fits_makes_a_signer(chain: Chain, tmp_path: Path):
    files = write_chain(chain, tmp_path)

    signer = load_signer(files, expected=IDENTITY, now=NOW)

    assert signer.identity == IDENTITY
    assert signer.development
    assert signer.expires_at == chain.certificate.not_valid_after_utc


def test_certificates_may_be_der_as_apple_hands_them_out(chain: Chain, tmp_path: Path):
    files = write_chain(chain, tmp_path)
    files.issuer.write_bytes(chain.issuer.public_bytes(Encoding.DER))

    assert load_signer(files, now=NOW).issuer == chain.issuer


def test_a_key_with_a_password_is_opened_with_it(chain: Chain, tmp_path: Path):
    files = write_chain(chain, tmp_path)
    files.key.write_bytes(encrypted_key(chain))

    signer = load_signer(replace(files, key_password=PASSWORD), now=NOW)

    assert signer.certificate == chain.certificate


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        (None, "the key needs its password"),
        ("guess", "this is not a private key in PEM, or the password is wrong"),
    ],
)
def test_a_wrong_password_is_named_without_telling_it(
    chain: Chain, tmp_path: Path, password: str | None, complaint: str
):
    files = replace(write_chain(chain, tmp_path), key_password=password)
    files.key.write_bytes(encrypted_key(chain))

    with pytest.raises(CertificateError) as refused:
        load_signer(files, now=NOW)

    assert str(refused.value) == f"{files.key}: {complaint}."
    assert "guess" not in str(refused.value)
    assert "guess" not in repr(files)


def test_a_password_for_an_open_key_is_refused(chain: Chain, tmp_path: Path):
    files = replace(write_chain(chain, tmp_path), key_password=PASSWORD)

    with pytest.raises(CertificateError, match="the key has no password, but one is set"):
        load_signer(files, now=NOW)


@pytest.mark.parametrize("name", ["certificate", "key", "issuer"])
def test_a_missing_file_is_named(chain: Chain, tmp_path: Path, name: str):
    files = write_chain(chain, tmp_path)
    path: Path = getattr(files, name)
    path.unlink()

    with pytest.raises(CertificateError) as refused:
        load_signer(files, now=NOW)

    assert str(refused.value) == f"{path}: cannot be read (No such file or directory)."


@pytest.mark.parametrize("name", ["certificate", "key", "issuer"])
@pytest.mark.parametrize("content", [b"", b"\x30\x80", b"-----BEGIN CERTIFICATE-----\nnonsense"])
def test_a_damaged_file_is_named(chain: Chain, tmp_path: Path, name: str, content: bytes):
    files = write_chain(chain, tmp_path)
    path: Path = getattr(files, name)
    path.write_bytes(content)

    with pytest.raises(CertificateError) as refused:
        load_signer(files, now=NOW)

    assert str(refused.value).startswith(f"{path}: this is not a ")


def test_a_key_of_another_kind_is_refused(chain: Chain, tmp_path: Path):
    files = write_chain(chain, tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    with pytest.raises(CertificateError, match="passes need an RSA key"):
        load_signer(files, now=NOW)


def test_the_key_of_another_certificate_is_refused(
    chain: Chain, other_chain: Chain, tmp_path: Path
):
    files = write_chain(chain, tmp_path)
    files.key.write_bytes(other_chain.files()["key.pem"])

    with pytest.raises(CertificateError) as refused:
        load_signer(files, now=NOW)

    expected = f"{files.key}: this is not the key of the certificate {files.certificate}."
    assert str(refused.value) == expected


def test_an_issuer_of_another_name_is_refused(chain: Chain, tmp_path: Path):
    files = write_chain(chain, tmp_path)
    files.issuer.write_bytes(chain.files()["root.pem"])

    with pytest.raises(CertificateError, match="but this is Loyalty Graph Development Root CA"):
        load_signer(files, now=NOW)


def test_another_generation_of_the_issuer_is_refused(
    chain: Chain, other_chain: Chain, tmp_path: Path
):
    files = write_chain(chain, tmp_path)
    files.issuer.write_bytes(other_chain.files()["intermediate.pem"])

    with pytest.raises(CertificateError, match="an issuer may have several generations"):
        load_signer(files, now=NOW)


@pytest.mark.parametrize(
    ("case", "now", "complaint"),
    [
        (
            "the certificate ends",
            NOW + timedelta(days=396),
            "the certificate expired on 2027-12-22",
        ),
        ("not begun", NOW - timedelta(days=2), "the certificate is not valid before 2026-11-21"),
    ],
)
def test_a_certificate_that_is_not_valid_now_is_refused(
    chain: Chain, tmp_path: Path, case: str, now: datetime, complaint: str
):
    files = write_chain(chain, tmp_path)

    with pytest.raises(CertificateError) as refused:
        load_signer(files, now=now)

    assert str(refused.value) == f"{files.certificate}: {complaint}."


@pytest.mark.parametrize(
    ("case", "expected", "complaint"),
    [
        (
            "pass type",
            PassIdentity("pass.com.example.shop", IDENTITY.team_identifier),
            "is for the pass type pass.dev.loyalty-graph.card, not pass.com.example.shop",
        ),
        (
            "team",
            PassIdentity(IDENTITY.pass_type_identifier, "ABCDE12345"),
            "belongs to the team DEVTEAM001, not ABCDE12345",
        ),
    ],
)
def test_a_certificate_for_someone_else_is_refused(
    chain: Chain, tmp_path: Path, case: str, expected: PassIdentity, complaint: str
):
    files = write_chain(chain, tmp_path)

    with pytest.raises(CertificateError, match=complaint):
        load_signer(files, expected=expected, now=NOW)


def test_a_certificate_that_is_for_no_pass_type_is_refused(chain: Chain, tmp_path: Path):
    nameless = make_chain(PassIdentity("", ""), now=NOW)
    files = write_chain(nameless, tmp_path)

    with pytest.raises(CertificateError, match="this is not a pass certificate"):
        load_signer(files, now=NOW)


@pytest.mark.parametrize(
    ("case", "instant", "encoded"),
    [
        ("an ordinary day", NOW, b"261122123005Z"),
        ("less than a second is cut off", NOW.replace(microsecond=999_999), b"261122123005Z"),
        (
            "any zone is told in UTC",
            datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            b"261231230000Z",
        ),
        ("the first", datetime(1950, 1, 1, tzinfo=UTC), b"500101000000Z"),
        ("before the pivot", datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), b"991231235959Z"),
        ("after the pivot", datetime(2000, 1, 1, tzinfo=UTC), b"000101000000Z"),
        ("the last", datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), b"491231235959Z"),
    ],
)
def test_the_signing_time_is_written_as_utc_time(
    signer: Signer, case: str, instant: datetime, encoded: bytes
):
    signature = cms.parse(signer.sign(b"{}", now=instant))

    assert signature.attribute(cms.SIGNING_TIME, der.UTC_TIME).content == encoded
    assert signature.signed_at() == instant.replace(microsecond=0)


@pytest.mark.parametrize("year", [1949, 2050])
def test_years_that_utc_time_cannot_tell_are_refused(signer: Signer, year: int):
    with pytest.raises(CertificateError, match=f"in the year {year}"):
        signer.sign(b"{}", now=datetime(year, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize("key_bits", [1024, 2048, 3072, 4096])
def test_the_skeleton_holds_for_any_key_size(key_bits: int):
    made = make_chain(IDENTITY, now=NOW, key_bits=key_bits)
    content = b'{"icon.png":"00"}\n'

    signature = cms.parse(make_signer(made).sign(content, now=NOW))

    signature.verify_attributes(made.certificate)
    assert len(signature.value.content) == key_bits // 8
    digest = signature.attribute(cms.MESSAGE_DIGEST, der.OCTET_STRING).content
    assert digest == hashlib.sha256(content).digest()
    assert set(signature.certificates) == {made.certificate, made.issuer}
    assert signature.detached


def test_one_skeleton_signs_many_contents_independently(chain: Chain):
    skeleton = CmsSkeleton(chain.certificate, chain.key, chain.issuer)

    first = skeleton.sign(b"one", now=NOW)
    second = skeleton.sign(b"two", now=NOW)

    assert first != second
    assert skeleton.sign(b"one", now=NOW) == first
    for signature in map(cms.parse, (first, second)):
        signature.verify_attributes(chain.certificate)
