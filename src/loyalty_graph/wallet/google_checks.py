"""Checks the LoyaltyClass and the LoyaltyObject of a card template, before Google would.

Source: Google Wallet API, REST resources loyaltyclass and loyaltyobject.
"""

from collections.abc import Mapping
from typing import Any

from loyalty_graph.wallet.template_document import Document

CLASS_TEXTS = ("issuerName", "programName")
OBJECT_TEXTS = ("accountId", "accountName")
SET_PER_CLASS = ("id", "reviewStatus", "callbackOptions")
SET_PER_OBJECT = ("id", "classId", "state", "hasUsers")
BARCODE_TYPES = ("QR_CODE", "PDF_417", "AZTEC", "CODE_128")
# An entry without one of these is left out as a whole.
ESSENTIAL = frozenset(
    (
        "balance",
        "body",
        "date",
        "end",
        "int",
        "micros",
        "money",
        "sourceUri",
        "string",
        "uri",
        "value",
    )
)


def check_class(document: Document) -> None:
    """Refuse a class that Google would not take.

    Raises:
        TemplateError: The first thing that is wrong.
    """
    document.check_absent(SET_PER_CLASS)
    for key in CLASS_TEXTS:
        document.check_text(document.data, key, key, needed=True)
    _check_image(document, "programLogo")
    document.check_tree()
    _check_modules(document)


def check_object(document: Document) -> None:
    """Refuse an object that Google would not take.

    Raises:
        TemplateError: The first thing that is wrong.
    """
    document.check_absent(SET_PER_OBJECT)
    for key in OBJECT_TEXTS:
        document.check_text(document.data, key, key, needed=True)
    _check_barcode(document)
    document.check_tree()
    _check_modules(document)


def _check_image(document: Document, key: str) -> None:
    uri = _inside(document.data, key, "sourceUri")
    document.check_text(uri, "uri", f"{key}.sourceUri.uri", needed=True)


def _check_barcode(document: Document) -> None:
    barcode = document.data.get("barcode", {})
    if not isinstance(barcode, dict) or barcode.get("type") not in BARCODE_TYPES:
        raise document.fault("barcode.type", f"must be one of {', '.join(BARCODE_TYPES)}")
    document.check_text(barcode, "value", "barcode.value", needed=True)


def _check_modules(document: Document) -> None:
    ids: set[str] = set()
    for place, module in document.objects(document.data, "textModulesData", ""):
        key = module.get("id")
        if not isinstance(key, str) or not key or key in ids:
            fault = f"{key} stands there already" if key in ids else "must be a text"
            raise document.fault(f"{place}.id", f"{fault}; every module needs its own id")
        ids.add(key)
        for part in ("header", "body"):
            document.check_text(module, part, f"{place}.{part}", needed=part not in module)


def _inside(holder: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        part = holder.get(key)
        if not isinstance(part, dict):
            return {}
        holder = part
    return holder
