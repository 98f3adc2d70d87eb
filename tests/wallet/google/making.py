"""A service account, templates and cards for the tests of Google Wallet."""

from pathlib import Path
from typing import Any

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


def write_account(folder: Path, text: str) -> Path:
    path = folder / "account.json"
    path.write_text(text)
    return path
