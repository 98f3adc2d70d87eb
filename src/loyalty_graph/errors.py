"""Every failure we expect, with its stable code. A code is API: it never changes its meaning.

LoyaltyError
├── InvalidInputError             INVALID_INPUT             a field of the input cannot be used
├── NotFoundError                 NOT_FOUND                 no such thing in this programme
├── ForbiddenError                FORBIDDEN                 the caller lacks a scope
├── UnauthenticatedError          UNAUTHENTICATED           no token, or one that is not valid
├── WrongStoreError               WRONG_STORE               a token or a code is for another
├── TooManyStreamsError           TOO_MANY_STREAMS          no room for another stream
├── IdempotencyMismatchError      IDEMPOTENCY_MISMATCH      the key was used with other input
├── IdempotencyKeysDifferError    IDEMPOTENCY_KEYS_DIFFER   header and input name two keys
├── DuplicatePurchaseError        DUPLICATE_PURCHASE        this receipt is recorded already
├── DuplicateRefundError          DUPLICATE_REFUND          this refund is recorded already
├── MemberExistsError             MEMBER_EXISTS             e-mail, phone or external id is taken
├── MemberNotActiveError          MEMBER_NOT_ACTIVE         closed, suspended, erased
├── InsufficientPointsError       INSUFFICIENT_POINTS       fewer spendable points than asked for
├── RefundTooLargeError           REFUND_TOO_LARGE          more units than are left to return
├── NotEntitledError              NOT_ENTITLED              nothing grants the member this now
├── BenefitUsedUpError            BENEFIT_USED_UP           no use is left in this period
├── UnknownProductTypeError       UNKNOWN_PRODUCT_TYPE      a programme that refuses strangers
├── SubscriptionExistsError       SUBSCRIPTION_EXISTS       the member has a subscription already
├── SubscriptionStateError        SUBSCRIPTION_STATE        not in the state it is in
├── SubscriptionCancelledError    SUBSCRIPTION_CANCELLED    paid after it was cancelled
├── SubscriptionExpiredError      SUBSCRIPTION_EXPIRED      paid after it had ended
├── DuplicatePaymentError         DUPLICATE_PAYMENT         this id is another payment's
├── PlatformNotConfiguredError    PLATFORM_NOT_CONFIGURED   no cards for this wallet here
├── ProgramFileError              PROGRAM_FILE              a programme file that cannot be used
├── StaleVersionError             STALE_VERSION             another version is in force by now
├── TemplateError                 TEMPLATE                  a card template that cannot be used
├── CertificateError              CERTIFICATE               signing material that does not fit
├── SettingsError                 SETTINGS                  a setting that cannot be used
├── DeviceError                   DEVICE                    what the simulated phone cannot do
└── DatabaseError                 DATABASE                  a database we cannot open or use
    ├── DatabaseNotOursError      DATABASE_NOT_OURS         it holds the tables of something else
    └── DatabaseNewerError        DATABASE_NEWER            a later version of ours has written it
"""

from typing import ClassVar

SHOWN_CHARACTERS_MAX = 100


class LoyaltyError(Exception):
    """An expected failure: it is told to the caller, and nothing was written."""

    code: ClassVar[str] = "LOYALTY"
    is_told: ClassVar[bool] = True
    """Whether callers of the API are told it; the rest is the operator's to mend."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


def shown(text: str) -> str:
    """Return what somebody gave us as a message may repeat it: short enough to be read."""
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}..."


class InvalidInputError(LoyaltyError):
    """A field of the input cannot be used; the message says what would do."""

    code = "INVALID_INPUT"


class NotFoundError(LoyaltyError):
    """No such thing in this programme."""

    code = "NOT_FOUND"

    def __init__(
        self,
        kind: str,
        reference: object,
        *,
        place: str = "this programme",
        field: str | None = None,
    ) -> None:
        super().__init__(f"There is no {kind} {reference} in {place}.", field=field)


class ForbiddenError(LoyaltyError):
    """The caller is known but may not do this."""

    code = "FORBIDDEN"

    def __init__(self, scope: str | None, message: str | None = None) -> None:
        super().__init__(message or f"This needs the scope {scope}.")


class UnauthenticatedError(LoyaltyError):
    """No token was given, or one that is unknown, revoked or expired."""

    code = "UNAUTHENTICATED"


class WrongStoreError(LoyaltyError):
    """The caller's token, or the code, is for another store."""

    code = "WRONG_STORE"

    def __init__(self, store: str, *, what: str) -> None:
        super().__init__(f"{what} can be used in store {store} only.", field="store")


