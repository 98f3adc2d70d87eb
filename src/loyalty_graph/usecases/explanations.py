"""Why points moved: the reason, a sentence in the member's language, and the reckoning."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from loyalty_graph.ledger.kinds import Forgiveness, Kind, meaning
from loyalty_graph.ledger.reads import Entry
from loyalty_graph.money import Money
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.usecases import explanation_steps
from loyalty_graph.usecases.activity_words import DID
from loyalty_graph.usecases.event_words import event_in_words
from loyalty_graph.usecases.explanation_steps import Step
from loyalty_graph.usecases.lot_words import COMMA, Used, consumption
from loyalty_graph.usecases.phrases import SENTENCES, Phrase
from loyalty_graph.usecases.writing import PLAIN, InLanguages, Writing, in_words

IS: InLanguages = ("is", "ist", "", "")
ARE: InLanguages = ("are", "sind", "", "")
NOTHING_USED = Used()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why points moved: the reason, its sentence, and the reckoning, empty where there was none.

    `consumption` tells which lots the points came from, None where that says nothing; `used` is
    the same in numbers.
    """

    phrase: Phrase
    summary: str
    steps: list[Step]
    consumption: str | None = None
    used: Used = NOTHING_USED


@dataclass(frozen=True, slots=True)
class Told:
    """What a sentence may speak of: the points (above zero), the details, the words for them."""

    points: int
    why: Mapping[str, Any]
    entry: Entry
    settings: ProgramSettings
    writing: Writing

    def day(self, at: datetime) -> str:
        """Return a day of the programme in words."""
        return self.writing.date(at.astimezone(self.settings.zone).date())

    def money(self, minor: int) -> str:
        """Return an amount of the programme's currency in words."""
        return self.writing.money(Money(minor, self.settings.currency))

    @property
    def text(self) -> str:
        """Return the reason that somebody gave."""
        return self.writing.within(self.entry.text)


Said = tuple[Phrase, dict[str, str]]
"""A reason, and what its sentence is filled with beside the amount."""


def explain_entry(
    entry: Entry, settings: ProgramSettings, writing: Writing = PLAIN, used: Used = NOTHING_USED
) -> Explanation | None:
    """Return why an entry stands in the ledger, or None when its details were erased."""
    if entry.explanation is None:
        return None
    points = abs(entry.points or entry.held or entry.pending)
    told = Told(points, entry.explanation, entry, settings, writing)
    phrase, values = REASONS[meaning(entry.kind, entry.debit, entry.credit)](told)
    return Explanation(
        phrase,
        _sentence(phrase, points, settings, writing, values),
        explanation_steps.steps(entry.explanation, settings, writing),
        consumption(used, entry.at, settings, writing),
        used,
    )


def explain_purchase(
    points: int, why: Mapping[str, Any], settings: ProgramSettings, writing: Writing = PLAIN
) -> Explanation:
    """Return why a purchase earns its points."""
    phrase, values = _earned(why, settings, writing)
    return Explanation(
        phrase,
        _sentence(phrase, points, settings, writing, values),
        explanation_steps.steps(why, settings, writing),
    )


def _sentence(
    phrase: Phrase,
    points: int,
    settings: ProgramSettings,
    writing: Writing,
    values: Mapping[str, str],
) -> str:
    amount = in_words(points, settings, writing)
    are = writing.say(IS if points == 1 else ARE, {})
    return writing.say(SENTENCES[phrase], {"amount": amount, "are": are, **values})


def _earned(why: Mapping[str, Any], settings: ProgramSettings, writing: Writing) -> Said:
    if not why["steps"]:
        names = [writing.within(rule["name"]) for rule in why["rules"]]
        return Phrase.PURCHASE_BY_RULES, {"names": writing.listed(names)}
    total = sum(step["amount"] for step in why["steps"])
    money = writing.money(Money(total, settings.currency))
    if paid := [step["paid"] for step in why["steps"] if "paid" in step]:
        given = Money(sum(minor for minor, _, _ in paid), paid[0][1])
        money = f"{writing.money(given)} ({money})"
    return Phrase.PURCHASE, {"money": money}


def _for_what_was_done(told: Told) -> Said:
    if "activity" not in told.why:
        return _earned(told.why, told.settings, told.writing)
    writing, activity = told.writing, told.why["activity"]
    names = [writing.within(rule["name"]) for rule in told.why["rules"] if rule["points"]]
    values = {name: writing.within(str(value)) for name, value in activity.items()}
    did = writing.say(DID[activity["kind"]], values)
    return Phrase.ACTIVITY, {"did": did, "names": writing.listed(names)}


def _waiting(told: Told) -> Said:
    names = [told.writing.within(rule["name"]) for rule in told.why.get("rules", ())]
    values = {
        "day": told.day(datetime.fromisoformat(told.why["activates_at"])),
        "rules": f": {told.writing.say(COMMA, {}).join(names)}" if names else "",
    }
    if event := told.why.get("awaits"):
        return Phrase.WAITING_FOR_EVENT, {**values, "event": event_in_words(event, told.writing)}
    return Phrase.WAITING, values


def _cancelled(told: Told) -> Said:
    if told.why.get("by") == "hand":
        return Phrase.CANCELLED_BY_HAND, {"text": told.text}
    if "void" in told.why:
        return Phrase.CANCELLED_FOR_VOID, {}
    return Phrase.CANCELLED_FOR_REFUND, _worth_less(told)


def _worth_less(told: Told) -> dict[str, str]:
    return {name: told.writing.number(told.why[name]) for name in ("after", "before")}


