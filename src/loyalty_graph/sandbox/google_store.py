"""What the fake Google keeps: classes, objects, who holds them; and what it refuses to keep."""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from loyalty_graph.sandbox.google_shapes import (
    ADDED_MESSAGE,
    CLASS,
    CLASS_REQUIRED,
    OBJECT,
    OBJECT_REQUIRED,
    class_misfits,
    misfits,
    missing,
    object_misfits,
)

Resource = dict[str, Any]

RESOURCE_ID = re.compile(r"(\d+)\.[\w.-]+", re.ASCII)
NOTIFICATIONS_MAX = 3
NOTIFICATION_WINDOW = timedelta(hours=24)
REPLACED_BY_UNDER_REVIEW = {"UNDER_REVIEW", "underReview"}
DRAFTS = {"DRAFT", "draft"}
NOTIFYING = {"NOTIFY_ON_UPDATE", "notifyOnUpdate"}
NOTIFIED_FIELDS = ("loyaltyPoints", "secondaryLoyaltyPoints")


class RefusedError(Exception):
    """A refusal of the API; nothing was changed.

    Attributes:
        status: The HTTP status.
        reason: Google's word for it, in the body.
        domain: Where the reason is from; requests that cannot be parsed have none.
        canonical: The name of the status, which errors of Google's front end carry.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        domain: str | None = "walletobjects",
        canonical: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.domain = domain
        self.canonical = canonical

    def body(self) -> dict[str, Any]:
        """Return the body of the answer."""
        one = {"message": self.message, "domain": self.domain, "reason": self.reason}
        error = {
            "code": self.status,
            "message": self.message,
            "errors": [{name: value for name, value in one.items() if value is not None}],
        }
        return {"error": error if self.canonical is None else {**error, "status": self.canonical}}


@dataclass
class Store:
    """The loyalty classes and objects of one issuer.

    Attributes:
        issuer_id: Others' resources are refused.
        classes: By their ids, as a GET shows them.
        objects: By their ids, as a GET shows them.
        holders: Who has saved an object, by its id.
        notified: When holders of an object were notified, by its id.
        changed: The ids of objects that are not what was inserted any more.
    """

    issuer_id: str
    classes: dict[str, Resource] = field(default_factory=dict)
    objects: dict[str, Resource] = field(default_factory=dict)
    holders: dict[str, set[str]] = field(default_factory=dict)
    notified: dict[str, deque[datetime]] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def insert_class(self, body: Any) -> Resource:
        """Keep a new class; Google approves it by itself, unless it is a draft."""
        _parse(body, CLASS, "loyalty_class")
        _refuse_any(missing(body, CLASS_REQUIRED))
        self._refuse_strangers(body["id"])
        if body["id"] in self.classes:
            raise RefusedError(
                409, "existingResource", f"Wallet Object Class {body['id']} already exists."
            )
        _refuse_any(class_misfits(body))
        self.classes[body["id"]] = _reviewed(body)
        return self.classes[body["id"]]

    def insert_object(self, body: Any) -> Resource:
        """Keep a new object of a class that exists and is approved."""
        _parse(body, OBJECT, "loyalty_object")
        _refuse_any(missing(body, OBJECT_REQUIRED))
        self._refuse_strangers(body["id"])
        if body["id"] in self.objects:
            raise RefusedError(
                409, "existingResource", f"Wallet Object {body['id']} already exists."
            )
        self._check_object(body)
        self.objects[body["id"]] = {**_lasting(body), "hasUsers": False}
        return self.objects[body["id"]]

    def a_class(self, class_id: str) -> Resource:
        """Return a class."""
        self._refuse_strangers(class_id)
        if class_id not in self.classes:
            raise RefusedError(404, "classNotFound", f"Wallet Object Class {class_id} not found.")
        return self.classes[class_id]

    def an_object(self, object_id: str) -> Resource:
        """Return an object, with a copy of its class as a GET shows it."""
        found = self._object(object_id)
        return {**found, "classReference": self.classes[found["classId"]]}

    def patch_class(self, class_id: str, body: Any) -> Resource:
        """Change some fields; an approved class goes through review again.

        Source: `reviewStatus` in the reference of `loyaltyclass`: who changes an approved class
        sets `underReview`.
        """
        present = self.a_class(class_id)
        _parse(body, CLASS, "loyalty_class")
        _refuse_another_id(body, class_id)
        status = body.get("reviewStatus")
        if present["reviewStatus"] == "APPROVED" and status not in REPLACED_BY_UNDER_REVIEW:
            raise RefusedError(
                400,
                "invalidResource",
                f"Invalid review status {status}; an approved class is changed with UNDER_REVIEW.",
            )
        changed = _merged(present, body)
        _refuse_any(missing(changed, CLASS_REQUIRED))
        _refuse_any(class_misfits(changed))
        self.classes[class_id] = _reviewed(changed)
        return self.classes[class_id]

    def patch_object(self, object_id: str, body: Any, *, now: datetime) -> Resource:
        """Change some fields, and notify when that was asked for and there is reason to."""
        present = self._object(object_id)
        _parse(body, OBJECT, "loyalty_object")
        _refuse_another_id(body, object_id)
        changed = _merged(present, _lasting(body))
        _refuse_any(missing(changed, OBJECT_REQUIRED))
        self._check_object(changed)
        wanted = body.get("notifyPreference") in NOTIFYING
        if wanted and any(
            _balance(present, name) != _balance(changed, name) for name in NOTIFIED_FIELDS
        ):
            self._notify(object_id, "updating object", now=now)
        if changed != present:
            self.changed.add(object_id)
        self.objects[object_id] = changed
        return self.an_object(object_id)

    def add_message(
        self, kept: dict[str, Resource], resource_id: str, body: Any, *, now: datetime
    ) -> Resource:
        """Add a message to a class or an object; TEXT_AND_NOTIFY tells those who hold it."""
        present = self.a_class(resource_id) if kept is self.classes else self._object(resource_id)
        _parse(body, ADDED_MESSAGE, "request")
        message = body.get("message")
        if not message or not (message.get("body") or message.get("localizedBody")):
            raise RefusedError(400, "invalidResource", "A message needs a body.")
        changed = {**present, "messages": [*present.get("messages", ()), message]}
        _refuse_any(object_misfits(changed))
        if message.get("messageType") == "TEXT_AND_NOTIFY":
            self._notify(resource_id, "adding TEXT_AND_NOTIFY message to", now=now)
        kept[resource_id] = changed
        return changed

    def save(self, object_id: str, holder: str) -> None:
        """Let somebody hold an object."""
        found = self._object(object_id)
        holders = self.holders.setdefault(object_id, set())
        shared = self.classes[found["classId"]].get("multipleDevicesAndHoldersAllowedStatus", "")
        if holders - {holder} and shared.lower().startswith("one"):
            raise RefusedError(403, "permissionDenied", "This pass is saved by somebody else.")
        holders.add(holder)
        self.objects[object_id] = {**found, "hasUsers": True}

    def remove(self, object_id: str, holder: str) -> None:
        """Let somebody hold an object no longer; the object stays."""
        found = self._object(object_id)
        holders = self.holders.get(object_id, set())
        if holder not in holders:
            raise RefusedError(404, "resourceNotFound", f"{holder} does not hold {object_id}.")
        holders.remove(holder)
        self.objects[object_id] = {**found, "hasUsers": bool(holders)}

    def _object(self, object_id: str) -> Resource:
        self._refuse_strangers(object_id)
        if object_id not in self.objects:
            raise RefusedError(404, "resourceNotFound", f"Wallet Object {object_id} not found.")
        return self.objects[object_id]

    def _check_object(self, body: Resource) -> None:
        loyalty_class = self.a_class(body["classId"])
        if loyalty_class["reviewStatus"] != "APPROVED":
            raise RefusedError(400, "invalidResource", f"Class {body['classId']} is not approved.")
        _refuse_any(object_misfits(body))

    def _refuse_strangers(self, resource_id: str) -> None:
        match = RESOURCE_ID.fullmatch(resource_id)
        if match is None:
            raise RefusedError(400, "invalidResource", f"Invalid resource ID: {resource_id}.")
        if match[1] != self.issuer_id:
            raise RefusedError(403, "permissionDenied", "Permission denied.")

    def _notify(self, resource_id: str, doing: str, *, now: datetime) -> None:
        """Notify, or refuse the fourth notification of a day.

        Google's text allows three of each kind; who keeps to three in all is safe either way.
        """
        sent = self.notified.setdefault(resource_id, deque())
        while sent and sent[0] <= now - NOTIFICATION_WINDOW:
            sent.popleft()
        if len(sent) >= NOTIFICATIONS_MAX:
            message = f"Quota exceeded for issuer {self.issuer_id} when {doing} {resource_id}."
            raise RefusedError(403, "quotaExceeded", message)
        sent.append(now)


def _parse(body: Any, shape: dict[str, Any], name: str) -> None:
    faults = list(misfits(body, shape, name))
    if body is None or faults:
        raise RefusedError(
            400,
            "invalid",
            "\n".join(faults) or "A body is required.",
            domain=None,
            canonical="INVALID_ARGUMENT",
        )


def _refuse_any(faults: Iterator[str]) -> None:
    if (fault := next(faults, None)) is not None:
        raise RefusedError(400, "invalidResource", fault)


def _refuse_another_id(body: Resource, resource_id: str) -> None:
    if body.get("id", resource_id) != resource_id:
        raise RefusedError(400, "invalidResource", f"Invalid resource ID: {body['id']}.")


def _lasting(body: Resource) -> Resource:
    """Leave out what belongs to one request only, or is Google's to say."""
    passing = {"notifyPreference", "classReference", "hasUsers"}
    return {name: value for name, value in body.items() if name not in passing}


def _reviewed(body: Resource) -> Resource:
    status = "DRAFT" if body["reviewStatus"] in DRAFTS else "APPROVED"
    return {**body, "reviewStatus": status}


def _merged(present: Mapping[str, Any], change: Mapping[str, Any]) -> Resource:
    """Return a resource after a PATCH: objects are merged, lists replaced, nulls taken out."""
    merged = dict(present)
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = _merged(merged[name], value)
        else:
            merged[name] = value
    return merged


def _balance(resource: Resource, name: str) -> Any:
    return (resource.get(name) or {}).get("balance")
