"""The service account's file: read, or refused without a word of what is in it."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from loyalty_graph.errors import SettingsError
from loyalty_graph.wallet.google.account import ServiceAccount, read_account
from tests.wallet.google.making import write_account


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def short_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused


def test_an_account_is_read_and_its_key_never_shown(account: ServiceAccount):
    assert account.email == "loyalty-graph@sandbox.iam.gserviceaccount.com"
    assert account.token_url == "http://127.0.0.1:9/token"
    assert account.key_id == "sandbox-key-1"
    assert account.key.key_size == 2048
    assert "RSAPrivateKey" not in repr(account)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "authorized_user"}, 'its "type" must be "service_account"'),
        ({"client_email": ""}, 'it has no "client_email"'),
        ({"private_key_id": None}, 'it has no "private_key_id"'),
        ({"private_key": 7}, 'it has no "private_key"'),
        ({"private_key": "hush hush"}, 'its "private_key" is no PEM key'),
        ({"private_key": pem(ec.generate_private_key(ec.SECP256R1()))}, "must be RSA of 2048 bits"),
        ({"private_key": pem(short_key())}, "must be RSA of 2048 bits"),
        ({"token_uri": "http://example.com/token"}, 'its "token_uri" must begin with https://'),
    ],
    ids=[
        "another type",
        "no address",
        "no key id",
        "a key that is no text",
        "a key that is no PEM",
        "an elliptic key",
        "a short key",
        "a token address without TLS",
    ],
)
def test_an_account_that_cannot_be_used_is_refused(
    account_text: str, tmp_path: Path, changes: dict[str, object], words: str
):
    text = json.dumps({**json.loads(account_text), **changes})

    with pytest.raises(SettingsError) as caught:
        read_account(write_account(tmp_path, text))

    assert words in caught.value.message
    assert caught.value.message.startswith("LOYALTY_GOOGLE_SERVICE_ACCOUNT: ")
    assert "PRIVATE KEY" not in caught.value.message
    assert "hush" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [("{hush", "it is not JSON"), ("[]", "it must be a JSON object"), (None, "it cannot be read")],
)
def test_a_file_that_is_no_account_is_refused(tmp_path: Path, text: str | None, words: str):
    path = tmp_path / "none.json" if text is None else write_account(tmp_path, text)

    with pytest.raises(SettingsError) as caught:
        read_account(path)

    assert words in caught.value.message
    assert "hush" not in caught.value.message
    assert caught.value.__cause__ is None
