"""Taking signatures apart that are not as they should be."""

import pytest

from loyalty_graph.wallet.apple import cms
from loyalty_graph.wallet.apple.signing import Signer
from tests.wallet.making import NOW

OTHER = bytes.fromhex("2a864886f70d010909")
SHA256_OID = bytes.fromhex("608648016503040201")
SHA512_OID = bytes.fromhex("608648016503040203")
RSA_WITH_SHA1 = bytes.fromhex("2a864886f70d010105")


@pytest.fixture
def signature(signer: Signer) -> bytes:
    return signer.sign(b"content", now=NOW)


def with_last(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return the bytes with the last occurrence replaced: the signer's part comes last."""
    before, found, after = data.rpartition(old)
    assert found
    return before + new + after


@pytest.mark.parametrize(
    ("case", "old", "new", "complaint"),
    [
        ("another structure", cms.SIGNED_DATA, OTHER, "this is not SignedData"),
        ("another digest", SHA256_OID, SHA512_OID, "the digest is neither SHA-256 nor SHA-1"),
        ("mixed digests", cms.RSA_ENCRYPTION, RSA_WITH_SHA1, "not RSA with the announced digest"),
        ("an attribute twice", cms.MESSAGE_DIGEST, cms.SIGNING_TIME, "stands there twice"),
        (
            "parameters",
            cms.RSA_ENCRYPTION + b"\x05\x00",
            cms.RSA_ENCRYPTION + b"\x04\x00",
            "an algorithm has parameters where there should be none",
        ),
    ],
)
def test_another_structure_is_refused(
    signature: bytes, case: str, old: bytes, new: bytes, complaint: str
):
    with pytest.raises(cms.CmsError, match=complaint):
        cms.parse(with_last(signature, old, new))


def test_content_of_another_kind_is_refused(signature: bytes):
    first = signature.replace(cms.DATA, OTHER, 1)

    with pytest.raises(cms.CmsError, match="the signed content is not plain data"):
        cms.parse(first)


def test_another_version_is_refused(signature: bytes):
    start = signature.index(cms.SIGNED_DATA)
    place = signature.index(b"\x02\x01\x01", start) + 2

    with pytest.raises(cms.CmsError, match="a version other than 1"):
        cms.parse(signature[:place] + b"\x03" + signature[place + 1 :])


def test_a_missing_signing_time_is_named(signature: bytes):
    parsed = cms.parse(with_last(signature, cms.SIGNING_TIME, OTHER))

    with pytest.raises(cms.CmsError, match="the signed attribute signingTime is missing"):
        parsed.signed_at()


@pytest.mark.parametrize("text", [b"261322123005Z", b"2611221230055", b"\xff61122123005Z"])
def test_a_signing_time_that_is_none_is_refused(signature: bytes, text: bytes):
    parsed = cms.parse(with_last(signature, b"261122123005Z", text))

    with pytest.raises(cms.CmsError, match="is no UTCTime"):
        parsed.signed_at()


def test_another_signers_name_is_refused(signature: bytes, signer: Signer):
    number = signer.certificate.serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
    parsed = cms.parse(with_last(signature, serial, serial[:-1] + bytes([serial[-1] ^ 1])))

    with pytest.raises(cms.CmsError, match="the signer's certificate is not inside"):
        parsed.signer()
