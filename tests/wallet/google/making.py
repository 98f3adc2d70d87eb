"""A service account, templates and cards for the tests of Google Wallet."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from loyalty_graph.wallet.google.objects import GoogleCard

ISSUER = "3388000000012345678"
CLASS_ID = f"{ISSUER}.bean-club"
CALLBACK = "https://cards.example/google/callback"
CLASS_TEMPLATE: dict[str, Any] = {
    "programName": "{{ program.name }}",
    "hexBackgroundColor": "#12362a",
    "countryCode": "DE",
    "linksModuleData": {"uris": [{"uri": "https://example.com", "description": "Shop"}]},
    "textModulesData": [
        {"id": "terms", "header": "Terms", "body": "{{ program.terms }}"},
        {"id": "support", "header": "Questions", "body": "{{ program.support }}"},
    ],
}
OBJECT_TEMPLATE: dict[str, Any] = {
    "accountId": "{{ member.number }}",
    "accountName": "{{ member.name }}",
    "loyaltyPoints": {"label": "{{ points.unit }}"},
    "barcode": {"type": "QR_CODE", "value": "{{ member.number }}"},
    "textModulesData": [
        {"id": "tier", "header": "Tier", "body": "{{ member.tier }}"},
        {
            "id": "expiring",
            "header": "Use soon",
            "body": "{{ points.expiring | number }} by {{ points.expires_on | date }}",
        },
    ],
}
ART = {
    name: f"https://cards.example/card-art/d1/{name}" for name in ("logo@3x.png", "strip@3x.png")
}


def make_card(**changes: Any) -> GoogleCard:
    return GoogleCard(CLASS_TEMPLATE, {**OBJECT_TEMPLATE, **changes}, art=ART)


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
