"""A service account, templates and cards for the tests of Google Wallet."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from loyalty_graph.wallet.google.objects import GoogleCard
from loyalty_graph.wallet.templates import load_template
from tests.wallet.making import TEMPLATE

ISSUER = "3388000000012345678"
CLASS_ID = f"{ISSUER}.bean-club"
CALLBACK = "https://cards.example/google/callback"
PUBLIC_URL = "https://cards.example"


def make_card(**changes: Any) -> GoogleCard:
    """Return the cards of the store card template, its object's fields changed."""
    template = load_template(TEMPLATE)
    fields = {**template.google_object, **changes}
    kept = {name: value for name, value in fields.items() if value is not None}
    return GoogleCard(replace(template, google_object=kept), public_url=PUBLIC_URL)


def account_file(*, token_url: str) -> str:
    """Return the file of a service account, with a key of its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    account = {
        "type": "service_account",
        "private_key_id": "sandbox-key-1",
        "private_key": pem.decode(),
        "client_email": "loyalty-graph@sandbox.iam.gserviceaccount.com",
        "token_uri": token_url,
    }
    return json.dumps(account)


def write_account(folder: Path, text: str) -> Path:
    path = folder / "account.json"
    path.write_text(text)
    return path
