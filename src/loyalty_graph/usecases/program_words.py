"""A programme's settings in plain words, for the people who answer for it.

Units are told by the ends of names (`price_minor`, `trial_days`), so that settings of any part are
told without being known here; the best known ones have a phrase of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from loyalty_graph.money import Money

TEXT_SHOWN_MAX = 60
CONDITIONS = frozenset({"when", "where", "lines", "audience"})
TOLD_WHOLE = CONDITIONS | {"budget", "schedule", "expiry"}
"""Tables that are told as one, also when a part of them differs."""

EMPTY: tuple[Any, ...] = (None, "", [], {})

_PHRASES: Mapping[str, str] = {
    "name": "called “{}”",
    "cost_points": "costs {}",
    "tier_costs": "costs {}",
    "price_minor": "costs {}",
    "unit_cost_minor": "costs the programme {}",
    "value_minor": "worth {}",
    "worth_minor": "worth {}",
    "percent": "takes {} off",
    "stock": "limited to {} in all",
    "limit_per_member": "limited to {} for each member",
    "opens_at": "from {}",
    "closes_at": "until {}",
    "code_days": "its codes live {}",
    "hold_minutes_max": "can be set aside for {}",
    "entry": "reached with {}",
    "keep": "kept with {}",
    "multiplier": "multiplies points by {}",
    "benefits": "grants {}",
    "grace_days": "with {} of grace",
    "interval": "paid by the {}",
    "trial_days": "free for {} at first",
    "welcome_points": "welcomes with {}",
    "uses": "can be used {}",
    "per": "in each {}",
    "points": "gives {}",
    "per_amount_minor": "for each {}",
    "from_minor": "from {} on",
    "accept_days": "accepts purchases up to {} old",
    "claim_days": "receipts can be claimed for {}",
    "expiry_months": "points live {}",
    "expiry": "points {}",
    "excluded_product_types": "nothing is earned by {}",
    "basket_percent_max": "points pay at most {} of a basket",
    "min_points": "at least {} at once",
    "max_points": "at most {} at once",
    "max_points_per_day": "at most {} a day",
    "max_points_per_year": "at most {} a year",
    "fee_points": "costs {}",
    "fee_percent": "costs {} of what is given",
    "when": "when {}",
    "lines": "for lines where {}",
    "audience": "for members with {}",
    "tiers": "for the tiers {}",
    "plans": "for subscribers of {}",
    "segments": "for the segments {}",
    "caps": "at most {}",
    "budget": "with a budget of {}",
    "on": "for {}",
    "cooldown_hours": "counts once in {}",
    "schedule": "open {}",
    "pending": "points wait {}",
    "stacking": "bonuses of one purchase stack by {}",
    "city": "in {}",
}
_YES_OR_NO: Mapping[str, tuple[str, str]] = {
    "refundable": ("can be brought back", "cannot be brought back"),
    "needs_proof": ("needs a proof", "needs no proof"),
    "carry": ("carries over what a step leaves", "carries nothing over"),
    "keeps_dates": ("points keep the dates they had", "points live as if earned anew"),
    "sandbox": ("is a sandbox: nothing is real", "is real"),
}
_AHEAD: Mapping[str, str] = {"not": "not", "any_line": "any line", "all_lines": "every line"}
_COMPARISONS: Mapping[str, str] = {
    "is": "is {}",
    "is_not": "is not {}",
    "in": "is one of {}",
    "not_in": "is none of {}",
    "at_least": "is at least {}",
    "at_most": "is at most {}",
    "more_than": "is more than {}",
    "less_than": "is less than {}",
    "between": "is between {}",
    "has": "has {}",
    "has_any": "has any of {}",
    "has_all": "has all of {}",
}
_NEGATIONS = {"is": " not", "has": " no"}
"""What makes a flag false: the names of flags begin with these verbs."""

_CHOICES = frozenset({"in", "not_in", "has_any"})


def human(name: str) -> str:
    """Return the name of a setting without its unit, as people write it."""
    return name.removesuffix("_minor").replace("_", " ")


@dataclass(frozen=True, slots=True)
class Words:
    """How a programme counts: its currency, what its points are called, its time zone.

    `counts_spend` says that tiers are reached with money.
    """

    currency: str
    unit_one: str
    unit_other: str
    zone: ZoneInfo
    counts_spend: bool

    def money(self, minor: int) -> str:
        """Return an amount such as 1,200.00 USD."""
        whole, dot, decimals = Money(minor, self.currency).to_text().partition(".")
        return f"{int(whole):,}{dot}{decimals} {self.currency}"

    def points(self, count: int) -> str:
        """Return a number of points, as the programme calls them."""
        return f"{count:,} {self.unit_one if count == 1 else self.unit_other}"

    def value(self, name: str, value: Any) -> str:
        """Return what a setting of this name says."""
        if isinstance(value, Mapping):
            return self._table(name, value)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return self._list(name, value)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, int):
            return self._number(name, value)
        return self._text(name, value) if isinstance(value, str) else str(value)

    def phrase(self, name: str, value: Any) -> str:
        """Return a setting and its value, such as: costs 900 points."""
        if isinstance(value, bool):
            yes, no = _YES_OR_NO.get(name, (f"{human(name)}: yes", f"{human(name)}: no"))
            return yes if value else no
        if name in {"rate", "steps"} and not isinstance(value, str):
            return self.value(name, value)
        return _PHRASES.get(name, f"{human(name)}: {{}}").replace("{}", self.value(name, value))

    def changed(self, name: str, before: Any, after: Any) -> str:
        """Return what is different about a setting."""
        if before in EMPTY:
            return f"now {self.phrase(name, after)}"
        if after in EMPTY:
            return f"no longer {self.phrase(name, before)}"
        if isinstance(after, bool):
            return self.phrase(name, after)
        if _is_plain_list(before) and _is_plain_list(after):
            return self._list_changed(name, before, after)
        if isinstance(after, str) and max(len(after), len(str(before))) > TEXT_SHOWN_MAX:
            return f"{human(name)} worded anew"
        was = self.value(name, before)
        if self._is_points(name) and isinstance(before, int):
            was = f"{before:,}"
        return f"{self.phrase(name, after)} instead of {was}"

    def _list_changed(self, name: str, before: Sequence[Any], after: Sequence[Any]) -> str:
        new = [one for one in after if one not in before]
        gone = [one for one in before if one not in after]
        if not new and not gone:
            return f"{human(name)} in another order"
        told = [f"now also {self.value(name, new)}"] * bool(new)
        told += [f"no longer {self.value(name, gone)}"] * bool(gone)
        return f"{human(name)}: {', '.join(told)}"

    def _is_points(self, name: str) -> bool:
        is_threshold = name in {"entry", "keep"} and not self.counts_spend
        return is_threshold or name == "points" or name.endswith("_points")

    def _number(self, name: str, value: int) -> str:
        if name.endswith("_minor") or (name in {"entry", "keep"} and self.counts_spend):
            return self.money(value)
        if self._is_points(name):
            return self.points(value)
        if name == "percent" or name.endswith(("_percent", "_percent_max")):
            return f"{value}%"
        if name in {"uses", "times"}:
            return "once" if value == 1 else f"{value:,} times"
        for unit in ("day", "month", "minute", "hour"):
            if name.removesuffix("_max").endswith(f"{unit}s"):
                return f"{value:,} {unit if value == 1 else f'{unit}s'}"
        return f"{value:,}"

    def _text(self, name: str, value: str) -> str:
        if name.endswith("_at"):
            return f"{self._local(datetime.fromisoformat(value)):%d %b %Y, %H:%M}"
        if name in {"per", "interval"}:
            return value.lower()
        short = value if len(value) <= TEXT_SHOWN_MAX else f"{value[:TEXT_SHOWN_MAX]}…"
        return " ".join(short.split())

    def _local(self, moment: datetime) -> datetime:
        """Return a moment in the programme's zone; as it stands, at the calendar's very ends."""
        try:
            return moment.astimezone(self.zone)
        except OverflowError:
            return moment

    def _list(self, name: str, values: Sequence[Any], last: str = "and") -> str:
        told = [self.value(name, one) for one in values]
        if any(isinstance(one, Mapping) for one in values):
            return "; ".join(told)
        return f"{', '.join(told[:-1])} {last} {told[-1]}" if len(told) > 1 else "".join(told)

    def _table(self, name: str, table: Mapping[str, Any]) -> str:
        if name in CONDITIONS:
            return self.condition(table)
        told = {part: value for part, value in table.items() if value not in EMPTY}
        if name in {"caps", "budget"}:
            amount = (
                self.points(told["points"])
                if "points" in told
                else self.value("times", told["times"])
            )
            per = told.get("per", "EVER").lower()
            whose = " for all members together" if told.get("scope") == "PROGRAM" else ""
            return f"{amount} {'ever' if per == 'ever' else f'per {per}'}{whose}"
        if name == "schedule":
            return f"{told['rrule']}, from {told['begins']} on, {told['minutes']} minutes each"
        if name in {"pending", "expiry"}:
            return (self._wait if name == "pending" else self._expiry)(told)
        if name == "tier_costs":
            return ", ".join(f"{self.points(cost)} for {tier}" for tier, cost in told.items())
        return ", ".join(self.phrase(part, value) for part, value in told.items())

    def _wait(self, told: Mapping[str, Any]) -> str:
        if "event" in told:
            latest = self.value("latest_days", told["latest_days"])
            return f"for {human(told['event']).lower()}, {latest} at the latest"
        if "until" in told:
            return f"until {told['until']}"
        return f"for {self.value('days', told['days'])}"

    def _expiry(self, told: Mapping[str, Any]) -> str:
        days = told.get("notice_days")
        notice = f", and end {self.value('notice_days', days)} after a notice" if days else ""
        days = told.get("reinstate_days")
        more = f", {self.value('reinstate_days', days)} more if given back later" if days else ""
        return f"{self._life(told)}{notice}{more}"

    def _life(self, told: Mapping[str, Any]) -> str:
        if dates := told.get("dates"):
            young = told.get("minimum_months")
            old_enough = f", {self.value('months', young)} old at least" if young else ""
            return f"live to the next {self._list('dates', dates, 'or')}{old_enough}"
        if told.get("months") is None:
            return "live for ever"
        end = str(told.get("end", "DAY")).lower()
        to_the_end = "" if end == "day" else f", to the end of the {end}"
        resets = told.get("resets")
        since = f" after the last {self._list('resets', resets, 'or')}" if resets else ""
        return f"live {self.value('months', told['months'])}{since}{to_the_end}"

    def condition(self, tree: Mapping[str, Any]) -> str:
        """Return a condition as a sentence's part; everything in one table must hold."""
        return " and ".join(self._term("", name, part) for name, part in tree.items())

    def _term(self, group: str, name: str, given: Any) -> str:
        if name in {"all", "any"}:
            between = " and " if name == "all" else " or "
            return f"({between.join(self.condition(one) for one in given)})"
        if name in _AHEAD:
            return f"{_AHEAD[name]} ({self.condition(given)})"
        if name in {"count_lines", "sum_lines"}:
            return self._over_lines(name, given)
        if isinstance(given, Mapping) and not (group or given.keys() & {*_COMPARISONS, "is_set"}):
            return " and ".join(self._term(name, term, part) for term, part in given.items())
        if not isinstance(given, Mapping):
            given = {"in" if isinstance(given, list) else "is": given}
        if isinstance(given.get("is"), bool):
            verb, _, rest = name.partition("_")
            negation = "" if given["is"] else _NEGATIONS.get(verb, " not")
            return f"{group} {verb}{negation} {human(rest)}"
        subject = f"{group} {human(name)}".replace("_", " ").strip()
        told = [self._comparison(name, how, to) for how, to in given.items()]
        return f"{subject} {' and '.join(told)}"

    def _over_lines(self, name: str, given: Mapping[str, Any]) -> str:
        counted = str(given.get("of", "")) if name == "sum_lines" else ""
        what = f"the sum of {human(counted)}" if counted else "the number of lines"
        where = f" where {self.condition(given['where'])}" if given.get("where") else ""
        rest = {how: to for how, to in given.items() if how not in {"of", "where"}}
        told = [self._comparison(counted, how, to) for how, to in rest.items()]
        return f"{what}{where} {' and '.join(told)}"

    def _comparison(self, name: str, how: str, to: Any) -> str:
        if how == "is_set":
            return "is known" if to else "is not known"
        if how in {"in", "not_in"} and len(to) == 1:
            how, to = ("is" if how == "in" else "is_not"), to[0]
        told = self._list(name, to, "or") if how in _CHOICES else self.value(name, to)
        return _COMPARISONS.get(how, f"{human(how)} {{}}").replace("{}", told)


def _is_plain_list(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(one, Mapping) for one in value)
