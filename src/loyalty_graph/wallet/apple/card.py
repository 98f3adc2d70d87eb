"""The Apple pass as a model: wallet-py3k's `Pass`, cured of its defects, and its printer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wallet.models import Barcode, Field, Pass, StoreCard

from loyalty_graph.wallet.apple.archive import PassArchive
from loyalty_graph.wallet.apple.signing import PassIdentity, Signer
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.images import variants
from loyalty_graph.wallet.strings import Spoken
from loyalty_graph.wallet.templates import SECTIONS, STYLE, Template

# A field without a value, or a barcode without a message, is left out as a whole.
ESSENTIAL = frozenset({"value", "message"})
UNICODE = "utf-8"
TOKEN_CHARACTERS_MIN = 16


class CardField(Field):  # type: ignore[misc]  # wallet-py3k has no types
    """One field of a card. The stock class always writes an alignment and an empty message."""

    def __init__(self, key: str, value: str, label: str = "", **more: object) -> None:
        super().__init__(key, value, label)
        del self.textAlignment
        self.__dict__.update(more)

    def json_dict(self) -> dict[str, Any]:
        """Return the field as pass.json has it, without blanks."""
        return _without_blanks(self.__dict__)


class CardBarcode(Barcode):  # type: ignore[misc]  # wallet-py3k has no types
    """One barcode. The stock class always writes a text below it, if only an empty one."""

    def json_dict(self) -> dict[str, Any]:
        """Return the barcode as pass.json has it, without blanks."""
        return _without_blanks(self.__dict__)


class LoyaltyPass(Pass):  # type: ignore[misc]  # wallet-py3k has no types
    """A store card pass.

    Cured: `expirationDate` was lost to a misspelt attribute; only the barcode key of iOS 8 was
    written; blanks were written out; sums of removed files stayed in the manifest; every signature
    was a process of its own with the key's password on its command line.
    """

    def __init__(self, identity: PassIdentity) -> None:
        super().__init__(
            StoreCard(),
            passTypeIdentifier=identity.pass_type_identifier,
            teamIdentifier=identity.team_identifier,
        )
        self.barcodes: list[Barcode] = []
        self.sharingProhibited = False
        self.extra: dict[str, Any] = {}

    @property
    def expirationDate(self) -> str | None:  # noqa: N802 - Apple's name of the key
        """W3C date-time with offset, from which on the pass is shown as expired."""
        return self.exprirationDate  # the stock class's spelling

    @expirationDate.setter
    def expirationDate(self, value: str | None) -> None:  # noqa: N802 - Apple's name of the key
        self.exprirationDate = value

    @classmethod
    def from_card(cls, card: Mapping[str, Any], identity: PassIdentity) -> "LoyaltyPass":
        """Return the model of a pass.json as data; keys the model does not know go to `extra`."""
        made = cls(identity)
        for key, value in card.items():
            if key == STYLE:
                for section in SECTIONS:
                    fields = [CardField(**entry) for entry in value.get(section, ())]
                    setattr(made.passInformation, section, fields)
            elif key == "barcodes":
                made.barcodes = [_barcode(entry) for entry in value]
            elif key in made.__dict__ or key == "expirationDate":
                setattr(made, key, value)
            else:
                made.extra[key] = value
        return made

    def json_dict(self) -> dict[str, Any]:
        """Return pass.json as data: what is set, nothing blank."""
        card: dict[str, Any] = super().json_dict()
        card.pop("barcode", None)
        if not self.suppressStripShine:
            del card["suppressStripShine"]
        if self.barcodes:
            card["barcodes"] = [barcode.json_dict() for barcode in self.barcodes]
        for key in ("locations", "beacons"):
            if key in card:
                card[key] = [_as_data(entry) for entry in card[key]]
        if self.sharingProhibited:
            card["sharingProhibited"] = True
        card.update(self.extra)
        return card

    def create(self, signer: Signer, *, now: datetime) -> bytes:
        """Return the signed pass file with the files added so far; no process, no disk."""
        return PassArchive(self._files, signer).build(self.json_dict(), now=now)


@dataclass(frozen=True, slots=True)
class WebService:
    """Where a phone fetches later versions of one pass, and the token it shows there.

    Apple asks for https and a token of at least 16 characters; neither may change for a pass.
    """

    url: str
    authentication_token: str = field(repr=False)

    def __post_init__(self) -> None:
        assert len(self.authentication_token) >= TOKEN_CHARACTERS_MIN, "phones refuse shorter ones"
        assert not self.url.endswith("/"), "phones would ask for //v1/"


class CardPrinter:
    """Prints pass files from one template with one signer; safe to share between threads.

    The model is asked once, with placeholders in place of values; each card only fills them in.
    """

    def __init__(self, template: Template, signer: Signer) -> None:
        self.template, self.signer = template, signer
        model = LoyaltyPass.from_card(template.card, signer.identity)
        self._card = Spoken(
            model.json_dict(), template.languages, template.vocabulary, essential=ESSENTIAL
        )
        self._variants = variants(template.images)
        self._archives: dict[tuple[str, ...], PassArchive] = {}

    def card(
        self, face: CardFace, *, serial_number: str, web_service: WebService | None = None
    ) -> dict[str, Any]:
        """Return pass.json for one card as data; without a web service it never changes."""
        values = self.template.values(face)
        card = {**self._card.fill(values, face.locale), "serialNumber": serial_number}
        if web_service:
            card["webServiceURL"] = web_service.url
            card["authenticationToken"] = web_service.authentication_token
        if face.void:
            card["voided"] = True
        if colours := self.template.colours_of(face):
            card["backgroundColor"] = str(colours.background)
            card["foregroundColor"] = str(colours.foreground)
            card["labelColor"] = str(colours.label)
        for barcode in card.get("barcodes", ()):
            if not barcode["message"].isascii():
                barcode["messageEncoding"] = UNICODE
        return card

    def images(self, face: CardFace) -> Mapping[str, bytes]:
        """Return the images that one card's pass file carries, by their names there."""
        return self.template.images_of(self.template.variants_of(face))

    def print(
        self,
        face: CardFace,
        *,
        serial_number: str,
        web_service: WebService | None = None,
        now: datetime,
    ) -> bytes:
        """Return the signed pass file of one card, signed at `now`."""
        return b"".join(self.parts(face, serial_number, web_service, now=now))

    def parts(
        self, face: CardFace, serial_number: str, web_service: WebService | None, *, now: datetime
    ) -> tuple[bytes, bytes]:
        """Return the signed pass file in two: what many cards share, and this card's own part."""
        card = self.card(face, serial_number=serial_number, web_service=web_service)
        archive = self._archive_of(face)
        return archive.body, archive.tail(card, now=now)

    def _archive_of(self, face: CardFace) -> PassArchive:
        """Return the part that a card shares with all of its kind, made once for each kind."""
        kind = tuple(one for one in self.template.variants_of(face) if one in self._variants)
        if kind not in self._archives:
            self._archives[kind] = PassArchive(self.template.files_of(kind), self.signer)
        return self._archives[kind]


def _barcode(entry: Mapping[str, Any]) -> CardBarcode:
    barcode = CardBarcode(entry["message"], entry["format"], entry.get("altText", ""))
    barcode.messageEncoding = entry["messageEncoding"]
    return barcode


def _as_data(entry: Any) -> dict[str, Any]:
    return entry if isinstance(entry, dict) else _without_blanks(entry.json_dict())


def _without_blanks(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in parts.items() if value not in ("", None)}
