"""Why points moved, in words a person can read: a sentence, and a line for each step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from loyalty_graph.benefits.rules import GrantSource
from loyalty_graph.earning.rules import Granularity, Rounding
from loyalty_graph.ledger.kinds import Forgiveness, Kind, meaning
from loyalty_graph.ledger.reads import Entry
from loyalty_graph.money import Money as Amount
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.purchases.rules import ActivityKind
from loyalty_graph.usecases.rule_words import rule_sentence

ROUNDED = {
    Rounding.FLOOR: "rounded down",
    Rounding.NEAREST: "rounded to the nearest",
    Rounding.CEIL: "rounded up",
}
STEPPED = {
    Rounding.FLOOR: "for each full {amount}",
    Rounding.NEAREST: "for each {amount}, to the nearest",
    Rounding.CEIL: "for each {amount} begun",
}


NAMED = {GrantSource.TIER: "tier", GrantSource.SUBSCRIPTION: "membership"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the reckoning: usually a line of the receipt.

    `product_type` and `amount_minor` are None where all points are multiplied, and where a rule
    gave points beside the lines.
    """

    text: str
    product_type: str | None
    amount_minor: int | None
    points: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """One sentence, and the reckoning step by step, empty where nothing was reckoned."""

    summary: str
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class Writing:
    """How numbers, amounts and dates are written in the sentences."""

    number: Callable[[int], str]
    money: Callable[[Amount], str]
    date: Callable[[date], str]


PLAIN = Writing(
    number=str,
    money=lambda one: f"{one.to_text()} {one.currency}",
    date=lambda day: day.isoformat(),
)
"""The same for everybody: 1878, 1012.77 USD, 2026-12-30."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a sentence may speak of: the points (above zero), the details, the words for them."""

    points: int
    why: Mapping[str, Any]
    entry: Entry
    settings: ProgramSettings
    writing: Writing

    @property
    def amount(self) -> str:
        """How many points, in words."""
        return in_words(self.points, self.settings, self.writing)

    @property
    def are(self) -> str:
        """The verb that goes with the amount."""
        return "is" if self.points == 1 else "are"

    def day(self, at: datetime) -> str:
        """Return a day of the programme in words."""
        return self.writing.date(at.astimezone(self.settings.zone).date())


def explain_entry(
    entry: Entry, settings: ProgramSettings, writing: Writing = PLAIN
) -> Explanation | None:
    """Return why an entry stands in the ledger, or None when its details were erased."""
    if entry.explanation is None:
        return None
    points = abs(entry.points or entry.held or entry.pending)
    told = Told(points, entry.explanation, entry, settings, writing)
    return Explanation(
        summary=SENTENCES[meaning(entry.kind, entry.debit, entry.credit)](told),
        steps=_steps(entry.explanation, settings, writing),
    )


def explain_purchase(points: int, why: Mapping[str, Any], settings: ProgramSettings) -> Explanation:
    """Return why a purchase earns its points."""
    return Explanation(
        summary=_earned(points, why, settings, PLAIN), steps=_steps(why, settings, PLAIN)
    )


def in_words(points: int, settings: ProgramSettings, writing: Writing) -> str:
    """Return points with the programme's name for them, such as 3 beans."""
    name = settings.points.unit_one if points == 1 else settings.points.unit_other
    return f"{writing.number(points)} {name}"


def _earned(
    points: int, why: Mapping[str, Any], settings: ProgramSettings, writing: Writing
) -> str:
    total = sum(step["amount"] for step in why["steps"])
    amount = _money(total, settings, writing)
    if paid := [step["paid"] for step in why["steps"] if "paid" in step]:
        given = Amount(sum(minor for minor, _, _ in paid), paid[0][1])
        amount = f"{writing.money(given)} ({amount})"
    return f"{in_words(points, settings, writing)} for a purchase of {amount}."


DID: Mapping[str, str] = {
    ActivityKind.SIGN_UP: "for joining",
    ActivityKind.PROFILE_COMPLETED: "for completing the profile",
    ActivityKind.SOCIAL_FOLLOW: "for following on {network}",
    ActivityKind.SOCIAL_SHARE: "for sharing on {network}",
    ActivityKind.REVIEW: "for a review",
    ActivityKind.CHECK_IN: "for checking in at {store}",
    ActivityKind.APP_INSTALLED: "for installing the app",
    ActivityKind.NEWSLETTER: "for reading the newsletter",
    ActivityKind.SURVEY_ANSWERED: "for answering a survey",
    ActivityKind.EVENT_ATTENDED: "for coming to an event",
    ActivityKind.BIRTHDAY: "for the birthday",
    ActivityKind.ANNIVERSARY: "for another year with us",
    ActivityKind.CUSTOM: "for {name}",
}
"""What activities earn points for; a custom one is called by its name."""


