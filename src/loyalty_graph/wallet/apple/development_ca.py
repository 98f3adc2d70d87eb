"""Makes a certificate authority for development: passes can be built and checked without Apple.

The chain is shaped like Apple's (root, intermediate, pass certificate with the pass type in UID and
extension and the team in OU). Phones do not trust it, and every certificate says what it is.
"""

import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from loyalty_graph.errors import CertificateError
from loyalty_graph.wallet.apple.signing import (
    DEVELOPMENT_ORGANIZATION,
    PassIdentity,
    Signer,
    SigningFiles,
    load_signer,
    read_certificate,
)

IDENTITY = PassIdentity("pass.dev.loyalty-graph.card", "DEVTEAM001")
DEVELOPMENT_FOLDER = "development-ca"
"""Its place in the data folder."""
ROOT_FILE, ISSUER_FILE, CERTIFICATE_FILE = "root.pem", "intermediate.pem", "certificate.pem"
KEY_FILE = "key.pem"
KEY_BITS = 2048
PUBLIC_EXPONENT = 65537
ROOT_DAYS, ISSUER_DAYS, CERTIFICATE_DAYS = 3650, 1825, 396
PASS_SIGNING = ObjectIdentifier("1.2.840.113635.100.4.14")
PASS_TYPE_EXTENSION = ObjectIdentifier("1.2.840.113635.100.6.1.16")
UTF8_STRING = 0x0C


@dataclass(frozen=True, slots=True)
class Chain:
    """Root, intermediate and pass certificate, with the only key that is kept."""

    root: x509.Certificate
    issuer: x509.Certificate
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    def files(self) -> dict[str, bytes]:
        """Return name and PEM content of each file."""
        return {
            ROOT_FILE: self.root.public_bytes(Encoding.PEM),
            ISSUER_FILE: self.issuer.public_bytes(Encoding.PEM),
            CERTIFICATE_FILE: self.certificate.public_bytes(Encoding.PEM),
            KEY_FILE: self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        }


@dataclass(frozen=True, slots=True)
class Party:
    """Who issues certificates: a name and the key it signs with."""

    name: x509.Name
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def development_signer(folder: Path, *, identity: PassIdentity = IDENTITY, now: datetime) -> Signer:
    """Return the signer of the development CA in `folder`, making a new CA where none is usable.

    A CA that is missing, damaged, of another identity or not valid at `now` is replaced whole.
    Files are made with mode 0600, the folder with 0700; the CA keys are never written.
    """
    try:
        return _load(folder, identity=identity, now=now)
    except CertificateError:
        chain = make_chain(identity, now=now)
    try:
        # Making keys takes a moment; another process that was quicker is not overruled.
        return _load(folder, identity=identity, now=now)
    except CertificateError:
        _replace(folder, chain)
    return _load(folder, identity=identity, now=now)


def development_root(folder: Path) -> x509.Certificate:
    """Return the root certificate of the development CA in `folder`.

    Raises:
        CertificateError: no CA was made there.
    """
    return read_certificate(folder / ROOT_FILE)


def make_chain(identity: PassIdentity, *, now: datetime, key_bits: int = KEY_BITS) -> Chain:
    """Make new keys and certificates, valid from the day before `now`; nothing is written.

    `key_bits` is the size of the pass certificate's key.
    """
    root = Party(_name(f"{DEVELOPMENT_ORGANIZATION} Root CA"), _new_key(KEY_BITS))
    issuer = Party(
        _name(f"{DEVELOPMENT_ORGANIZATION} Worldwide Developer Relations CA", unit="G4"),
        _new_key(KEY_BITS),
    )
    key = _new_key(key_bits)
    return Chain(
        root=authority(root, signed_by=root, days=ROOT_DAYS, now=now),
        issuer=authority(issuer, signed_by=root, days=ISSUER_DAYS, now=now),
        certificate=_pass_certificate(identity, key, signed_by=issuer, now=now),
        key=key,
    )


def _load(folder: Path, *, identity: PassIdentity, now: datetime) -> Signer:
    files = SigningFiles(folder / CERTIFICATE_FILE, folder / KEY_FILE, folder / ISSUER_FILE)
    signer = load_signer(files, expected=identity, is_own_key=True, now=now)
    root = development_root(folder)
    try:
        signer.issuer.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError):
        fault = f"{folder / ROOT_FILE}: this root does not fit the chain."
        raise CertificateError(fault) from None
    return signer


def _replace(folder: Path, chain: Chain) -> None:
    """Put a complete folder in place by renaming, so that no reader sees half a CA."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir(mode=0o700)
        for name, content in chain.files().items():
            _write_private(made / name, content)
        if folder.exists():
            folder.rename(Path(scratch) / "replaced")
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():
                raise


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _new_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(PUBLIC_EXPONENT, bits)


def _name(common_name: str, *, unit: str | None = None, user: str | None = None) -> x509.Name:
    parts = {
        NameOID.USER_ID: user,
        NameOID.COMMON_NAME: common_name,
        NameOID.ORGANIZATIONAL_UNIT_NAME: unit,
        NameOID.ORGANIZATION_NAME: DEVELOPMENT_ORGANIZATION,
    }
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts.items() if text])


def authority(party: Party, *, signed_by: Party, days: int, now: datetime) -> x509.Certificate:
    """Return the certificate of one that issues others."""
    return (
        certificate_builder(
            party.name, party.key.public_key(), signed_by=signed_by, days=days, now=now
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage(authority=True), critical=True)
        .sign(signed_by.key, hashes.SHA256())
    )


def _pass_certificate(
    identity: PassIdentity, key: rsa.RSAPrivateKey, *, signed_by: Party, now: datetime
) -> x509.Certificate:
    pass_type = identity.pass_type_identifier
    name = _name(f"Pass Type ID: {pass_type}", unit=identity.team_identifier, user=pass_type)
    marked = bytes([UTF8_STRING, len(pass_type)]) + pass_type.encode()
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, PASS_SIGNING])
    return (
        certificate_builder(
            name, key.public_key(), signed_by=signed_by, days=CERTIFICATE_DAYS, now=now
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(authority=False), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(x509.UnrecognizedExtension(PASS_TYPE_EXTENSION, marked), critical=False)
        .sign(signed_by.key, hashes.SHA256())
    )


def certificate_builder(
    name: x509.Name,
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    *,
    signed_by: Party,
    days: int,
    now: datetime,
) -> x509.CertificateBuilder:
    """Return a certificate to be completed and signed, valid from the day before `now`."""
    issuer_key = signed_by.key.public_key()
    begins = now - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signed_by.name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
        )
    )


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """Return what a key is for: signatures, and certificates if it is an authority's."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