class TooManyStreamsError(LoyaltyError):
    """This process serves as many streams as it may."""

    code = "TOO_MANY_STREAMS"

    def __init__(self, limit: int) -> None:
        super().__init__(f"This server has {limit} open streams already; try again later.")


class IdempotencyMismatchError(LoyaltyError):
    """The idempotency key was used before with other input."""

    code = "IDEMPOTENCY_MISMATCH"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The idempotency key {key} was used with other input; a new request needs a new key.",
            field="idempotencyKey",
        )


class IdempotencyKeysDifferError(LoyaltyError):
    """The request has one idempotency key in its header and another in its input."""

    code = "IDEMPOTENCY_KEYS_DIFFER"

    def __init__(self) -> None:
        super().__init__(
            "The header Idempotency-Key and the input's idempotencyKey differ; give one of them.",
            field="idempotencyKey",
        )


class DuplicatePurchaseError(LoyaltyError):
    """A purchase with this source and external id is recorded already."""

    code = "DUPLICATE_PURCHASE"

    def __init__(self, source: str, external_id: str) -> None:
        super().__init__(
            f"Purchase {external_id} of {source} is recorded already.", field="externalId"
        )


class DuplicateRefundError(LoyaltyError):
    """A refund of this purchase with this external id is recorded already."""

    code = "DUPLICATE_REFUND"

    def __init__(self, external_id: str) -> None:
        super().__init__(
            f"Refund {external_id} of this purchase is recorded already.", field="externalId"
        )


class MemberExistsError(LoyaltyError):
    """An e-mail, phone number or external id belongs to a member already."""

    code = "MEMBER_EXISTS"

    def __init__(self, kind: str) -> None:
        name = kind.lower().replace("_", " ")
        first, *rest = name.split()
        field = first + "".join(word.capitalize() for word in rest)
        super().__init__(f"This {name} belongs to a member already.", field=field)


class MemberNotActiveError(LoyaltyError):
    """The member may not earn or spend now."""

    code = "MEMBER_NOT_ACTIVE"

    def __init__(self, member: object, status: str, *, field: str = "member") -> None:
        super().__init__(f"Member {member} is {status.lower()}.", field=field)


class InsufficientPointsError(LoyaltyError):
    """Fewer points can be spent than were asked for."""

    code = "INSUFFICIENT_POINTS"

    def __init__(self, *, needed: int, available: int) -> None:
        super().__init__(f"This needs {needed} points; {available} are available.")
        self.needed, self.available = needed, available


class RefundTooLargeError(LoyaltyError):
    """More units are returned than are left of a line."""

    code = "REFUND_TOO_LARGE"

    def __init__(self, *, line: int, asked: int, left: int) -> None:
        units, are = ("unit" if asked == 1 else "units"), ("is" if left == 1 else "are")
        super().__init__(
            f"Line {line}: {asked} {units} to refund, but only {left} {are} left.", field="lines"
        )


class NotEntitledError(LoyaltyError):
    """Nothing grants the member this benefit now."""

    code = "NOT_ENTITLED"

    def __init__(self, benefit: str) -> None:
        super().__init__(f"The member is not entitled to {benefit} now.", field="benefit")


class BenefitUsedUpError(LoyaltyError):
    """Every use of this period was made."""

    code = "BENEFIT_USED_UP"

    def __init__(self, benefit: str, *, uses: int, renews_at: object) -> None:
        super().__init__(
            f"All {uses} uses of {benefit} were made; there are new ones from {renews_at}.",
            field="benefit",
        )
        self.uses = uses


class UnknownProductTypeError(LoyaltyError):
    """The programme refuses product types it does not list."""

    code = "UNKNOWN_PRODUCT_TYPE"

    def __init__(self, product_type: str, known: list[str]) -> None:
        super().__init__(
            f"Product type {product_type} is not known here; known are {', '.join(known)}.",
            field="lines",
        )


