"""Takes a pass file apart and checks everything a phone checks, trusting nothing in it.

Source: Apple, "Building a pass" and "Distributing and updating a pass"; RFC 5652; RFC 5280.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from loyalty_graph.wallet.apple import cms, der
from loyalty_graph.wallet.apple.archive import MANIFEST, PASS_JSON, SIGNATURE
from loyalty_graph.wallet.apple.pass_json import PassJsonError, check_card, parse_object
from loyalty_graph.wallet.apple.reading import ArchiveError, read_members
from loyalty_graph.wallet.apple.signing import certificate_identity, is_development

ICON = "icon.png"
CLOCK_SKEW = timedelta(minutes=5)
CHAIN_LENGTH_MAX = 5
NOT_REACHED = "not checked, because it needs what failed above"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked; `reason` is empty when it holds."""

    name: str
    passed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Every check of one pass file, in the order in which they build on each other."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether a phone that trusts the root would accept the file."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that do not hold."""
        return tuple(check for check in self.checks if not check.passed)


class _Fault(Exception):  # noqa: N818 - it never leaves this module
    """A check does not hold; the text says why."""


@dataclass(slots=True)
class _Examination:
    """One pass file under examination: each step leaves what the next ones need."""

    data: bytes
    trusted_root: x509.Certificate
    now: datetime
    members: dict[str, bytes] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    signature: cms.Signature | None = None
    signer: x509.Certificate | None = None

    def archive(self) -> None:
        """The zip is whole: every sum fits, no name stands there twice or leads elsewhere."""
        self.members = read_members(self.data)

    def contents(self) -> None:
        """pass.json, manifest.json, signature and icon.png are there."""
        absent = [
            name for name in (PASS_JSON, MANIFEST, SIGNATURE, ICON) if name not in self.members
        ]
        if absent:
            raise _Fault(f"{', '.join(absent)} missing")

    def manifest_lists_files(self) -> None:
        """The manifest names every file but itself and the signature, and no other."""
        self.manifest = parse_object(MANIFEST, self._member(MANIFEST))
        there = set(self.members) - {MANIFEST, SIGNATURE}
        for name in sorted(there - set(self.manifest)):
            raise _Fault(f"{name} is in the archive, but not in the manifest")
        for name in sorted(set(self.manifest) - there):
            raise _Fault(f"{name} is in the manifest, but not in the archive")

    def sums(self) -> None:
        """The SHA-1 of every file is the one in the manifest."""
        if not self.manifest:
            raise _Fault(NOT_REACHED)
        for name, expected in self.manifest.items():
            found = hashlib.sha1(self._member(name), usedforsecurity=False).hexdigest()
            if found != expected:
                raise _Fault(f"{name} was changed: its SHA-1 is {found}, not {expected}")

    def signature_detached(self) -> None:
        """The signature is CMS SignedData by one signer, without the content inside."""
        self.signature = cms.parse(self._member(SIGNATURE))
        if not self.signature.detached:
            raise _Fault("the manifest is embedded in the signature")

    def signed_manifest(self) -> None:
        """The signed digest is the manifest's."""
        signature = self._signature()
        kind = signature.attribute(cms.CONTENT_TYPE, der.OBJECT_IDENTIFIER).content
        if kind != cms.DATA:
            raise _Fault("the signed content type is not plain data")
        signed = signature.attribute(cms.MESSAGE_DIGEST, der.OCTET_STRING).content
        if signed != signature.digest_of(self._member(MANIFEST)):
            raise _Fault("the manifest is not the one that was signed")

    def signature_by_certificate(self) -> None:
        """The signature over the signed attributes is that of the certificate inside."""
        signer = self._signature().signer()
        self._signature().verify_attributes(signer)
        self.signer = signer

    def signing_time(self) -> None:
        """A signing time is there, not ahead, and within the certificate's validity."""
        signed_at = self._signature().signed_at()
        signer = self._signer()
        if signed_at > self.now + CLOCK_SKEW:
            raise _Fault(f"signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC, which is ahead of now")
        if not signer.not_valid_before_utc <= signed_at <= signer.not_valid_after_utc:
            raise _Fault(
                f"signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC, when the certificate was not valid"
            )

    def chain(self) -> None:
        """The certificate leads to the trusted root; all are valid now, issuers are authorities."""
        certificate = self._signer()
        self._valid_now(certificate)
        for _ in range(CHAIN_LENGTH_MAX):
            if _issued(certificate, self.trusted_root):
                self._valid_now(self.trusted_root)
                return
            certificate = self._issuer_inside(certificate)
            self._valid_now(certificate)
        raise _Fault("the chain is too long")

    def identity(self) -> None:
        """Pass type and team of pass.json are those of the certificate."""
        self.card = parse_object(PASS_JSON, self._member(PASS_JSON))
        identity = certificate_identity(self._signer())
        if identity is None:
            raise _Fault("the certificate names no pass type and team")
        for key, expected in (
            ("passTypeIdentifier", identity.pass_type_identifier),
            ("teamIdentifier", identity.team_identifier),
        ):
            if self.card.get(key) != expected:
                raise _Fault(f"{key} is {self.card.get(key)}, the certificate is for {expected}")

    def pass_json(self) -> None:
        """pass.json can be shown: required keys, texts as texts, unique field keys."""
        check_card(parse_object(PASS_JSON, self._member(PASS_JSON)))

    def _member(self, name: str) -> bytes:
        if name not in self.members:
            raise _Fault(NOT_REACHED)
        return self.members[name]

    def _signature(self) -> cms.Signature:
        if self.signature is None:
            raise _Fault(NOT_REACHED)
        return self.signature

    def _signer(self) -> x509.Certificate:
        if self.signer is None:
            raise _Fault(NOT_REACHED)
        return self.signer

    def _issuer_inside(self, certificate: x509.Certificate) -> x509.Certificate:
        for candidate in self._signature().certificates:
            if candidate != certificate and _issued(certificate, candidate):
                return candidate
        issuer = certificate.issuer.rfc4514_string()
        raise _Fault(f"the chain ends at {issuer}, which is neither inside nor trusted")

    def _valid_now(self, certificate: x509.Certificate) -> None:
        name = certificate.subject.rfc4514_string()
        if self.now < certificate.not_valid_before_utc:
            raise _Fault(f"{name} is not valid before {certificate.not_valid_before_utc.date()}")
        if self.now > certificate.not_valid_after_utc:
            raise _Fault(f"{name} expired on {certificate.not_valid_after_utc.date()}")


