"""Takes a detached CMS signature apart: who signed, when, which digest, and where each part lies.

Source: RFC 5652 sections 5 (SignedData) and 11 (contentType, messageDigest, signingTime).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from loyalty_graph.wallet.apple import der

SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
DATA = bytes.fromhex("2a864886f70d010701")
CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
SIGNING_TIME = bytes.fromhex("2a864886f70d010905")
RSA_ENCRYPTION = bytes.fromhex("2a864886f70d010101")
HASHES: dict[bytes, type[hashes.SHA1 | hashes.SHA256]] = {
    bytes.fromhex("2b0e03021a"): hashes.SHA1,
    bytes.fromhex("608648016503040201"): hashes.SHA256,
}
RSA_WITH: dict[bytes, type[hashes.SHA1 | hashes.SHA256]] = {
    bytes.fromhex("2a864886f70d010105"): hashes.SHA1,
    bytes.fromhex("2a864886f70d01010b"): hashes.SHA256,
}
UTC_TIME_FORMAT = "%y%m%d%H%M%SZ"
PIVOT_YEAR = 2050


class CmsError(ValueError):
    """The signature is not one a pass may have; the message says why."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One detached signature by one signer; elements keep their place in the bytes."""

    certificates: tuple[x509.Certificate, ...]
    issuer: bytes
    serial: int
    digest: hashes.SHA1 | hashes.SHA256
    signed_attributes: der.Element
    attributes: dict[bytes, der.Element]
    value: der.Element
    detached: bool

    def signer(self) -> x509.Certificate:
        """Return the certificate the signature names by issuer and serial number.

        Raises:
            CmsError: it is not among the certificates inside.
        """
        for certificate in self.certificates:
            if (certificate.issuer.public_bytes(), certificate.serial_number) == (
                self.issuer,
                self.serial,
            ):
                return certificate
        raise CmsError("the signer's certificate is not inside the signature")

    def attribute(self, kind: bytes, tag: int) -> der.Element:
        """Return the value of a signed attribute.

        Raises:
            CmsError: it is not there or is of another type.
        """
        if kind not in self.attributes:
            raise CmsError(f"the signed attribute {_NAMES[kind]} is missing")
        return self.attributes[kind].expect(tag)

    def signed_at(self) -> datetime:
        """Return the signing time the signer claims.

        Raises:
            CmsError: it is missing or is no UTCTime.
        """
        text = self.attribute(SIGNING_TIME, der.UTC_TIME).content.decode("ascii", "replace")
        try:
            instant = datetime.strptime(text, UTC_TIME_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            raise CmsError(f"the signing time {text!r} is no UTCTime") from None
        # RFC 5280 4.1.2.5.1 reads years 50 to 99 as 19YY; Python's pivot is 69.
        return instant if instant.year < PIVOT_YEAR else instant.replace(year=instant.year - 100)

    def digest_of(self, content: bytes) -> bytes:
        """Return the digest of `content` under the signer's digest algorithm."""
        hashing = hashes.Hash(self.digest)
        hashing.update(content)
        return hashing.finalize()

    def verify_attributes(self, certificate: x509.Certificate) -> None:
        """Check the RSA signature over the signed attributes, which are signed as a SET.

        Raises:
            CmsError: the signature is not that certificate's.
        """
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise CmsError("the signer's key is not an RSA key")
        signed = bytes([der.SET]) + self.signed_attributes.encoded[1:]
        try:
            key.verify(self.value.content, signed, padding.PKCS1v15(), self.digest)
        except InvalidSignature:
            raise CmsError("the signature does not fit the signed attributes") from None


_NAMES = {
    CONTENT_TYPE: "contentType",
    MESSAGE_DIGEST: "messageDigest",
    SIGNING_TIME: "signingTime",
}


def parse(data: bytes) -> Signature:
    """Take a CMS SignedData with exactly one signer apart; nothing is verified yet.

    Raises:
        CmsError: the structure is another one.
    """
    try:
        return _signed_data(data)
    except der.DerError as error:
        raise CmsError(f"the signature is not readable: {error}") from error


def _signed_data(data: bytes) -> Signature:
    kind, wrapped = _exactly(der.read(data).expect(der.SEQUENCE).children(), 2, "ContentInfo")
    if kind.expect(der.OBJECT_IDENTIFIER).content != SIGNED_DATA:
        raise CmsError("this is not SignedData")
    (body,) = _exactly(wrapped.expect(der.CONTEXT_0).children(), 1, "content")
    parts = body.expect(der.SEQUENCE).children()
    version, digests, content, certificates, signers = _exactly(parts, 5, "SignedData")
    _expect_version_one(version)
    (signer,) = _exactly(signers.expect(der.SET).children(), 1, "signers")
    (digest,) = _exactly(digests.expect(der.SET).children(), 1, "digest algorithms")
    return _signer_info(
        signer,
        announced_digest=digest.encoded,
        detached=_is_detached(content),
        certificates=_certificates(certificates.expect(der.CONTEXT_0)),
    )


def _signer_info(
    signer: der.Element,
    *,
    announced_digest: bytes,
    detached: bool,
    certificates: tuple[x509.Certificate, ...],
) -> Signature:
    parts = signer.expect(der.SEQUENCE).children()
    version, name, digest, attributes, algorithm, value = _exactly(parts, 6, "SignerInfo")
    _expect_version_one(version)
    issuer, serial = _exactly(name.expect(der.SEQUENCE).children(), 2, "signer's name")
    hash_kind = HASHES.get(_algorithm(digest))
    if hash_kind is None or digest.encoded != announced_digest:
        raise CmsError("the digest is neither SHA-256 nor SHA-1, or not the one announced")
    signed_with = _algorithm(algorithm)
    if signed_with != RSA_ENCRYPTION and RSA_WITH.get(signed_with) is not hash_kind:
        raise CmsError("the signature algorithm is not RSA with the announced digest")
    return Signature(
        certificates=certificates,
        issuer=issuer.encoded,
        serial=int.from_bytes(serial.expect(der.INTEGER).content, "big", signed=True),
        digest=hash_kind(),
        signed_attributes=attributes.expect(der.CONTEXT_0),
        attributes=_attributes(attributes),
        value=value.expect(der.OCTET_STRING),
        detached=detached,
    )


def _attributes(attributes: der.Element) -> dict[bytes, der.Element]:
    found: dict[bytes, der.Element] = {}
    for attribute in attributes.children():
        kind, values = _exactly(attribute.expect(der.SEQUENCE).children(), 2, "attribute")
        (value,) = _exactly(values.expect(der.SET).children(), 1, "attribute values")
        if kind.content in found:
            raise CmsError("a signed attribute stands there twice")
        found[kind.expect(der.OBJECT_IDENTIFIER).content] = value
    return found


def _certificates(certificates: der.Element) -> tuple[x509.Certificate, ...]:
    return tuple(_certificate(element.encoded) for element in certificates.children())


def _certificate(encoded: bytes) -> x509.Certificate:
    """Return a certificate whose every part is readable: `cryptography` reads them on demand."""
    try:
        certificate = x509.load_der_x509_certificate(encoded)
        _ = (certificate.issuer, certificate.subject, certificate.extensions)
        _ = certificate.public_key()
    except (
        ValueError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
    ) as error:
        raise CmsError(f"a certificate inside is not readable: {error}") from error
    return certificate


def _is_detached(content: der.Element) -> bool:
    kind, *embedded = content.expect(der.SEQUENCE).children()
    if kind.expect(der.OBJECT_IDENTIFIER).content != DATA:
        raise CmsError("the signed content is not plain data")
    return not embedded


def _algorithm(identifier: der.Element) -> bytes:
    kind, *parameters = identifier.expect(der.SEQUENCE).children()
    if [element.encoded for element in parameters] not in ([], [bytes([der.NULL, 0])]):
        raise CmsError("an algorithm has parameters where there should be none")
    return kind.expect(der.OBJECT_IDENTIFIER).content


def _expect_version_one(version: der.Element) -> None:
    if version.expect(der.INTEGER).content != b"\x01":
        raise CmsError("a version other than 1")


def _exactly(elements: Sequence[der.Element], count: int, what: str) -> Sequence[der.Element]:
    if len(elements) != count:
        raise CmsError(f"{what}: {len(elements)} parts where {count} belong")
    return elements
