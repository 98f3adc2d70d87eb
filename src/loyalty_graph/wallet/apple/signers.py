"""The signer of the moment: the newest pass certificate that can sign, while files come and go."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from loyalty_graph.config import Settings, data_folder
from loyalty_graph.errors import CertificateError
from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.apple.certificates import Candidate, Places, find, newest
from loyalty_graph.wallet.apple.development_ca import (
    CERTIFICATE_FILE,
    DEVELOPMENT_FOLDER,
    development_signer,
)
from loyalty_graph.wallet.apple.signing import PassIdentity, Signer, SigningFiles
from loyalty_graph.wallet.templates import Template

APPLE_SETTINGS = (
    "LOYALTY_APPLE_CERTIFICATE",
    "LOYALTY_APPLE_KEY",
    "LOYALTY_APPLE_ISSUER",
    "LOYALTY_PASS_TYPE_IDENTIFIER",
    "LOYALTY_TEAM_IDENTIFIER",
)
Look: TypeAlias = Callable[[datetime], Sequence[Candidate]]
"""Looks at the files, and returns every certificate that is configured."""


class Signers:
    """Holds the signer of the moment; safe to share between threads.

    When all certificates have ended the last one goes on, at a start too: phones refuse what it
    signs, and the watch says so, but no till stands still for it.

    Args:
        look: Where certificates are found.
        now: The moment.

    Raises:
        CertificateError: No certificate can sign.
    """

    def __init__(self, look: Look, *, now: datetime) -> None:
        self._look = look
        candidates = look(now)
        ends = [one.valid_until for one in candidates if one.valid_until and one.valid_until < now]
        signer = newest(candidates) or (newest(look(max(ends))) if ends else None)
        if signer is None:
            raise CertificateError(" ".join(one.fault for one in candidates if one.fault))
        self.current: Signer = signer

    def look(self, *, now: datetime) -> Sequence[Candidate]:
        """Look at the files again and let the newest certificate sign; return all there are.

        While none can sign, the one that could last goes on. Reads files: call it in a thread.

        Raises:
            CertificateError: The folder cannot be read, or is empty.
        """
        candidates = self._look(now)
        signer = newest(candidates)
        # The same certificate stays the same signer: printers and connections are made for one.
        if signer is not None and signer.certificate != self.current.certificate:
            self.current = signer
        return candidates


class Printers(Mapping[str, CardPrinter]):
    """The printers of all templates, by name, for the signer of the moment.

    Each is made when it is first asked for: most processes print from one template, or none.
    """

    def __init__(self, templates: Mapping[str, Template], signers: Signers) -> None:
        self._templates, self._signers = templates, signers
        self._made: tuple[Signer, dict[str, CardPrinter]] = (signers.current, {})

    def __getitem__(self, name: str) -> CardPrinter:
        signer, printers = self._made
        if signer is not self._signers.current:
            self._made = signer, printers = self._signers.current, {}
        if name not in printers:
            printers[name] = CardPrinter(self._templates[name], signer)
        return printers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._templates)

    def __len__(self) -> int:
        return len(self._templates)


def is_for_development(settings: Settings) -> bool:
    """Return whether nothing of Apple's is set, so that the development CA signs."""
    single = (settings.apple_certificate, settings.apple_key, settings.apple_issuer)
    named = (settings.pass_type_identifier, settings.team_identifier)
    return not any((*single, settings.apple_certificates, *named))


def look_of(settings: Settings) -> Look:
    """Return how to find the certificates of these settings: Apple's, or the development CA's.

    Raises:
        CertificateError: Only some of Apple's settings are given.
    """
    single = (settings.apple_certificate, settings.apple_key, settings.apple_issuer)
    kind, team = settings.pass_type_identifier, settings.team_identifier
    folder = settings.apple_certificates
    if is_for_development(settings):
        return lambda now: [_development(settings, now=now)]
    if not (kind and team and (any(single) or folder)) or any(single) != all(single):
        raise CertificateError(
            f"Apple's signing needs all of {', '.join(APPLE_SETTINGS)};"
            " or of the first three, LOYALTY_APPLE_CERTIFICATES."
        )
    password = settings.apple_key_password
    secret = None if password is None else password.get_secret_value()
    certificate, key, issuer = single
    files = (
        SigningFiles(certificate, key, issuer, secret) if certificate and key and issuer else None
    )
    places = Places(PassIdentity(kind, team), folder, files, secret)
    return lambda now: find(places, now=now)


def _development(settings: Settings, *, now: datetime) -> Candidate:
    folder = data_folder(settings) / DEVELOPMENT_FOLDER
    signer = development_signer(folder, now=now)
    return Candidate(folder / CERTIFICATE_FILE, signer.certificate, signer)
