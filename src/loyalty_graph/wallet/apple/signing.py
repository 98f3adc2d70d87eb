"""Signs manifests as one pass certificate: checked once, then one RSA signature for each pass."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7
from cryptography.x509.oid import NameOID

from loyalty_graph.errors import CertificateError
from loyalty_graph.wallet.apple import cms, der

DEVELOPMENT_ORGANIZATION = "Loyalty Graph Development"
CMS_OPTIONS = [
    pkcs7.PKCS7Options.DetachedSignature,
    # Without Binary, line ends of the manifest would be rewritten before hashing.
    pkcs7.PKCS7Options.Binary,
    pkcs7.PKCS7Options.NoCapabilities,
]
UTC_TIME_YEARS = range(1950, 2050)
PADDING, SHA256 = padding.PKCS1v15(), hashes.SHA256()


@dataclass(frozen=True, slots=True)
class PassIdentity:
    """Whose passes these are; Apple writes both into the pass certificate."""

    pass_type_identifier: str
    team_identifier: str


@dataclass(frozen=True, slots=True)
class SigningFiles:
    """Where the signing material lies: certificates as PEM or DER, the key as PEM."""

    certificate: Path
    key: Path
    issuer: Path
    key_password: str | None = field(default=None, repr=False)


class CmsSkeleton:
    """A detached signature cut at its three variable parts: signing time, digest, signature.

    One real signature by `cryptography` is taken apart once. Each further one fills in the three
    parts, whose lengths never change for one key, and costs one SHA-256 and one RSA signature.
    """

    def __init__(
        self, certificate: x509.Certificate, key: rsa.RSAPrivateKey, issuer: x509.Certificate
    ) -> None:
        probe = b"probe"
        encoded = (
            pkcs7.PKCS7SignatureBuilder()
            .set_data(probe)
            .add_signer(certificate, key, hashes.SHA256())
            .add_certificate(issuer)
            .sign(Encoding.DER, CMS_OPTIONS)
        )
        sample = cms.parse(encoded)
        attributes, value = sample.signed_attributes, sample.value
        self.key = key
        self._head = encoded[: attributes.start]
        self._attributes = attributes.encoded
        self._middle = encoded[attributes.end : value.content_start]
        time = sample.attribute(cms.SIGNING_TIME, der.UTC_TIME)
        digest = sample.attribute(cms.MESSAGE_DIGEST, der.OCTET_STRING)
        self._time = slice(time.content_start - attributes.start, time.end - attributes.start)
        self._digest = slice(digest.content_start - attributes.start, digest.end - attributes.start)
        self._check(certificate, now=sample.signed_at())

    def sign(self, content: bytes, *, now: datetime) -> bytes:
        """Return the detached CMS signature (DER) of `content`, signed at `now` to the second.

        Raises:
            CertificateError: `now` is beyond 2049, where another encoding would begin.
        """
        attributes = bytearray(self._attributes)
        attributes[self._time] = _utc_time(now)
        attributes[self._digest] = hashlib.sha256(content).digest()
        implicit = bytes(attributes)
        # RFC 5652 5.4: the attributes stand under [0] but are signed as the SET they are.
        attributes[0] = der.SET
        signature = self.key.sign(bytes(attributes), PADDING, SHA256)
        return b"".join((self._head, implicit, self._middle, signature))

    def _check(self, certificate: x509.Certificate, *, now: datetime) -> None:
        content = b"check"
        signature = cms.parse(self.sign(content, now=now))
        signature.verify_attributes(certificate)
        digest = signature.attribute(cms.MESSAGE_DIGEST, der.OCTET_STRING).content
        assert digest == hashlib.sha256(content).digest(), "the digest went to the wrong place"
        assert signature.signed_at() == now, "the signing time went to the wrong place"
        assert signature.detached, "the content must not be inside"


@dataclass(frozen=True, slots=True)
class Signer:
    """A checked pass certificate with its key; safe to share between threads."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    identity: PassIdentity
    skeleton: CmsSkeleton = field(repr=False)

    @property
    def development(self) -> bool:
        """Whether our development CA issued the certificate: no phone trusts its passes."""
        return is_development(self.certificate)

    @property
    def expires_at(self) -> datetime:
        """The instant after which no phone accepts a pass signed now."""
        return min(self.certificate.not_valid_after_utc, self.issuer.not_valid_after_utc)

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """The certificate's key."""
        return self.skeleton.key

    def sign(self, content: bytes, *, now: datetime) -> bytes:
        """Return the detached CMS signature (DER) of `content`, signed at `now`."""
        return self.skeleton.sign(content, now=now)


def load_signer(
    files: SigningFiles,
    *,
    expected: PassIdentity | None = None,
    is_own_key: bool = False,
    now: datetime,
) -> Signer:
    """Read certificate, key and issuer, and check that they fit each other and `expected` at `now`.

    The primes of a key that we made ourselves (`is_own_key`) are believed: to test them takes most
    of the time it takes to start.

    Raises:
        CertificateError: a file cannot be read or does not fit; the message names it.
    """
    certificate = read_certificate(files.certificate)
    key = private_key(_read(files.key), files.key_password, path=files.key, is_own=is_own_key)
    issuer = read_certificate(files.issuer)
    return checked_signer(certificate, key, issuer, files, expected=expected, now=now)


