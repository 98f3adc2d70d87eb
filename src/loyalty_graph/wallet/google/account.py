"""The service account by which we are known to Google: its file, read and checked."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from loyalty_graph.errors import SettingsError

KIND = "service_account"
KEY_BITS_MIN = 2048
FILE_BYTES_MAX = 64 * 1024
SETTING = "LOYALTY_GOOGLE_SERVICE_ACCOUNT"
TEXTS = ("client_email", "private_key_id", "private_key", "token_uri")


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Who we are to Google: `email` is the issuer of what we sign with `key`."""

    email: str
    key_id: str
    token_url: str
    key: rsa.RSAPrivateKey = field(repr=False)


def read_account(path: Path) -> ServiceAccount:
    """Read the JSON file that Google's console gives for a service account.

    Raises:
        SettingsError: it cannot be read or used; the message never holds what is in it.
    """
    given = _parsed(path)
    if given.get("type") != KIND:
        raise _fault(path, f'its "type" must be "{KIND}"')
    for name in TEXTS:
        if not isinstance(given.get(name), str) or not given[name]:
            raise _fault(path, f'it has no "{name}"')
    if not given["token_uri"].startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise _fault(path, 'its "token_uri" must begin with https://')
    key = _key(path, given["private_key"])
    return ServiceAccount(given["client_email"], given["private_key_id"], given["token_uri"], key)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            given = json.loads(file.read(FILE_BYTES_MAX))
    except OSError as error:
        raise _fault(path, f"it cannot be read ({error.strerror})") from None
    except ValueError:
        # The parser's words may repeat a part of the key.
        raise _fault(path, "it is not JSON") from None
    if not isinstance(given, dict):
        raise _fault(path, "it must be a JSON object")
    return given


def _key(path: Path, pem: str) -> rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _fault(path, 'its "private_key" is no PEM key') from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
        raise _fault(path, f'its "private_key" must be RSA of {KEY_BITS_MIN} bits or more')
    return key


def _fault(path: Path, words: str) -> SettingsError:
    return SettingsError(f"{SETTING}: {path}: {words}.")
