"""What differs between two versions of a programme, told as people would tell it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from loyalty_graph.usecases.program_words import EMPTY, TOLD_WHOLE, Words, human

Parts = Mapping[str, Any]
"""A programme as JSON values, its parts as they stand in the file."""

NOUNS: Mapping[str, str] = {
    "program": "Programme",
    "branding": "Look",
    "earning": "Earning",
    "tiers": "Tiers",
    "earning.default_rate": "Rate for other types",
    "earning.rates": "Rate for",
    "earning.rules": "Rule",
    "earning.offers": "Offer",
    "tiers.levels": "Tier",
    "subscription_plans": "Plan",
}
"""What parts, and the items of lists, are called; others by the name of the part."""

NAMED_BY = ("code", "product_types")
IDENTITY = frozenset({*NAMED_BY, "name", "description"})
NAME_PARTS_MAX = 2


class ChangeKind(StrEnum):
    """What became of something."""

    NEW = "NEW"
    CHANGED = "CHANGED"
    GONE = "GONE"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    `place` is where it stands in the file, items by their names; `details` are what there is to say
    of something new. `before` and `after` are the values as JSON, None for nothing.
    """

    part: str
    subject: str
    kind: ChangeKind
    text: str
    place: str
    before: Any = None
    after: Any = None
    details: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Return it as one sentence, such as: Reward NOTE: costs 900 points instead of 1,000."""
        if self.kind is ChangeKind.CHANGED:
            return f"{self.subject}: {self.text}"
        told = "; ".join((self.text, *self.details) if self.text else self.details)
        verb = "is new" if self.kind is ChangeKind.NEW else "is gone"
        return f"{self.subject} {verb}{f': {told}' if told else ''}"


def words_of(parts: Parts) -> Words:
    """Return how a programme counts."""
    program = parts["program"]
    points = program["points"]
    return Words(
        currency=program["currency"],
        unit_one=points["unit_one"],
        unit_other=points["unit_other"],
        zone=ZoneInfo(program["time_zone"]),
        counts_spend=(parts.get("tiers") or {}).get("basis") == "SPEND",
    )


def changes(before: Parts | None, after: Parts, *, stated: Parts) -> list[Change]:
    """Return what differs, part by part in the order of the file.

    Args:
        before: What runs; None when nothing does: then only items of lists and the rate for types
            without one of their own are told.
        after: What shall run.
        stated: The same without what is as by default.
    """
    compare = _Comparison(words_of(after), is_first=before is None)
    old: Parts = before or {}
    found: list[Change] = []
    for part in [*after, *(name for name in old if name not in after)]:
        found += compare.part(part, old.get(part), after.get(part), stated.get(part))
    return found


class _Comparison:
    def __init__(self, words: Words, *, is_first: bool) -> None:
        self._words = words
        self._is_first = is_first

    def part(self, name: str, before: Any, after: Any, stated: Any) -> Iterator[Change]:
        if isinstance(before, list) or isinstance(after, list):
            yield from self._items(name, name, before or [], after or [], stated or [])
        else:
            subject = NOUNS.get(name, human(name).capitalize())
            yield from self._table(_Here(name, name, subject), before or {}, after or {}, stated)

    def _table(self, here: "_Here", before: Parts, after: Parts, stated: Any) -> Iterator[Change]:
        for name in [*after, *(one for one in before if one not in after)]:
            old, new = before.get(name), after.get(name)
            if old == new or (old in EMPTY and new in EMPTY):
                continue
            own = (stated or {}).get(name)
            if _has_names(old) or _has_names(new):
                place = f"{here.place}.{name}"
                yield from self._items(here.part, place, old or [], new or [], own or [])
            elif self._is_first and not here.is_item:
                yield from self._first(here.part, f"{here.place}.{name}", new, own or {})
            elif isinstance(old, Mapping) and isinstance(new, Mapping) and name not in TOLD_WHOLE:
                yield from self._table(here.below(name), old, new, own)
            else:
                told = self._changed(here, name, old, new)
                place = f"{here.place}.{name}"
                kind = ChangeKind.CHANGED
                yield Change(here.part, here.subject, kind, told, place, old, new)

    def _first(self, part: str, place: str, new: Any, stated: Parts) -> Iterator[Change]:
        """Tell a table of the first version that is called something; the rest goes unsaid."""
        if place in NOUNS:
            here = _Here(part, place, NOUNS[place])
            yield self._whole(here, ChangeKind.NEW, new, tuple(self._said(stated)))

    def _changed(self, here: "_Here", name: str, old: Any, new: Any) -> str:
        if here.place.endswith(".tier_costs"):
            return f"{self._words.changed('cost_points', old, new)} for tier {name}"
        return here.ahead + self._words.changed(name, old, new)

    def _items(
        self,
        part: str,
        place: str,
        before: Sequence[Parts],
        after: Sequence[Parts],
        stated: Sequence[Parts],
    ) -> Iterator[Change]:
        noun = NOUNS.get(place, human(place.rpartition(".")[2]).removesuffix("s").capitalize())
        old, new = _by_name(before), _by_name(after)
        own = dict(zip(new, stated, strict=False))
        for name, item in new.items():
            here = _Here(part, f"{place}[{name}]", f"{noun} {name}", is_item=True)
            if name in old:
                yield from self._table(here, old[name], item, own.get(name))
            else:
                yield self._whole(here, ChangeKind.NEW, item, tuple(self._said(own.get(name, {}))))
        for name in (one for one in old if one not in new):
            here = _Here(part, f"{place}[{name}]", f"{noun} {name}", is_item=True)
            yield self._whole(here, ChangeKind.GONE, old[name], ())
        kept = [name for name in new if name in old]
        if kept != [name for name in old if name in new]:
            subject = human(place.rpartition(".")[2]).capitalize()
            told = f"in another order: {', '.join(new)}"
            yield Change(part, subject, ChangeKind.CHANGED, told, place, list(old), list(new))

    @staticmethod
    def _whole(here: "_Here", kind: ChangeKind, item: Parts, said: tuple[str, ...]) -> Change:
        name = str(item.get("name") or "")
        text = f"“{name}”" if name else ""
        before, after = (None, item) if kind is ChangeKind.NEW else (item, None)
        return Change(here.part, here.subject, kind, text, here.place, before, after, said)

    def _said(self, item: Parts) -> Iterator[str]:
        """Yield what there is to say of a new item, beside what it is called."""
        for name, value in item.items():
            if name not in IDENTITY and value not in EMPTY:
                yield self._words.phrase(name, value)


@dataclass(frozen=True, slots=True)
class _Here:
    """Where a comparison stands; `ahead` is said in front of what differs inside a table."""

    part: str
    place: str
    subject: str
    is_item: bool = False
    ahead: str = ""

    def below(self, name: str) -> "_Here":
        ahead = f"{self.ahead}{human(name)}: "
        return _Here(self.part, f"{self.place}.{name}", self.subject, self.is_item, ahead)


def _has_names(value: Any) -> bool:
    """Return whether this is a list of items that are known by a name."""
    is_list = isinstance(value, list) and bool(value)
    return is_list and isinstance(value[0], Mapping) and any(one in value[0] for one in NAMED_BY)


def _by_name(items: Sequence[Parts]) -> dict[str, Parts]:
    """Return items by what they are known by, so that one more in front changes no other."""
    seen: Counter[str] = Counter()
    named: dict[str, Parts] = {}
    for item in items:
        name = _name(item)
        seen[name] += 1
        named[name if seen[name] == 1 else f"{name} #{seen[name]}"] = item
    return named


def _name(item: Parts) -> str:
    known = next((item[name] for name in NAMED_BY if item.get(name)), None)
    if known is None:
        known = [value for value in item.values() if isinstance(value, str)][:NAME_PARTS_MAX]
    return ", ".join(known) if isinstance(known, list) else str(known)


def changed_on_cards(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what cards show differently after a change of the file, whatever members do."""
    old, new = _shown_on_cards(before), _shown_on_cards(after)
    return [name for name, shown in new.items() if old[name] != shown]


def _shown_on_cards(file: Mapping[str, Any]) -> dict[str, Any]:
    program, steps = file["program"], file.get("tiers") or {}
    own = {name.replace("_", " "): program[name] for name in ("name", "time_zone", "branding")}
    units = [program["points"][name] for name in ("unit_one", "unit_other")]
    standing = [steps.get(name) for name in ("basis", "window", "downgrade", "grace_days")]
    levels = [
        [level.get(name) for name in ("code", "name", "entry", "keep", "color")]
        for level in steps.get("levels", ())
    ]
    plans = [(plan["code"], plan["name"]) for plan in file.get("subscription_plans", ())]
    return {**own, "points": units, "tiers": [standing, levels], "plans": plans}
