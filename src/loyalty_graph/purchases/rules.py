"""What a receipt or an activity may hold, and what is left of a receipt after a refund."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from loyalty_graph.errors import InvalidInputError, RefundTooLargeError
from loyalty_graph.programs.exchange import Exchange

LINES_MAX = 500
QUANTITY_MAX = 1_000_000
AMOUNT_MINOR_MAX = 10**15
PRODUCT_TYPE_LENGTH_MAX = 40
SOURCE_LENGTH_MAX = 40
EXTERNAL_ID_LENGTH_MAX = 100
STORE_LENGTH_MAX = 60
SKU_LENGTH_MAX = 60
LABEL_LENGTH_MAX = 40
LABELS_MAX = 20
PAYMENT_LENGTH_MAX = 20
ACTIVITY_NAME_LENGTH_MAX = 40
NETWORK_LENGTH_MAX = 40
PROOF_LENGTH_MAX = 100


class Channel(StrEnum):
    """Where a purchase was made."""

    POS = "POS"
    WEB = "WEB"
    MOBILE = "MOBILE"
    PARTNER = "PARTNER"


class ActivityKind(StrEnum):
    """What a member did beside buying."""

    SIGN_UP = "SIGN_UP"
    PROFILE_COMPLETED = "PROFILE_COMPLETED"
    SOCIAL_FOLLOW = "SOCIAL_FOLLOW"
    SOCIAL_SHARE = "SOCIAL_SHARE"
    REVIEW = "REVIEW"
    CHECK_IN = "CHECK_IN"
    APP_INSTALLED = "APP_INSTALLED"
    NEWSLETTER = "NEWSLETTER"
    SURVEY_ANSWERED = "SURVEY_ANSWERED"
    EVENT_ATTENDED = "EVENT_ATTENDED"
    BIRTHDAY = "BIRTHDAY"
    ANNIVERSARY = "ANNIVERSARY"
    CUSTOM = "CUSTOM"


BY_ITSELF = frozenset(
    (
        ActivityKind.SIGN_UP,
        ActivityKind.PROFILE_COMPLETED,
        ActivityKind.BIRTHDAY,
        ActivityKind.ANNIVERSARY,
    )
)
"""What nobody records: the programme sees it itself."""

SOCIAL = frozenset((ActivityKind.SOCIAL_FOLLOW, ActivityKind.SOCIAL_SHARE))


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a member did beside buying; `name` is for CUSTOM, such as WORKOUT_DONE.

    `proof` is what shows that it was done, such as the number of an order that was reviewed.
    """

    kind: ActivityKind
    name: str | None = None
    network: str | None = None
    proof: str | None = None
    store: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `quantity` units at `unit_minor` each, less `discount_minor` for the whole line.

    Amounts are minor units of the purchase's currency, without tax. Of the whole line,
    `paid_minor` was paid with `paid_points` instead of money. `reduced_minor` was taken off the
    whole line's price afterwards: it counts as if the line had always cost less. What amounts are
    worth in the programme's currency says the `exchange`; without one the two are the same.
    """

    product_type: str
    quantity: int
    unit_minor: int
    discount_minor: int = 0
    tax_minor: int = 0
    sku: str | None = None
    refunded: int = 0
    paid_minor: int = 0
    paid_points: int = 0
    labels: tuple[str, ...] = ()
    reduced_minor: int = 0
    exchange: Exchange | None = None

    @property
    def left(self) -> int:
        """Return how many units were not brought back."""
        return self.quantity - self.refunded

    @property
    def net_minor(self) -> int:
        """Return the amount of the units that were not brought back, net of their discount.

        The discount is spread over the units by whole minor units, rounded down; the amounts of
        partial refunds therefore add up to the line's amount exactly.
        """
        left, less = self.left, self.discount_minor + self.reduced_minor
        return left * self.unit_minor - less * left // self.quantity

    @property
    def money_minor(self) -> int:
        """Return what was paid with money for the units that were not brought back.

        Points pay like a discount, spread over the units in the same way: what they paid for earns
        nothing, and partial refunds add up exactly. A lower price lowers what money and what points
        paid in the same proportion.
        """
        left, less = self.left, self.discount_minor + self.paid_minor
        if self.reduced_minor:
            paid_for = -(-self.paid_minor * self._still_costs // self._cost)
            less = self.discount_minor + self.reduced_minor + paid_for
        return left * self.unit_minor - less * left // self.quantity

    @property
    def earning_minor(self) -> int:
        """Return the same in the programme's currency: what the line counts for."""
        return self.converted(self.money_minor)

    def converted(self, amount_minor: int) -> int:
        """Return an amount of the line in the programme's currency, rounded down once."""
        return amount_minor if self.exchange is None else self.exchange.floor_minor(amount_minor)

    @property
    def paid_left_points(self) -> int:
        """Return the points that pay for the units that were not brought back, rounded down."""
        return self._for_what_is_left(self.paid_points)

    @property
    def tax_left_minor(self) -> int:
        """Return the tax on the units that were not brought back, rounded down."""
        return self._for_what_is_left(self.tax_minor)

    def _for_what_is_left(self, of_whole_line: int) -> int:
        if not self.reduced_minor:
            return of_whole_line * self.left // self.quantity
        share = of_whole_line * self._still_costs * self.left
        return share // (self._cost * self.quantity)

    @property
    def _cost(self) -> int:
        """Return what the whole line had cost."""
        return self.unit_minor * self.quantity - self.discount_minor

    @property
    def _still_costs(self) -> int:
        """Return what the whole line would cost at the price it has now."""
        return self._cost - self.reduced_minor