class SubscriptionExistsError(LoyaltyError):
    """The member has a subscription that has not ended."""

    code = "SUBSCRIPTION_EXISTS"

    def __init__(self, plan: str, status: str) -> None:
        super().__init__(
            f"The member has a subscription to {plan} already; it is {_words(status)}.",
            field="member",
        )


class SubscriptionStateError(LoyaltyError):
    """A subscription is in a state in which this cannot happen to it."""

    code = "SUBSCRIPTION_STATE"

    def __init__(self, status: str, doing: str) -> None:
        super().__init__(f"A subscription that is {_words(status)} cannot be {doing}.")


class SubscriptionCancelledError(LoyaltyError):
    """A payment came for a subscription that was cancelled; it should be given back."""

    code = "SUBSCRIPTION_CANCELLED"

    def __init__(self, cancelled_at: object) -> None:
        super().__init__(
            f"The subscription was cancelled at {cancelled_at}; give the payment back,"
            " or reactivate the subscription first."
        )


class SubscriptionExpiredError(LoyaltyError):
    """A payment came for a subscription that had ended when it was made."""

    code = "SUBSCRIPTION_EXPIRED"

    def __init__(self, ended_at: object) -> None:
        super().__init__(
            f"The subscription ended at {ended_at}, before this payment; give it back,"
            " or subscribe the member anew."
        )


class DuplicatePaymentError(LoyaltyError):
    """The external id of a payment belongs to one that says something else."""

    code = "DUPLICATE_PAYMENT"

    def __init__(self, external_id: str) -> None:
        super().__init__(
            f"Payment {external_id} is recorded already, with other details.", field="externalId"
        )


class PlatformNotConfiguredError(LoyaltyError):
    """This installation issues no cards for this wallet."""

    code = "PLATFORM_NOT_CONFIGURED"

    def __init__(self, platform: str) -> None:
        super().__init__(f"{platform} Wallet is not set up here.", field="platform")


def _words(status: str) -> str:
    return status.lower().replace("_", " ")


class ProgramFileError(LoyaltyError):
    """A programme file cannot be used; the message names the place.

    `faults` are all that is wrong with it, one line each.
    """

    code = "PROGRAM_FILE"

    def __init__(self, *faults: str, field: str | None = "toml") -> None:
        super().__init__("\n".join(faults), field=field)
        self.faults = faults


class StaleVersionError(LoyaltyError):
    """The programme has another version by now than the caller expects."""

    code = "STALE_VERSION"

    def __init__(self, *, expected: int, present: int) -> None:
        super().__init__(
            f"The programme is at version {present}, not {expected}; plan again, then apply.",
            field="expectedVersion",
        )
        self.expected, self.present = expected, present


class TemplateError(LoyaltyError):
    """A card template cannot be used; the message names the file and the fault."""

    code = "TEMPLATE"
    is_told = False


class CertificateError(LoyaltyError):
    """A certificate, key or issuer does not fit; the message says which and how."""

    code = "CERTIFICATE"
    is_told = False


class DeviceError(LoyaltyError):
    """The simulated phone cannot do this, or a server answered what no phone takes."""

    code = "DEVICE"
    is_told = False


class SettingsError(LoyaltyError):
    """A setting cannot be used; the message names it, without its value."""

    code = "SETTINGS"
    is_told = False


class DatabaseError(LoyaltyError):
    """The database cannot be opened or used; the message says why."""

    code = "DATABASE"
    is_told = False


class DatabaseNotOursError(DatabaseError):
    """The database holds tables, but none of ours says how far it has come."""

    code = "DATABASE_NOT_OURS"

    def __init__(self, tables: list[str]) -> None:
        super().__init__(
            f"This database belongs to something else (it holds {', '.join(tables[:3])});"
            " name an empty database, or one made by Loyalty Graph."
        )


class DatabaseNewerError(DatabaseError):
    """The database has come further than this version knows."""

    code = "DATABASE_NEWER"

    def __init__(self, unknown: list[str]) -> None:
        super().__init__(
            f"A newer Loyalty Graph has written this database ({', '.join(unknown)});"
            " use that version, or a backup from before it."
        )