def verify_pass_file(data: bytes, *, trusted_root: x509.Certificate, now: datetime) -> Report:
    """Check a pass file whole, offline, and say of each check whether it holds and why not.

    `now` is when the file would be added to a phone. Never raises for what is in `data`.
    """
    examination = _Examination(data, trusted_root, now)
    steps: tuple[Callable[[], None], ...] = (
        examination.archive,
        examination.contents,
        examination.manifest_lists_files,
        examination.sums,
        examination.signature_detached,
        examination.signed_manifest,
        examination.signature_by_certificate,
        examination.signing_time,
        examination.chain,
        examination.identity,
        examination.pass_json,
    )
    return Report(tuple(_run(step) for step in steps))


def describe(data: bytes) -> dict[str, Any]:
    """Return what a pass file says of itself, as plain data; nothing is verified.

    Raises:
        ValueError: it is no readable pass file; the message says why.
    """
    members = read_members(data)
    for name in (PASS_JSON, SIGNATURE):
        if name not in members:
            raise ArchiveError(f"{name} is missing")
    card = parse_object(PASS_JSON, members[PASS_JSON])
    signature = cms.parse(members[SIGNATURE])
    signer = signature.signer()
    return {
        "card": card,
        "files": {name: len(content) for name, content in sorted(members.items())},
        "signed_at": signature.signed_at(),
        "signer": signer.subject.rfc4514_string(),
        "issuer": signer.issuer.rfc4514_string(),
        "certificate_expires_at": signer.not_valid_after_utc,
        "development": is_development(signer),
    }


def _run(step: Callable[[], None]) -> Check:
    name = step.__name__.replace("_", " ")
    try:
        step()
    except (_Fault, ArchiveError, PassJsonError, cms.CmsError, der.DerError) as fault:
        return Check(name, passed=False, reason=str(fault))
    return Check(name, passed=True)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints)
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return constraints.value.ca
