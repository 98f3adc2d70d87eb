"""What Google is given: a programme's loyalty class, and a member's loyalty object, as data.

Source: Google Wallet API, REST resources loyaltyclass and loyaltyobject (version 1).
"""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.google_checks import ESSENTIAL
from loyalty_graph.wallet.placeholders import compile_tree
from loyalty_graph.wallet.strings import Spoken
from loyalty_graph.wallet.templates import Template

UNDER_REVIEW = "UNDER_REVIEW"
BALANCE_MAX = 2**31 - 1
DIGEST_CHARACTERS = 16
# What Google stores by these names is another thing than what was sent, or nobody's to change.
NEVER_PATCHED = frozenset({"id"})
# Class texts are the same for all members, whatever their language.
CLASS_LOCALE = "en"


class State(StrEnum):
    """What becomes of an object; there is no way to delete one."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"


class GoogleCard:
    """One template's class and object; placeholders are compiled once, each card fills them in.

    Args:
        template: Its Google files are checked already.
        public_url: Where Google fetches the images.
    """

    def __init__(self, template: Template, *, public_url: str) -> None:
        self._template, self._public_url = template, public_url
        self._class = compile_tree(
            template.google_class, template.class_vocabulary, essential=ESSENTIAL
        )
        self._object = Spoken(
            template.google_object,
            template.languages,
            template.object_vocabulary,
            essential=ESSENTIAL,
            wholly=True,
        )

    def loyalty_class(
        self, settings: ProgramSettings, *, class_id: str, callback_url: str
    ) -> dict[str, Any]:
        """Return a programme's class, as it is inserted and updated.

        It is always under review: Google refuses an update of an approved class that does not say
        so, and approves of it by itself.
        """
        values = self._template.class_values(settings, public_url=self._public_url)
        return {
            **self._class.fill(values, CLASS_LOCALE),
            "id": class_id,
            "reviewStatus": UNDER_REVIEW,
            "callbackOptions": {"url": callback_url},
        }

    def loyalty_object(
        self, face: CardFace, *, object_id: str, class_id: str, state: State
    ) -> dict[str, Any]:
        """Return the object of one card, whole."""
        values = self._template.object_values(face, public_url=self._public_url)
        made: dict[str, Any] = {
            **self._object.fill(values, face.locale),
            "id": object_id,
            "classId": class_id,
            "state": State.EXPIRED if face.void else state,
        }
        if "loyaltyPoints" in made:
            # Filled parts without placeholders are shared by all cards, so they are not changed.
            made["loyaltyPoints"] = _with_balance(made["loyaltyPoints"])
        return made

    def whole(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """Return the change that makes an object this one, whatever Google has of it.

        A save link may have made it before, when it had parts that it has no more.
        """
        return dict.fromkeys(self._template.google_object) | changes({}, resource)


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


def _with_balance(points: Mapping[str, Any]) -> dict[str, Any]:
    """Return points whose balance is a text where it is too large for Google's 32 bits."""
    number = points.get("balance", {}).get("int", 0)
    if abs(number) <= BALANCE_MAX:
        return dict(points)
    return {**points, "balance": {"string": f"{number:,}"}}