def _for_reward(told: Told, named: Phrase, plain: Phrase) -> Said:
    name = told.why.get("name")
    return (named, {"name": told.writing.within(name)}) if name else (plain, {})


def _spent(told: Told) -> Said:
    if "paid" in told.why:
        return Phrase.PAID, {"money": told.money(told.why["paid"])}
    return _for_reward(told, Phrase.SPENT_FOR_REWARD, Phrase.SPENT)


def _given_back(told: Told) -> Said:
    if "paid" in told.why:
        return Phrase.PAID_BACK, {"money": told.money(told.why["paid"])}
    return Phrase.REDEMPTION_CANCELLED, {}


def _set_aside(told: Told) -> Said:
    if "hold" in told.why:
        return Phrase.HELD_WITH_REASON, {"text": told.text}
    return _for_reward(told, Phrase.HELD_FOR_REWARD, Phrase.HELD)


def _captured(told: Told) -> Said:
    if told.entry.text:
        return Phrase.CAPTURED_WITH_REASON, {"text": told.text}
    return _for_reward(told, Phrase.CAPTURED_FOR_REWARD, Phrase.CAPTURED)


RELEASED: Mapping[str, Phrase] = {
    "capture": Phrase.HOLD_NOT_NEEDED,
    "hand": Phrase.HOLD_NOT_NEEDED,
    "time": Phrase.HOLD_TIMED_OUT,
    "closing": Phrase.HOLD_CLOSED,
}
"""What ended a hold, or the part of it that was not captured."""


def _released(told: Told) -> Said:
    if "hold" not in told.why:
        return Phrase.NOT_REDEEMED, {}
    if told.why["by"] == "hand" and told.entry.text:
        return Phrase.RELEASED_WITH_REASON, {"text": told.text}
    return RELEASED[told.why["by"]], {}


def _taken_back(told: Told) -> Said:
    if "entry" in told.why:
        is_back = told.entry.points > 0
        return Phrase.GIVEN_BACK if is_back else Phrase.TAKEN_BACK, {"text": told.text}
    if "void" in told.why:
        phrase = Phrase.TAKEN_BACK_FOR_VOID if told.points else Phrase.KEPT_FOR_VOID
        return phrase, {"unit": told.settings.points.unit_other}
    if not told.points:
        return Phrase.KEPT, {"unit": told.settings.points.unit_other, **_worth_less(told)}
    return Phrase.TAKEN_BACK_FOR_REFUND, _worth_less(told)


def _forgiven(told: Told) -> Said:
    is_of_goods = "void" not in told.why and "entry" not in told.why
    return Phrase.FORGIVEN if is_of_goods else Phrase.FORGIVEN_SPENT, {}


def _expired(told: Told) -> Said:
    if told.why.get("by") == "closing":
        return Phrase.FORFEITED, {}
    # Points live to the end of a day; the instant they end at belongs to the next one.
    return Phrase.EXPIRED, {"day": told.day(told.entry.at - timedelta(microseconds=1))}


def _reclaimed(told: Told) -> Said:
    return (Phrase.RECLAIMED_EXPIRED if "expired" in told.why else Phrase.RECLAIMED), {}


def _reinstated(told: Told) -> Said:
    day = told.day(datetime.fromisoformat(told.why["until"]) - timedelta(microseconds=1))
    if told.entry.text:
        return Phrase.REINSTATED_WITH_REASON, {"day": day, "text": told.text}
    return Phrase.REINSTATED, {"day": day}


def _adjusted(told: Told) -> Said:
    if told.why.get("by") == "subscription":
        return Phrase.WELCOME, {"name": told.writing.within(told.why["name"])}
    is_added = told.entry.points > 0
    return Phrase.ADDED_BY_HAND if is_added else Phrase.TAKEN_BY_HAND, {"text": told.text}


REASONS: Mapping[Kind | Forgiveness, Callable[[Told], Said]] = {
    Kind.EARN: _for_what_was_done,
    Kind.EARN_PENDING: _waiting,
    Kind.ACTIVATE: lambda told: (Phrase.ACTIVATED, {"day": told.day(told.entry.at)}),
    Kind.CANCEL: _cancelled,
    Kind.REDEEM: _spent,
    Kind.UNREDEEM: _given_back,
    Kind.HOLD: _set_aside,
    Kind.CAPTURE: _captured,
    Kind.RELEASE: _released,
    Kind.REVERSE: _taken_back,
    Forgiveness.FORGIVEN: _forgiven,
    Forgiveness.RECLAIMED: _reclaimed,
    Kind.EXPIRE: _expired,
    Kind.REINSTATE: _reinstated,
    Kind.TRANSFER_OUT: lambda told: (
        (Phrase.GIVING_FEE if told.why.get("fee") else Phrase.GIVEN_AWAY),
        {},
    ),
    Kind.TRANSFER_IN: lambda told: (
        (Phrase.NOT_RECEIVED if told.why.get("returned") else Phrase.RECEIVED),
        {},
    ),
    Kind.MERGE_OUT: lambda told: (
        (Phrase.PARTED_OUT if "unmerged" in told.why else Phrase.MERGED_OUT),
        {},
    ),
    Kind.MERGE_IN: lambda told: (
        (Phrase.PARTED_IN if "unmerged" in told.why else Phrase.MERGED_IN),
        {},
    ),
    Kind.MIGRATE: lambda _: (Phrase.MIGRATED, {}),
    Kind.ADJUST: _adjusted,
}
"""How the reason of an entry is found, by what it is for."""
