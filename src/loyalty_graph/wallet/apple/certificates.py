"""Finds the pass certificates that are configured, and says of each why it cannot sign, if so.

A folder may hold several: a renewed one lies beside the one that ends soon. There are .p12 (.pfx)
files with a certificate and its key, certificates in PEM or DER (.pem, .crt, .cer), their own and
those of authorities, and keys in PEM (.key, .pem); which key is whose, the keys say. The password
of a file is in a file of the same name that ends in .password, or in the settings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from loyalty_graph.errors import CertificateError
from loyalty_graph.wallet.apple.signing import (
    PassIdentity,
    Signer,
    SigningFiles,
    certificate_identity,
    checked_signer,
    common_name,
    is_development,
    load_signer,
    private_key,
    read_certificate,
)

BUNDLES = (".p12", ".pfx")
CERTIFICATES = (".pem", ".crt", ".cer")
KEY, PASSWORD = ".key", ".password"
FILES_MAX = 200
FILE_BYTES_MAX = 1_000_000
PRIVATE_KEY = b"PRIVATE KEY-----"

APPLE = "Apple Inc."
AUTHORITY = "Apple Worldwide Developer Relations Certification Authority"
ROOT = "Apple Root CA"
FIRST_GENERATION = "Apple Worldwide Developer Relations"
"""The unit the first certificate of the authority names; later ones name G2, G3 and so on.