def checked_signer(
    certificate: x509.Certificate,
    key: rsa.RSAPrivateKey,
    issuer: x509.Certificate,
    files: SigningFiles,
    *,
    expected: PassIdentity | None = None,
    now: datetime,
) -> Signer:
    """Return the signer of material that was read from `files`, checked as `load_signer` does.

    Raises:
        CertificateError: it does not fit; the message names the file.
    """
    if certificate.public_key() != key.public_key():
        raise CertificateError(
            f"{files.key}: this is not the key of the certificate {files.certificate}."
        )
    _check_issued(certificate, issuer, files)
    _check_dates(certificate, files.certificate, now=now)
    _check_dates(issuer, files.issuer, now=now)
    identity = _identity(certificate, files.certificate)
    if expected is not None:
        _check_identity(identity, expected, files.certificate)
    return Signer(certificate, issuer, identity, CmsSkeleton(certificate, key, issuer))


def read_certificate(path: Path) -> x509.Certificate:
    """Return the certificate in a PEM or DER file.

    Raises:
        CertificateError: there is no such file, or no certificate in it.
    """
    data = _read(path)
    try:
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError:
        raise CertificateError(f"{path}: this is not a certificate in PEM or DER.") from None


def private_key(
    data: bytes, password: str | None, *, path: Path, is_own: bool = False
) -> rsa.RSAPrivateKey:
    """Return the key in PEM text that was read from `path`; one of our own is not tested.

    Raises:
        CertificateError: it is none, or the password does not open it.
    """
    try:
        secret = password.encode() if password is not None else None
        key = load_pem_private_key(data, secret, unsafe_skip_rsa_key_validation=is_own)
    except TypeError:
        fault = "needs its password" if password is None else "has no password, but one is set"
        raise CertificateError(f"{path}: the key {fault}.") from None
    except (ValueError, UnsupportedAlgorithm):
        fault = "this is not a private key in PEM"
        if password is not None:
            fault += ", or the password is wrong"
        raise CertificateError(f"{path}: {fault}.") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CertificateError(f"{path}: passes need an RSA key.")
    return key


def certificate_identity(certificate: x509.Certificate) -> PassIdentity | None:
    """Return the pass type (UID) and team (OU) a certificate is for; None if it names neither."""
    pass_type = certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    team = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    if not pass_type or not team:
        return None
    return PassIdentity(str(pass_type[0].value), str(team[0].value))


def common_name(name: x509.Name) -> str:
    """Return what a name is called for short."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def is_development(certificate: x509.Certificate) -> bool:
    """Say whether our development CA issued this certificate."""
    names = certificate.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return any(name.value == DEVELOPMENT_ORGANIZATION for name in names)


def _utc_time(now: datetime) -> bytes:
    assert now.tzinfo is not None, "a signing time without a zone means nothing"
    instant = now.astimezone(UTC)
    if instant.year not in UTC_TIME_YEARS:
        raise CertificateError(f"Passes cannot be signed in the year {instant.year}.")
    return instant.strftime("%y%m%d%H%M%SZ").encode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path}: cannot be read ({error.strerror}).") from None


def _check_issued(
    certificate: x509.Certificate, issuer: x509.Certificate, files: SigningFiles
) -> None:
    if certificate.issuer != issuer.subject:
        raise CertificateError(
            f"{files.issuer}: {files.certificate} was issued by "
            f"{common_name(certificate.issuer)}, but this is {common_name(issuer.subject)}."
        )
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        raise CertificateError(
            f"{files.issuer}: the name is right, but this certificate did not sign "
            f"{files.certificate}; an issuer may have several generations."
        ) from None


def _check_dates(certificate: x509.Certificate, path: Path, *, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        starts = certificate.not_valid_before_utc.date()
        raise CertificateError(f"{path}: the certificate is not valid before {starts}.")
    if now > certificate.not_valid_after_utc:
        ended = certificate.not_valid_after_utc.date()
        raise CertificateError(f"{path}: the certificate expired on {ended}.")


def _identity(certificate: x509.Certificate, path: Path) -> PassIdentity:
    identity = certificate_identity(certificate)
    if identity is None:
        raise CertificateError(
            f"{path}: this is not a pass certificate; it names no pass type (UID) and team (OU)."
        )
    return identity


def _check_identity(found: PassIdentity, expected: PassIdentity, path: Path) -> None:
    if found.pass_type_identifier != expected.pass_type_identifier:
        raise CertificateError(
            f"{path}: the certificate is for the pass type {found.pass_type_identifier}, "
            f"not {expected.pass_type_identifier}."
        )
    if found.team_identifier != expected.team_identifier:
        raise CertificateError(
            f"{path}: the certificate belongs to the team {found.team_identifier}, "
            f"not {expected.team_identifier}."
        )
