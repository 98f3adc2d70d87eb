"""What Google is given: a programme's loyalty class, and a member's loyalty object, as data.

Source: Google Wallet API, REST resources loyaltyclass and loyaltyobject (version 1).
"""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from loyalty_graph.wallet.colours import Colour
from loyalty_graph.wallet.face import VOCABULARY, CardFace
from loyalty_graph.wallet.placeholders import compile_tree

UNDER_REVIEW = "UNDER_REVIEW"
ALL_DEVICES = "ONE_USER_ALL_DEVICES"
BALANCE_MAX = 2**31 - 1
DIGEST_CHARACTERS = 16
# What Google stores by these names is another thing than what was sent, or nobody's to change.
NEVER_PATCHED = frozenset({"id"})
# A barcode without a value, or a text without words, is left out as a whole.
ESSENTIAL = frozenset({"value", "body"})
# A class is everybody's: it says nothing of one member.
OF_PROGRAM = {name: kind for name, kind in VOCABULARY.items() if name.startswith("program.")}
# Class texts are the same for all members, whatever their language.
CLASS_LOCALE = "en"
LOGOS, HEROES = ("emblem.png", "logo@3x.png"), ("hero.png", "strip@3x.png")


class State(StrEnum):
    """What becomes of an object; there is no way to delete one."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"


class GoogleCard:
    """One template's class and object; placeholders are compiled once, each card fills them in.

    Args:
        class_template: `google.class.json` as data.
        object_template: `google.object.json` as data.
        art: The addresses of the template's images by file name, for Google to fetch.
    """

    def __init__(
        self,
        class_template: Mapping[str, Any],
        object_template: Mapping[str, Any],
        *,
        art: Mapping[str, str],
    ) -> None:
        self._class = compile_tree(dict(class_template), OF_PROGRAM, essential=ESSENTIAL)
        self._object = compile_tree(dict(object_template), VOCABULARY, essential=ESSENTIAL)
        self._art = art

    def loyalty_class(self, face: CardFace, *, class_id: str, callback_url: str) -> dict[str, Any]:
        """Return the class of the face's programme, as it is inserted and updated.

        It is always under review: Google refuses an update of an approved class that does not say
        so, and approves of it by itself.
        """
        made = {
            "issuerName": face.program_name,
            "programName": face.program_name,
            "multipleDevicesAndHoldersAllowedStatus": ALL_DEVICES,
            **self._images(),
            **self._class.fill(face.values(), CLASS_LOCALE),
            "id": class_id,
            "reviewStatus": UNDER_REVIEW,
            "callbackOptions": {"url": callback_url},
        }
        if face.colours:
            made["hexBackgroundColor"] = _hex(face.colours.background)
        return made

    def loyalty_object(
        self, face: CardFace, *, object_id: str, class_id: str, state: State
    ) -> dict[str, Any]:
        """Return the object of one card, whole."""
        made: dict[str, Any] = {
            **self._object.fill(face.values(), face.locale),
            "id": object_id,
            "classId": class_id,
            "state": State.EXPIRED if face.void else state,
        }
        if "loyaltyPoints" in made:
            # Filled parts without placeholders are shared by all cards, so they are not changed.
            made["loyaltyPoints"] = _with_balance(made["loyaltyPoints"], face)
        return made

    def _images(self) -> dict[str, Any]:
        found = {"programLogo": LOGOS, "heroImage": HEROES}
        return {
            key: {"sourceUri": {"uri": next(self._art[one] for one in names if one in self._art)}}
            for key, names in found.items()
            if not self._art.keys().isdisjoint(names)
        }


def object_id(issuer_id: str, serial: str) -> str:
    """Return the id of a pass's object."""
    return f"{issuer_id}.{serial}"


def class_id(issuer_id: str, slug: str) -> str:
    """Return the id of a programme's class."""
    return f"{issuer_id}.{slug}"


def digests(resource: Mapping[str, Any]) -> dict[str, str]:
    """Return a short digest of each field: enough to see later which have changed."""
    return {name: _digest(value) for name, value in resource.items() if name not in NEVER_PATCHED}


def changes(given: Mapping[str, str], resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that differ from those whose digests are given; null for what is gone."""
    wanted = digests(resource)
    changed = {name: resource[name] for name in wanted if given.get(name) != wanted[name]}
    return changed | dict.fromkeys(given.keys() - wanted.keys())


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def _with_balance(points: Mapping[str, Any], face: CardFace) -> dict[str, Any]:
    """Return points with a balance, as a text where it is too large for Google's 32 bits."""
    balance = points.get("balance", {"int": face.points_balance})
    if abs(balance.get("int", 0)) > BALANCE_MAX:
        balance = {"string": f"{balance['int']:,}"}
    return {**points, "balance": balance}


def _hex(colour: Colour) -> str:
    return f"#{colour.red:02x}{colour.green:02x}{colour.blue:02x}"