Source: apple.com/certificateauthority; the first one ended on 7 February 2023.
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pass certificate that is configured: either it can sign now, or there is a fault.

    `path` or `certificate` is None when not even that could be read.
    """

    path: Path | None = None
    certificate: x509.Certificate | None = None
    signer: Signer | None = None
    fault: str | None = None

    @property
    def subject(self) -> str | None:
        """What it is called."""
        return common_name(self.certificate.subject) if self.certificate else None

    @property
    def identity(self) -> PassIdentity | None:
        """Whose passes it signs, as it says itself."""
        return certificate_identity(self.certificate) if self.certificate else None

    @property
    def issuer(self) -> str | None:
        """Who issued it, with the generation."""
        return issuer_name(self.certificate) if self.certificate else None

    @property
    def valid_until(self) -> datetime | None:
        """From when on no phone accepts what it signs."""
        if self.signer is not None:
            return self.signer.expires_at
        return self.certificate.not_valid_after_utc if self.certificate else None


@dataclass(frozen=True, slots=True)
class Places:
    """Where certificates lie, and whose they must be."""

    expected: PassIdentity
    folder: Path | None = None
    files: SigningFiles | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(slots=True)
class _Held:
    """What was read from a folder, and what could not be."""

    certificates: list[tuple[Path, x509.Certificate]] = field(default_factory=list)
    keys: list[tuple[Path, rsa.RSAPrivateKey]] = field(default_factory=list, repr=False)
    faults: list[Candidate] = field(default_factory=list)


def find(places: Places, *, now: datetime) -> list[Candidate]:
    """Return every pass certificate in these places, as it is at `now`.

    Raises:
        CertificateError: The folder cannot be read, or holds no certificate.
    """
    found = [] if places.files is None else [_single(places.files, places.expected, now=now)]
    if places.folder is None:
        return found
    held = _read_folder(places.folder, places.password)
    own = [one for one in held.certificates if not _is_ca(one[1])]
    if not (own or found or held.faults):
        raise CertificateError(
            f"{places.folder}: holds no pass certificate (.p12, or .pem or .cer with its .key)."
        )
    judged = [_judge(*one, held, places.expected, now=now) for one in own]
    return [*found, *judged, *held.faults]


def newest(candidates: Sequence[Candidate]) -> Signer | None:
    """Return the signer whose certificate was issued last, of those that can sign."""
    signers = [one.signer for one in candidates if one.signer is not None]
    by_age = sorted(signers, key=lambda one: one.certificate.not_valid_before_utc)
    return by_age[-1] if by_age else None


def issuer_name(certificate: x509.Certificate) -> str:
    """Return who issued a certificate: the name, and the generation where there is one."""
    units = certificate.issuer.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    generation = f" {units[0].value!s}" if units else ""
    return common_name(certificate.issuer) + generation


def _single(files: SigningFiles, expected: PassIdentity, *, now: datetime) -> Candidate:
    certificate = None
    try:
        certificate = read_certificate(files.certificate)
        signer = load_signer(files, expected=expected, now=now)
        _check_authority(signer.certificate, signer.issuer, files.certificate)
    except CertificateError as error:
        return Candidate(files.certificate, certificate, fault=error.message)
    return Candidate(files.certificate, certificate, signer)


def _judge(
    path: Path,
    certificate: x509.Certificate,
    held: _Held,
    expected: PassIdentity,
    *,
    now: datetime,
) -> Candidate:
    try:
        key_path, key = _key_of(certificate, held, path)
        issuer_path, issuer = _issuer_of(certificate, held, path)
        files = SigningFiles(path, key_path, issuer_path)
        signer = checked_signer(certificate, key, issuer, files, expected=expected, now=now)
        _check_authority(certificate, issuer, path)
    except CertificateError as error:
        return Candidate(path, certificate, fault=error.message)
    return Candidate(path, certificate, signer)


def _key_of(
    certificate: x509.Certificate, held: _Held, path: Path
) -> tuple[Path, rsa.RSAPrivateKey]:
    for one in held.keys:
        if one[1].public_key() == certificate.public_key():
            return one
    raise CertificateError(f"{path}: its key is not there; put it into {path.stem}{KEY}.")


def _issuer_of(
    certificate: x509.Certificate, held: _Held, path: Path
) -> tuple[Path, x509.Certificate]:
    """Return the authority that signed a certificate; else one of that name, for the fault."""
    named = [one for one in held.certificates if one[1].subject == certificate.issuer]
    if not named:
        raise CertificateError(
            f"{path}: the certificate of its issuer, {issuer_name(certificate)}, is not there;"
            " put it beside (from apple.com/certificateauthority)."
        )
    return next((one for one in named if _signed(certificate, one[1])), named[0])


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _check_authority(certificate: x509.Certificate, issuer: x509.Certificate, path: Path) -> None:
    """Make sure that phones know who issued a certificate, or that it is for development.

    Raises:
        CertificateError: neither Apple's authority nor the development CA issued it.
    """
    if is_development(certificate):
        return
    organizations = issuer.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    units = issuer.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    if common_name(issuer.subject) != AUTHORITY or APPLE not in {
        one.value for one in organizations
    }:
        raise CertificateError(
            f"{path}: was issued by {issuer_name(certificate)}, not by {AUTHORITY} of {APPLE};"
            " phones trust no other."
        )
    if FIRST_GENERATION in {one.value for one in units}:
        raise CertificateError(
            f"{path}: was issued by the first generation of Apple's authority, which ended on"
            " 2023-02-07; get a new certificate, whose issuer is G4."
        )
    if not common_name(issuer.issuer).startswith(ROOT):
        raise CertificateError(
            f"{path}: its issuer's own issuer is {common_name(issuer.issuer)}, not {ROOT}."
        )


def _read_folder(folder: Path, password: str | None) -> _Held:
    held = _Held()
    for path in _files(folder):
        try:
            _read_into(held, path, password)
        except CertificateError as error:
            held.faults.append(Candidate(path, fault=error.message))
    return held


def _files(folder: Path) -> list[Path]:
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise CertificateError(f"{folder}: cannot be read ({error.strerror}).") from None
    if len(names) > FILES_MAX:
        raise CertificateError(f"{folder}: holds more than {FILES_MAX} files.")
    return [one for one in names if one.suffix in (*BUNDLES, *CERTIFICATES, KEY)]


def _read_into(held: _Held, path: Path, password: str | None) -> None:
    data = _read(path)
    if path.suffix in BUNDLES:
        certificate, key, others = _bundle(data, _password(path, password), path)
        held.keys.append((path, key))
        held.certificates += ((path, one) for one in (certificate, *others))
        return
    has_key = PRIVATE_KEY in data
    if has_key:
        # A password that is for others does not disturb a key that needs none.
        secret = _password(path, password) if b"ENCRYPTED" in data else None
        held.keys.append((path, private_key(data, secret, path=path)))
    if b"-----BEGIN CERTIFICATE-----" in data or not has_key:
        held.certificates += ((path, one) for one in _certificates(data, path))


def _bundle(
    data: bytes, password: str | None, path: Path
) -> tuple[x509.Certificate, rsa.RSAPrivateKey, list[x509.Certificate]]:
    try:
        found = pkcs12.load_pkcs12(data, password.encode() if password is not None else None)
    except (ValueError, TypeError):
        fault = "it needs its password" if password is None else "the password is wrong"
        raise CertificateError(f"{path}: this is no PKCS #12 file, or {fault}.") from None
    if found.cert is None or not isinstance(found.key, rsa.RSAPrivateKey):
        raise CertificateError(f"{path}: holds no certificate with an RSA key.")
    return found.cert.certificate, found.key, [one.certificate for one in found.additional_certs]


def _password(path: Path, password: str | None) -> str | None:
    """Return what the file beside says, or what holds for all."""
    beside = path.with_suffix(PASSWORD)
    return _read(beside).decode(errors="replace").strip() if beside.exists() else password


def _certificates(data: bytes, path: Path) -> list[x509.Certificate]:
    try:
        if b"-----BEGIN CERTIFICATE-----" in data:
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except ValueError:
        raise CertificateError(f"{path}: this is not a certificate in PEM or DER.") from None


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return constraints.value.ca


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise CertificateError(f"{path}: is larger than {FILE_BYTES_MAX} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path}: cannot be read ({error.strerror}).") from None