def check_lines(lines: Sequence[Line]) -> None:
    """Refuse lines that cannot be a receipt.

    Raises:
        InvalidInputError: No lines or too many, a quantity that is not positive, an amount below
            zero or beyond what a purchase may hold, a discount above the line's amount.
    """
    if not 0 < len(lines) <= LINES_MAX:
        raise InvalidInputError(f"A purchase needs 1 to {LINES_MAX} lines.", field="lines")
    for number, line in enumerate(lines, 1):
        if problem := _problem(line):
            raise InvalidInputError(f"Line {number}: {problem}", field=f"lines.{number - 1}")
    if sum(line.net_minor for line in lines) > AMOUNT_MINOR_MAX:
        raise InvalidInputError("The purchase's total is too large.", field="lines")


def _problem(line: Line) -> str | None:
    if not 0 < line.quantity <= QUANTITY_MAX:
        return f"the quantity is {line.quantity}; use 1 to {QUANTITY_MAX}."
    if line.unit_minor < 0 or line.discount_minor < 0 or line.tax_minor < 0:
        return "amounts are not below zero."
    amount_minor = line.unit_minor * line.quantity
    if max(amount_minor, line.discount_minor, line.tax_minor) > AMOUNT_MINOR_MAX:
        return f"the amount is too large; at most {AMOUNT_MINOR_MAX} minor units."
    if line.discount_minor > amount_minor:
        return "the discount is larger than the amount."
    return _name_problem(line)


def _name_problem(line: Line) -> str | None:
    if not _is_name(line.product_type, PRODUCT_TYPE_LENGTH_MAX):
        return f"the product type needs 1 to {PRODUCT_TYPE_LENGTH_MAX} characters."
    if line.sku is not None and not _is_name(line.sku, SKU_LENGTH_MAX):
        return f"the SKU needs 1 to {SKU_LENGTH_MAX} characters."
    if len(line.labels) > LABELS_MAX:
        return f"at most {LABELS_MAX} labels."
    if line.labels and not all(_is_name(label, LABEL_LENGTH_MAX) for label in line.labels):
        return f"a label needs 1 to {LABEL_LENGTH_MAX} characters."
    return None


def _is_name(text: str, length_max: int) -> bool:
    """Return whether the text can be seen, printed and kept."""
    return 0 < len(text) <= length_max and text.isprintable() and not text.isspace()


def check_receipt(source: str, external_id: str, store: str | None) -> None:
    """Refuse a receipt without a usable name, or from a store without one.

    Raises:
        InvalidInputError: Source, external id or store is empty, too long or cannot be printed.
    """
    check_source(source)
    check_external_id(external_id)
    if store is not None:
        check_store(store)


def check_source(source: str) -> None:
    """Refuse the system of a receipt without a usable name.

    Raises:
        InvalidInputError: It is empty, too long or cannot be printed.
    """
    if not _is_name(source, SOURCE_LENGTH_MAX):
        raise InvalidInputError(
            f"The source needs 1 to {SOURCE_LENGTH_MAX} characters.", field="source"
        )


def check_store(store: str) -> None:
    """Refuse a store without a usable name.

    Raises:
        InvalidInputError: It is empty, too long or cannot be printed.
    """
    if not _is_name(store, STORE_LENGTH_MAX):
        raise InvalidInputError(
            f"The store needs 1 to {STORE_LENGTH_MAX} characters.", field="store"
        )


