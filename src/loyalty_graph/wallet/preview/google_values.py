"""Reads what a LoyaltyClass and a LoyaltyObject show, as Google Wallet reads them.

Source: Google Wallet API, REST resources loyaltyclass and loyaltyobject; where a class has no
template of its own, Google's default for loyalty cards counts.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from babel.numbers import format_currency, format_decimal

from loyalty_graph.wallet.colours import Colour
from loyalty_graph.wallet.preview.canvas import Picture
from loyalty_graph.wallet.preview.fields import Shown
from loyalty_graph.wallet.words import language

Json = Mapping[str, Any]
MICROS = 1_000_000
OVER = ("EXPIRED", "INACTIVE", "COMPLETED")
KINDS = {"QR_CODE": "QR", "PDF_417": "PDF417", "AZTEC": "Aztec", "CODE_128": "Code128"}
ITEMS = ("item", "startItem", "middleItem", "endItem")
ROWS = (("object.loyaltyPoints", "object.secondaryLoyaltyPoints", "class.rewardsTier"),)
DETAILS = ("object.accountName", "object.accountId")
LABELS = {"accountName": "Member name", "accountId": "Member ID", "rewardsTier": "Tier"}
MODULE = re.compile(r"textModulesData\['([^']+)'\]")


@dataclass(frozen=True, slots=True)
class Code:
    """What is to be scanned, the name of its kind, and the text below it."""

    message: str
    kind: str
    below: str


@dataclass(frozen=True)
class LoyaltyCard:
    """A class and an object as data, and the images that their addresses end with."""

    loyalty_class: Json
    loyalty_object: Json
    images: Mapping[str, bytes]
    locale: str

    @property
    def issuer_name(self) -> str:
        """Return the name beside the logo."""
        return self._text(self.loyalty_class, "issuerName")

    @property
    def program_name(self) -> str:
        """Return the title of the card."""
        return self._text(self.loyalty_class, "programName")

    @property
    def background(self) -> Colour:
        """Return the ground: that of the object before that of the class."""
        text = self._first("hexBackgroundColor") or "#ffffff"
        return Colour(*bytes.fromhex(text.removeprefix("#")))

    @property
    def is_over(self) -> bool:
        """Return whether the card is good for nothing any more."""
        return self.loyalty_object.get("state") in OVER

    @property
    def logo(self) -> Picture | None:
        """Return the round image of the title."""
        return self._picture(self.loyalty_class.get("programLogo"))

    @property
    def hero(self) -> Picture | None:
        """Return the wide image along the lower edge."""
        return self._picture(self._first("heroImage"))

    @property
    def code(self) -> Code | None:
        """Return the code of the card."""
        barcode = self.loyalty_object.get("barcode")
        if not barcode or not barcode.get("value"):
            return None
        kind = KINDS.get(barcode["type"], barcode["type"])
        return Code(barcode["value"], kind, barcode.get("alternateText", ""))

    @property
    def rows(self) -> list[list[Shown]]:
        """Return the rows below the title, without those that have nothing to show."""
        template = _inside(self.loyalty_class, "classTemplateInfo", "cardTemplateOverride")
        given = [
            [path for key in ITEMS for path in _paths(row.get(key))]
            for info in template.get("cardRowTemplateInfos", ())
            for row in info.values()
        ]
        rows = [self._shown(paths) for paths in given or ROWS]
        return [row for row in rows if row]

    @cached_property
    def details(self) -> list[Shown]:
        """Return the list of details: messages, who it belongs to, texts, links."""
        template = _inside(self.loyalty_class, "classTemplateInfo", "detailsTemplateOverride")
        given = [
            path
            for info in template.get("detailsItemInfos", ())
            for path in _paths(info.get("item"))
        ]
        return [
            *(Shown(one.get("header", ""), one["body"]) for one in self._all("messages")),
            *self._shown(given or [*DETAILS, *self._modules()]),
            *(
                Shown(self._text(one, "description"), one["uri"])
                for holder in (self.loyalty_object, self.loyalty_class)
                for one in _inside(holder, "linksModuleData").get("uris", ())
            ),
        ]

    def _shown(self, paths: Sequence[str]) -> list[Shown]:
        return [field for path in paths if (field := self._field(path)) is not None]

    def _field(self, path: str) -> Shown | None:
        """Return what a field path of a template points at; None where there is nothing."""
        root, _, rest = path.partition(".")
        holder = self.loyalty_object if root == "object" else self.loyalty_class
        if module := MODULE.match(rest):
            found = (one for one in holder.get("textModulesData", ()) if one["id"] == module[1])
            text = next(found, None)
            return text and Shown(self._text(text, "header"), self._text(text, "body"))
        key = rest.split(".")[0]
        value = holder.get(key)
        if isinstance(value, Mapping):
            balance = self._balance(value.get("balance", {}))
            return Shown(self._text(value, "label"), balance) if balance else None
        label = self._text(self.loyalty_class, f"{key}Label") or LABELS.get(key, "")
        text = self._text(holder, key)
        return Shown(label, text) if text else None

    def _balance(self, balance: Json) -> str:
        if "int" in balance:
            return format_decimal(int(balance["int"]), locale=self.locale)
        if "money" in balance:
            money = balance["money"]
            amount = Decimal(money["micros"]) / MICROS
            return format_currency(amount, money["currencyCode"], locale=self.locale)
        return str(balance.get("string", ""))

    def _text(self, holder: Json, key: str) -> str:
        """Return a text in the card's language, else in its first one."""
        localized = holder.get(f"localized{key[0].upper()}{key[1:]}", {})
        default = localized.get("defaultValue", {})
        given = {one["language"]: one["value"] for one in localized.get("translatedValues", ())}
        found = given.get(language(self.locale, tuple(given)))
        return str(found or default.get("value") or holder.get(key) or "")

    def _modules(self) -> Iterator[str]:
        for root, holder in (("object", self.loyalty_object), ("class", self.loyalty_class)):
            for module in holder.get("textModulesData", ()):
                yield f"{root}.textModulesData['{module['id']}']"

    def _all(self, key: str) -> list[Json]:
        return [*self.loyalty_object.get(key, ()), *self.loyalty_class.get(key, ())]

    def _first(self, key: str) -> Any:
        return self.loyalty_object.get(key) or self.loyalty_class.get(key)

    def _picture(self, image: Json | None) -> Picture | None:
        address = _inside(image or {}, "sourceUri").get("uri", "")
        data = self.images.get(address.rpartition("/")[2])
        return Picture.of(data, 1) if data else None


def _paths(item: Json | None) -> Iterator[str]:
    """Yield the first path of each value of a template's item; the others are its substitutes."""
    for key in ("firstValue", "secondValue"):
        for field in _inside(item or {}, key).get("fields", ())[:1]:
            yield field["fieldPath"]


def _inside(holder: Json, *keys: str) -> Json:
    for key in keys:
        holder = holder.get(key) or {}
    return holder
