"""Brings classes and objects to Google, each request when the issuer's pace allows it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from loyalty_graph.wallet.google import buckets
from loyalty_graph.wallet.google.answers import Answer, Outcome
from loyalty_graph.wallet.google.client import GoogleClient, Resource

NOTIFY = {"notifyPreference": "NOTIFY_ON_UPDATE"}
TEXT_AND_NOTIFY = "TEXT_AND_NOTIFY"
NOTIFIED_ENOUGH = "quotaexceeded"
TOO_LATE = Answer(Outcome.LATER, "it was not sent in time")


@dataclass(frozen=True, slots=True)
class Hours:
    """From when to when something may be sent: `clock` tells the moment, after `until` it is late.

    Whoever works under a claim may send nothing while it is not his for sure (`are_sure`): another
    one's newer state would be overwritten with an older one.
    """

    clock: Callable[[], datetime]
    until: datetime
    are_sure: Callable[[], bool] = lambda: True


class Sender:
    """Sends what one issuer has to send.

    Args:
        client: Asks Google.
        issuer_id: Whose pace it is.
        per_s: How many requests the issuer has in a second.
    """

    def __init__(self, client: GoogleClient, *, issuer_id: str, per_s: int) -> None:
        self._client, self.issuer_id, self.per_s = client, issuer_id, per_s

    async def turns(self, count: int, hours: Hours) -> list[datetime]:
        """Return when so many requests may be sent, all taken at once."""
        now = hours.clock()
        return await buckets.take(self.issuer_id, count, per_s=self.per_s, now=now)

    async def put(
        self,
        kind: Resource,
        resource: Mapping[str, Any],
        changes: Mapping[str, Any],
        hours: Hours,
        *,
        turn: datetime | None = None,
    ) -> Answer:
        """Change what differs, or make the whole when Google has not got it yet.

        Somebody may be saving a link at this very moment, which makes the object as well: then it
        is changed after all.

        Args:
            kind: Class or object.
            resource: The whole, with its id.
            changes: What differs from what Google has, as far as that is known.
            hours: When it may be sent.
            turn: When its first request may be sent, if that was taken already.
        """
        name = str(resource["id"])
        answer = await self._patch(kind, name, changes, hours, turn)
        if answer.outcome is Outcome.ABSENT:
            answer = await self.insert(kind, resource, hours)
        if answer.outcome is Outcome.EXISTS:
            answer = await self._patch(kind, name, changes, hours)
        return answer

    async def insert(
        self,
        kind: Resource,
        resource: Mapping[str, Any],
        hours: Hours,
        *,
        turn: datetime | None = None,
    ) -> Answer:
        """Make a class or object; EXISTS when there is one with its id."""
        now = await self._turn(hours, turn)
        return await self._client.insert(kind, resource, now=now) if now else TOO_LATE

    async def tell(self, object_id: str, header: str, body: str, hours: Hours) -> Answer:
        """Show a message on an object, with a notification."""
        message = {"header": header, "body": body, "messageType": TEXT_AND_NOTIFY}
        now = await self._turn(hours)
        return await self._client.add_message(object_id, message, now=now) if now else TOO_LATE

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _patch(
        self,
        kind: Resource,
        name: str,
        changes: Mapping[str, Any],
        hours: Hours,
        turn: datetime | None = None,
    ) -> Answer:
        now = await self._turn(hours, turn)
        return await self._client.patch(kind, name, changes, now=now) if now else TOO_LATE

    async def _turn(self, hours: Hours, turn: datetime | None = None) -> datetime | None:
        """Wait for a turn; return the moment then, or None when it is too late."""
        if turn is None:
            [turn] = await self.turns(1, hours)
        if turn >= hours.until:
            return None
        await asyncio.sleep((turn - hours.clock()).total_seconds())
        now = hours.clock()
        return now if now < hours.until and hours.are_sure() else None


def notification_refused(answer: Answer) -> bool:
    """Return whether Google refused to notify: by its own count there were three already.

    It says 403 and `quotaExceeded`; a rate that is spent has other words.
    """
    reasons = answer.because.replace("_", "").lower()
    return answer.status == HTTPStatus.FORBIDDEN and NOTIFIED_ENOUGH in reasons