def check_named(receipt: tuple[str, str] | None) -> None:
    """Refuse to name a receipt (source, external id) that no system could have written.

    Raises:
        InvalidInputError: One of them is empty, too long or cannot be printed.
    """
    if receipt is not None:
        check_source(receipt[0])
        check_external_id(receipt[1])


def check_payment(payment: str) -> None:
    """Refuse a way of paying without a usable name.

    Raises:
        InvalidInputError: It is empty, too long or cannot be printed.
    """
    if not _is_name(payment, PAYMENT_LENGTH_MAX):
        raise InvalidInputError(
            f"The payment needs 1 to {PAYMENT_LENGTH_MAX} characters.", field="payment"
        )


def check_external_id(external_id: str) -> None:
    """Refuse the name of a receipt or refund in another system that cannot be kept.

    Raises:
        InvalidInputError: It is empty, too long or cannot be printed.
    """
    if not _is_name(external_id, EXTERNAL_ID_LENGTH_MAX):
        raise InvalidInputError(
            f"The external id needs 1 to {EXTERNAL_ID_LENGTH_MAX} characters.", field="externalId"
        )


def pay_with_points(lines: Sequence[Line], points: int, amount_minor: int) -> tuple[Line, ...]:
    """Return the lines after points paid an amount, at most their total.

    Each line is paid in proportion to its amount; what rounding leaves goes to the later lines, so
    that the shares add up exactly.
    """
    total = sum(line.net_minor for line in lines)
    assert 0 < amount_minor <= total, "points pay something, and no more than the total"
    paid: list[Line] = []
    so_far = given_minor = given_points = 0
    for line in lines:
        so_far += line.net_minor
        share = amount_minor * so_far // total - given_minor
        given_minor += share
        share_points = points * given_minor // amount_minor - given_points
        given_points += share_points
        paid.append(replace(line, paid_minor=share, paid_points=share_points))
    return tuple(paid)


def bring_back(lines: Sequence[Line], quantities: Mapping[int, int]) -> list[Line]:
    """Return the lines after `quantities` (line number from 1 -> units) were brought back.

    Raises:
        InvalidInputError: Nothing is brought back, a line does not exist, a quantity is below 1.
        RefundTooLargeError: More units than are left.
    """
    if not quantities:
        raise InvalidInputError("A refund needs at least one line.", field="lines")
    after = list(lines)
    for number, quantity in quantities.items():
        if not 1 <= number <= len(lines):
            raise InvalidInputError(f"The purchase has no line {number}.", field="lines")
        if quantity <= 0:
            raise InvalidInputError(
                f"Line {number}: the quantity is {quantity}; use 1 or more.", field="lines"
            )
        line = lines[number - 1]
        if quantity > line.quantity - line.refunded:
            raise RefundTooLargeError(
                line=number, asked=quantity, left=line.quantity - line.refunded
            )
        after[number - 1] = replace(line, refunded=line.refunded + quantity)
    return after


def one_network(text: str) -> str:
    """Return the one spelling of a network, such as INSTAGRAM, so that it counts once."""
    return text.strip().upper()


def check_deed(deed: Deed) -> None:
    """Refuse an activity that does not say what its kind needs, or says what nobody can read.

    Raises:
        InvalidInputError: Its kind happens by itself; a name, network, proof or store is missing,
            is not for this kind, or cannot be kept.
    """
    kind = deed.kind
    if kind in BY_ITSELF:
        raise InvalidInputError(f"{kind} is seen by the programme itself.", field="kind")
    if (deed.name is not None) != (kind is ActivityKind.CUSTOM):
        raise InvalidInputError("CUSTOM has a name, and no other kind has one.", field="name")
    if (deed.network is not None) != (kind in SOCIAL):
        names = " and ".join(sorted(SOCIAL))
        raise InvalidInputError(f"{names} have a network, and no others.", field="network")
    if kind is ActivityKind.CHECK_IN and deed.store is None:
        raise InvalidInputError("A CHECK_IN names its store.", field="store")
    _check_text(deed.name, ACTIVITY_NAME_LENGTH_MAX, "name")
    _check_text(deed.network, NETWORK_LENGTH_MAX, "network")
    _check_text(deed.proof, PROOF_LENGTH_MAX, "proof")
    if deed.store is not None:
        check_store(deed.store)


def _check_text(text: str | None, length_max: int, field: str) -> None:
    if text is not None and not _is_name(text, length_max):
        raise InvalidInputError(f"The {field} needs 1 to {length_max} characters.", field=field)
