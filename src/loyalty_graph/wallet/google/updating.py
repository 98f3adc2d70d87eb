"""The loop that keeps Google's objects at what their cards show now.

A claimed push says that an object is to change; what it becomes is read when it is sent, so that a
burst of changes is one request and at most one more. What is under way is cut off before others may
take its claim over: what they bring is newer.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from loyalty_graph import alarms, traces
from loyalty_graph.db import is_unavailable
from loyalty_graph.pauses import chance, full_jitter_s
from loyalty_graph.wallet import latency, pushes
from loyalty_graph.wallet.claims import Claims
from loyalty_graph.wallet.google import budget, given
from loyalty_graph.wallet.google.answers import Answer, Outcome
from loyalty_graph.wallet.google.changing import Change, Work, work_for
from loyalty_graph.wallet.google.client import Resource
from loyalty_graph.wallet.google.desk import GoogleDesk
from loyalty_graph.wallet.google.notices import words
from loyalty_graph.wallet.google.rules import Notice
from loyalty_graph.wallet.google.sending import NOTIFY, Hours, notification_refused
from loyalty_graph.wallet.latency import Stage
from loyalty_graph.wallet.pushes import Push
from loyalty_graph.wallet.service import Platform

LOOK_EVERY_S = 0.3
SENT_WITHIN = timedelta(seconds=60)
SECONDS_AT_ONCE = 2
FIRST_PAUSE_MAX_S, PAUSE_MAX_S = 1.0, 300.0
MENDED_AFTER_S = 600.0
DOWN_PAUSE_MAX_S = 10.0
UNMENDED = {Outcome.FORBIDDEN, Outcome.REFUSED}
NO_TEMPLATE = Answer(Outcome.REFUSED, "the programme's card template is not here")
NOT_MADE = Answer(Outcome.REFUSED, "they cannot be made")
ALARM = "google access"
ALARM_WORDS = (
    "Google does not let us change cards: the service account needs access to the issuer, and the"
    " issuer must be its own"
)
REFUSED_OFTEN = 3
REFUSED_ALARM = "google cards"
REFUSED_WORDS = (
    "Google refuses cards again and again: look at google.class.json and google.object.json of"
    " their template, and at what the programme puts there"
)

logger = logging.getLogger(__name__)


class GoogleUpdates:
    """Keeps the objects of one issuer up to date, beside any number of others that do.

    Args:
        desk: Says what Google is given.
        clock: Tells the moment.
    """

    def __init__(self, desk: GoogleDesk, *, clock: Callable[[], datetime]) -> None:
        self._desk, self._clock = desk, clock
        self._claims = Claims(Platform.GOOGLE, desk.issuer_id, clock=clock)
        self._awake = asyncio.Event()
        self._failures = 0
        # Another process may have raised it, or this one before it was started again.
        self._alarmed = self._refused = True

    @property
    def channel(self) -> tuple[Platform, str]:
        """Return whose pushes these are."""
        return Platform.GOOGLE, self._desk.issuer_id

    def wake(self) -> None:
        """Look at once: cards have changed."""
        self._awake.set()

    async def close(self) -> None:
        """Close the connections to Google."""
        await self._desk.close()
        await self._claims.give_back()

    async def step(self) -> float:
        """Bring what is due to Google, or wait a moment for it; return how long to pause then."""
        self._awake.clear()
        await self._claims.give_back()
        claimed = await self._claims.take(SECONDS_AT_ONCE * self._desk.sender.per_s)
        if claimed:
            with self._claims.owed_if_it_fails(claimed):
                return await self._work_off(claimed)
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._awake.wait()
        except TimeoutError:
            pass
        return 0.0

    async def _work_off(self, claimed: Sequence[Push]) -> float:
        claim = claimed[0].claim
        brought = await self._claims.while_sure(claim, self._bring(claimed))
        if brought is None:
            logger.warning("%d changed cards may be another worker's now.", len(claimed))
            self._claims.owe(claim)
            return 0.0
        work, answers = brought
        await self._settle(work, answers)
        self._claims.end(claimed)
        if any(answer.outcome is Outcome.DONE for answer in answers) or not answers:
            self._failures = 0
            return 0.0
        self._failures += 1
        return full_jitter_s(
            self._failures, first_s=FIRST_PAUSE_MAX_S, longest_s=DOWN_PAUSE_MAX_S, chance=chance()
        )

    async def _bring(self, claimed: Sequence[Push]) -> tuple[Work, list[Answer]]:
        """Bring to Google what these pushes come to now; return that, and an answer for each."""
        now, claim = claimed[0].claimed_at, claimed[0].claim
        work = await work_for(self._desk, claimed, now=now)
        hours = Hours(self._clock, now + SENT_WITHIN, lambda: self._claims.are_sure(claim))
        return work, await self._send(work, hours, taken_at=now)

    async def _send(self, work: Work, hours: Hours, *, taken_at: datetime) -> list[Answer]:
        """Send the classes that are new, then all changes at once; return an answer for each."""
        classes = {
            program_id: await self._bring_class(program_id, work, hours)
            for program_id in {change.row.program_id for change in work.changes}
        }
        ready = [
            change
            for change in work.changes
            if change.new and classes[change.row.program_id].outcome is Outcome.DONE
        ]
        noticed = {change.key for change in ready if change.notice is not None}
        told = await budget.take(noticed, now=taken_at)
        turns = await self._desk.sender.turns(len(ready), hours) if ready else []
        sent = await asyncio.gather(
            *(
                self._send_one(change, hours, turn, told=change.key in told)
                for change, turn in zip(ready, turns, strict=True)
            )
        )
        unspent = [change.key for change, (_, spent) in zip(ready, sent, strict=True) if not spent]
        await budget.give_back(told.intersection(unspent), taken_at=taken_at)
        answers = {change.key: answer for change, (answer, _) in zip(ready, sent, strict=True)}
        return [answers.get(change.key, classes[change.row.program_id]) for change in work.changes]

    async def _bring_class(self, program_id: UUID, work: Work, hours: Hours) -> Answer:
        """Bring the class of a programme; one that cannot be made holds up no other."""
        try:
            return await self._desk.bring_class(program_id, work.settings[program_id], hours)
        except Exception as error:
            if is_unavailable(error):
                raise
            logger.exception("The class of programme %s cannot be made for Google", program_id)
            return NOT_MADE

    async def _send_one(
        self, change: Change, hours: Hours, turn: datetime, *, told: bool
    ) -> tuple[Answer, bool]:
        """Send a change, with a notification if one was taken.

        Returns the answer, and whether the notification may have gone out.
        """
        with traces.span("push to Google", parent=change.push.trace):
            return await self._put(change, hours, turn, told=told)

    async def _put(
        self, change: Change, hours: Hours, turn: datetime, *, told: bool
    ) -> tuple[Answer, bool]:
        put = self._desk.sender.put
        with_balance = told and change.notice is Notice.BALANCE
        new = {**change.new, **NOTIFY} if with_balance else change.new
        answer = await put(Resource.OBJECT, change.resource, new, hours, turn=turn)
        if with_balance and notification_refused(answer):
            answer = await put(Resource.OBJECT, change.resource, change.new, hours)
            return answer, True
        if told and not with_balance and answer.outcome is Outcome.DONE:
            return answer, await self._tell(change, hours)
        return answer, with_balance and (answer.outcome is Outcome.DONE or answer.heard)

    async def _tell(self, change: Change, hours: Hours) -> bool:
        """Tell of a new tier or of an expiry; return whether it may have gone out."""
        assert change.notice is not None, "a notification was taken for it"
        body = words(change.notice, change.face)
        name, header = str(change.resource["id"]), change.face.program_name
        answer = await self._desk.sender.tell(name, header, body, hours)
        if answer.outcome is not Outcome.DONE:
            # The card itself is right; the news is not worth another try when it is old.
            logger.warning("Google did not notify of a change: %s", answer.because)
        return answer.outcome is Outcome.DONE or answer.heard or notification_refused(answer)

    async def _settle(self, work: Work, answers: Sequence[Answer]) -> None:
        now = self._clock()
        ended = list(zip(work.changes, answers, strict=True))
        done = [change for change, answer in ended if answer.outcome is Outcome.DONE]
        await given.keep([change.arrived for change in done], now=now)
        await pushes.done([change.push for change in done], now=now)
        await _count(done, now=now)
        await self._alarm(answers, now=now)
        await pushes.dropped(work.gone)
        failed = [(one.push, answer) for one, answer in ended if answer.outcome is not Outcome.DONE]
        failed += [(push, NO_TEMPLATE) for push in work.unusable]
        failed += [(push, NOT_MADE) for push in work.broken]
        await self._give_back(failed, now=now)
        await self._tell_of_refused(failed, now=now)
        for program_id in {
            change.row.program_id for change, answer in ended if answer.outcome is Outcome.ABSENT
        }:
            await self._desk.forget_class(work.settings[program_id])

    async def _alarm(self, answers: Sequence[Answer], *, now: datetime) -> None:
        """Tell operators when the account may not do what it should, until it may."""
        refusal = next((one for one in answers if one.outcome is Outcome.FORBIDDEN), None)
        if refusal is not None:
            self._alarmed = True
            await alarms.raise_alarm(ALARM, f"{ALARM_WORDS} ({refusal.because}).", now)
        elif self._alarmed and any(one.outcome is Outcome.DONE for one in answers):
            await alarms.clear(ALARM)
            self._alarmed = False

    async def _tell_of_refused(
        self, failed: Sequence[tuple[Push, Answer]], *, now: datetime
    ) -> None:
        """Tell operators of cards that Google does not want, until nothing fails so often."""
        lasting = (
            answer
            for push, answer in failed
            if answer.outcome is Outcome.REFUSED and push.attempts >= REFUSED_OFTEN
        )
        refusal = next(lasting, None)
        if refusal is not None:
            self._refused = True
            message = f"{REFUSED_WORDS} ({refusal.because})."
            await alarms.raise_alarm(REFUSED_ALARM, message, now)
        elif self._refused and not await pushes.are_failing(
            Platform.GOOGLE, self._desk.issuer_id, attempts=REFUSED_OFTEN
        ):
            await alarms.clear(REFUSED_ALARM)
            self._refused = False

    async def _give_back(self, failed: Sequence[tuple[Push, Answer]], *, now: datetime) -> None:
        """Have these tried again, the later the more often they failed."""
        alike: defaultdict[tuple[Outcome, float, int], list[Push]] = defaultdict(list)
        for push, answer in failed:
            alike[answer.outcome, answer.wait_s, push.attempts].append(push)
        for (outcome, wait_s, attempts), some in alike.items():
            first_s = MENDED_AFTER_S if outcome in UNMENDED else FIRST_PAUSE_MAX_S
            longest_s = max(first_s, PAUSE_MAX_S)
            jitter_s = full_jitter_s(
                attempts, first_s=first_s, longest_s=longest_s, chance=chance()
            )
            retry_at = now + timedelta(seconds=wait_s + jitter_s)
            await pushes.failed(some, now=now, retry_at=retry_at)
        for because, count in Counter(answer.because for _, answer in failed).items():
            logger.warning("Google did not take %d changed cards: %s", count, because)


async def _count(done: Sequence[Change], *, now: datetime) -> None:
    """Count how long the changes took that Google has now; what Google has, nobody fetches."""
    took: defaultdict[UUID, list[float]] = defaultdict(list)
    for change in done:
        took[change.row.program_id].append((now - change.push.changed_at).total_seconds())
    for program_id, seconds in sorted(took.items()):
        await latency.record(program_id, Platform.GOOGLE, Stage.PUSHED, seconds, now=now)
