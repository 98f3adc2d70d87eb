"""Certificates as Apple issues them, by keys of our own, for tests."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from loyalty_graph.wallet.apple.certificates import APPLE, AUTHORITY, ROOT
from loyalty_graph.wallet.apple.signing import PassIdentity
from tests.wallet.making import NOW

CARD = PassIdentity("pass.com.example.card", "ABCDE12345")
DAY = timedelta(days=1)
YEARS = 3650 * DAY


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """Return a key, made once for each name: that takes a moment."""
    return rsa.generate_private_key(65537, 2048)


def named(common_name: str, *, unit: str = "", organization: str = "", user: str = "") -> x509.Name:
    parts = (
        (NameOID.USER_ID, user),
        (NameOID.COMMON_NAME, common_name),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        (NameOID.ORGANIZATION_NAME, organization),
    )
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts if text])


def certificate(
    name: x509.Name, of: str, issuer: x509.Name, by: str, valid: tuple[datetime, timedelta]
) -> x509.Certificate:
    begins, life = valid
    is_ca = by == "root"
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key(of).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + life)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .sign(key(by), hashes.SHA256())
    )


@dataclass(frozen=True)
class Authority:
    """An intermediate authority, named as Apple's unless said otherwise."""

    common_name: str = AUTHORITY
    unit: str = "G4"
    organization: str = APPLE
    root: str = ROOT
    signs_with: str = "authority"

    @property
    def name(self) -> x509.Name:
        return named(self.common_name, unit=self.unit, organization=self.organization)

    def certificate(self) -> x509.Certificate:
        root = named(self.root, organization=self.organization)
        return certificate(self.name, self.signs_with, root, "root", (NOW - YEARS / 2, YEARS))

    def issue(
        self,
        identity: PassIdentity = CARD,
        *,
        begins: datetime = NOW - DAY,
        life: timedelta = 396 * DAY,
        of: str = "pass",
    ) -> x509.Certificate:
        kind, team = identity.pass_type_identifier, identity.team_identifier
        subject = named(f"Pass Type ID: {kind}", unit=team, user=kind)
        return certificate(subject, of, self.name, self.signs_with, (begins, life))


APPLES = Authority()


def locked(password: str | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(password.encode()) if password else NoEncryption()


def key_pem(of: str = "pass", *, password: str | None = None) -> bytes:
    return key(of).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked(password))


def pem(one: x509.Certificate) -> bytes:
    return one.public_bytes(Encoding.PEM)


def put_issuer(folder: Path, authority: Authority = APPLES) -> None:
    """Put the authority's certificate into a folder as Apple hands it out."""
    folder.mkdir(exist_ok=True)
    (folder / "AppleWWDRCAG4.cer").write_bytes(authority.certificate().public_bytes(Encoding.DER))


def put_pair(
    folder: Path, name: str, one: x509.Certificate, *, of: str = "pass", password: str | None = None
) -> Path:
    """Put a certificate and its key into a folder as two PEM files."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.pem").write_bytes(pem(one))
    (folder / f"{name}.key").write_bytes(key_pem(of, password=password))
    return folder / f"{name}.pem"


def put_bundle(
    folder: Path,
    name: str,
    one: x509.Certificate,
    *,
    password: str | None = None,
    others: tuple[x509.Certificate, ...] = (),
) -> Path:
    """Put a certificate and its key into a folder as a .p12 file, as Keychain exports them."""
    folder.mkdir(exist_ok=True)
    data = pkcs12.serialize_key_and_certificates(
        b"Pass", key("pass"), one, list(others), locked(password)
    )
    (folder / f"{name}.p12").write_bytes(data)
    return folder / f"{name}.p12"
