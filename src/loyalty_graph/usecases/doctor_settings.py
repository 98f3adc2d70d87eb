"""What the doctor looks at without a database: Python, addresses, certificates, keys, disk."""

import asyncio
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from loyalty_graph.config import LINK_KEY_FILE, Settings
from loyalty_graph.db.urls import sqlite_path
from loyalty_graph.errors import CertificateError, SettingsError
from loyalty_graph.identity.development_issuer import KEY_FILE
from loyalty_graph.identity.keys import fetch
from loyalty_graph.ledger.checkpoint_keys import key_folder, known_keys
from loyalty_graph.usecases.doctor_checks import Check, fault, warning, well
from loyalty_graph.wallet.apple.certificates import Candidate, newest
from loyalty_graph.wallet.apple.pushing import pushes_to_apple
from loyalty_graph.wallet.apple.signers import is_for_development, look_of
from loyalty_graph.wallet.google.account import read_account

ENDS_SOON = timedelta(days=60)
FREE_FAULT_BYTES, FREE_WARNING_BYTES = 256 << 20, 2 << 30
CONNECT_TIMEOUT_S = 3.0
REDIS = "Valkey or Redis"
PORTS = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}
GB = 10**9
PUBLIC_SUFFIXES = (".pem", ".cer", ".crt")
"""Files that hold certificates and public keys as well as private ones."""


def look_at_python() -> Check:
    """Say which Python runs."""
    return well("python", f"Python {platform.python_version()}, {sys.platform}")


def look_at_public_url(settings: Settings) -> Check:
    """Say whether phones can reach the addresses that passes and links hold."""
    url, name = settings.public_url, "public URL"
    parts = urlsplit(url)
    advice = "Set LOYALTY_PUBLIC_URL to the https:// address under which customers reach you."
    if parts.hostname in ("127.0.0.1", "localhost", "::1"):
        return warning(name, f"{url} is this machine only: no phone can fetch its card", advice)
    if parts.scheme != "https":
        return fault(name, f"{url} is not https: Apple Wallet refuses to update passes", advice)
    return well(name, url)


def look_at_certificates(settings: Settings, now: datetime) -> Iterator[Check]:
    """Say who signs passes and until when, and what is wrong with other certificates."""
    name = "pass certificate"
    advice = (
        "Renew it in Apple's developer portal and put the file beside the old one"
        " (docs/operations.md); `loyalty-graph pass certs` shows all of them."
    )
    if is_for_development(settings):
        yield warning(name, "the development CA signs; phones do not add these passes", _GET_ONE)
        return
    try:
        candidates = look_of(settings)(now)
    except (CertificateError, SettingsError) as error:
        yield fault(name, error.message, advice)
        return
    signer = newest(candidates)
    if signer is None:
        yield fault(name, _faults(candidates) or "there is none that can sign", advice)
    elif signer.expires_at - now < ENDS_SOON:
        days = (signer.expires_at - now).days
        yield warning(name, f"it ends on {signer.expires_at:%Y-%m-%d}, in {days} days", advice)
    else:
        identity = signer.identity.pass_type_identifier
        yield well(name, f"{identity}, until {signer.expires_at:%Y-%m-%d}")
    if signer is not None and (others := _faults(candidates)):
        yield warning("other certificates", others, "Mend or remove the files that are named.")


_GET_ONE = "Set Apple's certificate (LOYALTY_APPLE_..., see the README) before customers get cards."


def _faults(candidates: Sequence[Candidate]) -> str:
    return " ".join(one.fault for one in candidates if one.fault)


def look_at_keys(settings: Settings) -> Iterator[Check]:
    """Say which keys are set, and whether other users of this machine can read those in files."""
    if settings.secret_key is None:
        yield warning(
            "secret key",
            f"it is made by itself and kept in {settings.data_dir}",
            "Where several machines serve, set LOYALTY_SECRET_KEY to the same for all; back it up.",
        )
    else:
        yield well("secret key", "it is set")
    yield _checkpoint_keys(settings)
    if settings.google_service_account is not None:
        yield _google_account(settings.google_service_account)
    if open_to_others := _open_to_others(settings):
        names = list(map(str, open_to_others))
        told, command = f"other users can read {', '.join(names)}", f"chmod 600 {' '.join(names)}"
        yield fault("key files", told, command)