def _for_activity(told: Told) -> str:
    activity = told.why["activity"]
    names = " and ".join(rule["name"] for rule in told.why["rules"] if rule["points"])
    return f"{told.amount} {DID[activity['kind']].format(**activity)}: {names}."


def _for_what_was_done(told: Told) -> str:
    if "activity" in told.why:
        return _for_activity(told)
    return _earned(told.points, told.why, told.settings, told.writing)


def _waiting(told: Told) -> str:
    until = told.day(datetime.fromisoformat(told.why["activates_at"]))
    names = [rule["name"] for rule in told.why.get("rules", ())]
    reason = f": {', '.join(names)}" if names else ""
    return f"{told.amount} {told.are} waiting until {until}{reason}."


def _activated(told: Told) -> str:
    day = told.day(told.entry.at)
    return f"{told.amount} {told.are} yours now: they waited until {day}."


def _cancelled(told: Told) -> str:
    if told.why.get("by") == "hand":
        return f"{told.amount} that were waiting {told.are} cancelled by hand: {told.entry.text}"
    return f"{told.amount} that were waiting {told.are} cancelled: {_worth_less(told)}"


def _for_reward(told: Told) -> str:
    name = told.why.get("name")
    return f" for {name}" if name else ""


def _spent(told: Told) -> str:
    if "paid" in told.why:
        amount = _money(told.why["paid"], told.settings, told.writing)
        return f"{told.amount} paid {amount} of a purchase."
    return f"{told.amount} spent{_for_reward(told)}."


def _set_aside(told: Told) -> str:
    reason = f": {told.entry.text}" if "hold" in told.why else f"{_for_reward(told)}."
    return f"{told.amount} set aside{reason}"


def _captured(told: Told) -> str:
    for_ = f": {told.entry.text}" if told.entry.text else f"{_for_reward(told)}."
    return f"{told.amount} that were set aside {told.are} spent{for_}"


RELEASED: Mapping[str, str] = {
    "capture": "they were not needed",
    "hand": "they were not needed",
    "time": "the time was over",
    "closing": "the membership was closed",
}
"""What ended a hold, or the part of it that was not captured."""


def _released(told: Told) -> str:
    because = RELEASED[told.why["by"]] if "hold" in told.why else "the redemption did not happen"
    return f"{told.amount} that were set aside {told.are} back: {because}."


def _given_back(told: Told) -> str:
    if "paid" in told.why:
        amount = _money(told.why["paid"], told.settings, told.writing)
        return f"{told.amount} given back: they had paid {amount} of goods that were brought back."
    return f"{told.amount} given back: a redemption was cancelled."


def _taken_back(told: Told) -> str:
    if "entry" in told.why:
        done = "given back" if told.entry.points > 0 else "taken back"
        return f"{told.amount} {done}: {told.entry.text}"
    return f"{told.amount} taken back: {_worth_less(told)}"


def _worth_less(told: Told) -> str:
    after, before = map(told.writing.number, (told.why["after"], told.why["before"]))
    return f"after a refund the purchase is worth {after} instead of {before}."


def _expired(told: Told) -> str:
    if told.why.get("by") == "closing":
        return f"{told.amount} forfeited: the membership was closed."
    # Points live to the end of a day; the instant they end at belongs to the next one.
    last_day = told.day(told.entry.at - timedelta(microseconds=1))
    return f"{told.amount} expired at the end of {last_day}."


def _reclaimed(told: Told) -> str:
    if "expired" in told.why:
        return f"{told.amount} no longer forgiven: they had expired before the refund."
    return f"{told.amount} no longer forgiven: the redemption they were spent in was cancelled."


def _reinstated(told: Told) -> str:
    last_day = told.day(datetime.fromisoformat(told.why["until"]) - timedelta(microseconds=1))
    reason = f": {told.entry.text}" if told.entry.text else "."
    return f"{told.amount} {told.are} valid again until {last_day}{reason}"