def _checkpoint_keys(settings: Settings) -> Check:
    name, folder = "checkpoint keys", key_folder(settings)
    try:
        number = len(known_keys(folder)) if folder.is_dir() else 0
    except SettingsError as error:
        return fault(name, error.message, "Put the key back from your backup.")
    if not number:
        return well(name, "there is none yet; the first checkpoint makes one")
    return well(name, f"{number} in {folder}, the newest signs")


def _google_account(path: Path) -> Check:
    name = "Google account"
    try:
        account = read_account(path)
    except SettingsError as error:
        return fault(name, error.message, "Download the service account's key again.")
    return well(name, account.email)


def _open_to_others(settings: Settings) -> list[Path]:
    data, bundles = settings.data_dir, settings.apple_certificates
    named = [settings.apple_key, settings.google_service_account]
    own = [data / LINK_KEY_FILE, data / KEY_FILE]
    rings = [*data.glob("*-keys/*.key"), *key_folder(settings).glob("*.pem")]
    bundled = bundles.glob("*") if bundles else ()
    found = {path for path in (*named, *own, *rings, *bundled) if path is not None}
    return sorted(path for path in found if path.is_file() and _is_open_secret(path))


def _is_open_secret(path: Path) -> bool:
    """Return whether others can read a file; in PEM, only if there is a private key in it."""
    if not path.stat().st_mode & stat.S_IROTH:
        return False
    return path.suffix not in PUBLIC_SUFFIXES or b"PRIVATE KEY" in path.read_bytes()


async def look_at_issuers(settings: Settings) -> Check:
    """Say who signs members in, and whether their keys can be read."""
    name = "sign-in of members"
    if not settings.member_issuers:
        return warning(
            name,
            "a development key, in the data folder: who holds it can be any member",
            "Set LOYALTY_MEMBER_ISSUERS to your identity provider.",
        )
    for one in settings.member_issuers:
        try:
            await fetch(one.jwks)
        except (OSError, ValueError) as error:
            told = f"the keys of {one.issuer} cannot be read: {type(error).__name__}"
            return fault(name, told, f"See that this machine reaches {one.jwks}.")
    return well(name, ", ".join(one.issuer for one in settings.member_issuers))


def look_at_disk(settings: Settings, database_url: str) -> Iterator[Check]:
    """Say how much room is left where we write; nothing where a folder is not made yet."""
    path = sqlite_path(database_url)
    folders = {settings.data_dir.absolute(), *([path.absolute().parent] if path else [])}
    for folder in sorted(one for one in folders if one.is_dir()):
        name, usage = f"disk of {folder}", shutil.disk_usage(folder)
        found = f"{usage.free / GB:,.1f} of {usage.total / GB:,.1f} GB are free"
        advice = "Make room: a full disk refuses every write until there is some."
        if not os.access(folder, os.W_OK):
            yield fault(name, "it cannot be written", "Give it to the user that runs the server.")
        elif usage.free < FREE_FAULT_BYTES:
            yield fault(name, found, advice)
        elif usage.free < FREE_WARNING_BYTES:
            yield warning(name, found, advice)
        else:
            yield well(name, found)


async def look_at_neighbours(settings: Settings) -> list[Check]:
    """Say whether the servers that are set can be reached; nothing is sent to them."""
    places = {}
    if settings.redis_url is not None and not settings.redis_url.startswith("unix"):
        places[REDIS] = settings.redis_url
    if pushes_to_apple(settings):
        places["Apple's push service"] = settings.apns_url
    if settings.google_service_account is not None:
        places["Google Wallet"] = settings.google_url
    return list(await asyncio.gather(*(_reached(name, url) for name, url in places.items())))


_ADVICE = "See that it runs and that LOYALTY_REDIS_URL names it; everything works meanwhile."
_ADVICE_OUTSIDE = "Look at the firewall and the address; what waits is sent when it is reached."


async def _reached(name: str, url: str) -> Check:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        advice = _ADVICE if name == REDIS else _ADVICE_OUTSIDE
        return warning(name, f"{host}, port {port}, cannot be reached: {reason}", advice)
    writer.close()
    return well(name, f"{host}, port {port}, can be reached")