def _adjusted(told: Told) -> str:
    if told.why.get("by") == "subscription":
        return f"{told.amount} to welcome you to {told.why['name']}."
    done = "added" if told.entry.points > 0 else "taken"
    return f"{told.amount} {done} by hand: {told.entry.text}"


def _given_to_another(told: Told) -> str:
    if told.why.get("fee"):
        return f"{told.amount} for giving points to another member."
    return f"{told.amount} given to another member."


def _from_another(told: Told) -> str:
    if told.why.get("returned"):
        return f"{told.amount} given back: they could not reach the other member."
    return f"{told.amount} received from another member."


def _joined(whence: str) -> Callable[[Told], str]:
    def sentence(told: Told) -> str:
        done = "parted from" if "unmerged" in told.why else "joined with"
        return f"{told.amount} {whence} the account that was {done} this one."

    return sentence


SENTENCES: Mapping[Kind | Forgiveness, Callable[[Told], str]] = {
    Kind.EARN: _for_what_was_done,
    Kind.EARN_PENDING: _waiting,
    Kind.ACTIVATE: _activated,
    Kind.CANCEL: _cancelled,
    Kind.REDEEM: _spent,
    Kind.UNREDEEM: _given_back,
    Kind.HOLD: _set_aside,
    Kind.CAPTURE: _captured,
    Kind.RELEASE: _released,
    Kind.REVERSE: _taken_back,
    Forgiveness.FORGIVEN: lambda told: (
        f"{told.amount} forgiven: they were spent before the refund."
    ),
    Forgiveness.RECLAIMED: _reclaimed,
    Kind.EXPIRE: _expired,
    Kind.REINSTATE: _reinstated,
    Kind.TRANSFER_OUT: _given_to_another,
    Kind.TRANSFER_IN: _from_another,
    Kind.MERGE_OUT: _joined("moved to"),
    Kind.MERGE_IN: _joined("from"),
    Kind.MIGRATE: lambda told: f"{told.amount} brought along from the system before.",
    Kind.ADJUST: _adjusted,
}


def _steps(why: Mapping[str, Any], settings: ProgramSettings, writing: Writing) -> list[Step]:
    """Return a step for each line, one for what multiplied their points, and one for each rule."""
    multiplied = [_multiplied(why["multiplied"], settings, writing)] if "multiplied" in why else []
    rules = _rules(why.get("rules", ()), settings, writing)
    return [*_lines(why.get("steps", ()), settings, writing), *multiplied, *rules]


def _rules(
    rules: Sequence[Mapping[str, Any]], settings: ProgramSettings, writing: Writing
) -> list[Step]:
    def amount(points: int) -> str:
        return in_words(points, settings, writing)

    return [
        Step(rule_sentence(one, amount, writing.number), None, None, one["points"]) for one in rules
    ]


def _multiplied(why: Mapping[str, Any], settings: ProgramSettings, writing: Writing) -> Step:
    by = " ".join(f"x {ratio} ({NAMED[source]} {name})" for source, _, ratio, name in why["by"])
    before, after = why["from"], why["to"]
    return Step(
        text=f"{in_words(before, settings, writing)} {by}, rounded down = {writing.number(after)}",
        product_type=None,
        amount_minor=None,
        points=after - before,
    )


def _lines(
    steps: Sequence[Mapping[str, Any]], settings: ProgramSettings, writing: Writing
) -> list[Step]:
    return [
        Step(_line(step, settings, writing), step["type"], step["amount"], step["points"])
        for step in steps
    ]


def _line(step: Mapping[str, Any], settings: ProgramSettings, writing: Writing) -> str:
    counted = _money(step["amount"], settings, writing)
    if "paid" in step:
        minor, currency, rate = step["paid"]
        counted = f"{writing.money(Amount(minor, currency))} at {rate} = {counted};"
    amount = f"{step['type']}: {counted}"
    if step.get("excluded"):
        return f"{amount} earns nothing here = 0"
    (points, per_minor), made = step["rate"], writing.number(step["points"])
    granularity, rounding = step["by"]
    per = _money(per_minor, settings, writing)
    if granularity == Granularity.STEP:
        return f"{amount} at {points} {STEPPED[rounding].format(amount=per)} = {made}"
    return f"{amount} at {points} per {per}, {ROUNDED[rounding]} = {made}"


def _money(minor: int, settings: ProgramSettings, writing: Writing) -> str:
    return writing.money(Amount(minor, settings.currency))
