"""One spelling for everything that finds a member."""

from dataclasses import dataclass
from enum import StrEnum

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from loyalty_graph.errors import InvalidInputError, shown

NUMBER_DIGITS = 12
EXTERNAL_ID_LENGTH_MAX = 100


class MemberStatus(StrEnum):
    """Where a member stands. Only active members earn and spend."""

    PROSPECT = "PROSPECT"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"
    MERGED = "MERGED"
    ERASED = "ERASED"


_NEXT = {
    MemberStatus.PROSPECT: {MemberStatus.ACTIVE, MemberStatus.CLOSED},
    MemberStatus.ACTIVE: {MemberStatus.SUSPENDED, MemberStatus.CLOSED},
    MemberStatus.SUSPENDED: {MemberStatus.ACTIVE, MemberStatus.CLOSED},
}


def check_next_status(now: MemberStatus, wanted: MemberStatus) -> None:
    """Refuse a status that a member cannot move to; closed is for good.

    Raises:
        InvalidInputError: The message names what the member may become.
    """
    possible = _NEXT.get(now, set())
    if wanted not in possible:
        names = ", ".join(sorted(possible)) or "nothing else"
        raise InvalidInputError(
            f"A member who is {now} may become {names}, not {wanted}.", field="status"
        )


class ReferenceKind(StrEnum):
    """By what a member can be found."""

    ID = "ID"
    NUMBER = "NUMBER"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    EXTERNAL_ID = "EXTERNAL_ID"


class ConsentPurpose(StrEnum):
    """What a member is asked to allow."""

    TERMS = "TERMS"
    MARKETING_EMAIL = "MARKETING_EMAIL"
    MARKETING_SMS = "MARKETING_SMS"
    MARKETING_PUSH = "MARKETING_PUSH"
    PROFILING = "PROFILING"
    LOCATION = "LOCATION"


@dataclass(frozen=True, slots=True)
class Reference:
    """What a caller knows of a member, in its one spelling."""

    kind: ReferenceKind
    value: str


def one_email(text: str) -> str:
    """Return the one spelling of an e-mail address: no spaces, Unicode normalised, lower case.

    Raises:
        InvalidInputError: It is no e-mail address.
    """
    try:
        checked = validate_email(text.strip(), check_deliverability=False)
    except EmailNotValidError as error:
        raise InvalidInputError(
            f"{shown(text)} is no e-mail address: {error}", field="email"
        ) from error
    return checked.normalized.casefold()


def one_phone(text: str) -> str:
    """Return a phone number as E.164, such as +4915112345678.

    Raises:
        InvalidInputError: It is no phone number, or lacks its country code.
    """
    advice = "use the international form, such as +4915112345678"
    try:
        parsed = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as error:
        raise InvalidInputError(
            f"{shown(text)} is no phone number; {advice}.", field="phone"
        ) from error
    if not phonenumbers.is_possible_number(parsed):
        raise InvalidInputError(f"{shown(text)} is no phone number; {advice}.", field="phone")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def one_external_id(text: str) -> str:
    """Return an external id without surrounding spaces.

    Raises:
        InvalidInputError: It is empty, longer than 100 characters, or cannot be printed.
    """
    value = text.strip()
    if not (0 < len(value) <= EXTERNAL_ID_LENGTH_MAX and value.isprintable()):
        raise InvalidInputError(
            f"An external id needs 1 to {EXTERNAL_ID_LENGTH_MAX} characters.", field="externalId"
        )
    return value


def check_digit(digits: str) -> str:
    """Return the digit that makes a number valid under the Luhn formula (ISO/IEC 7812-1, annex B).

    It catches every single wrong digit and most swaps of neighbours.
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004 - two digits
    return str(-total % 10)


def member_number(seed: int) -> str:
    """Return the member number made of a number below 10^10: twelve digits, the last checks."""
    digits = f"9{seed:010d}"
    return digits + check_digit(digits)


def one_member_number(text: str) -> str:
    """Return a member number as its twelve digits; spaces and hyphens do not matter.

    Raises:
        InvalidInputError: It has other than twelve digits, or a digit is wrong.
    """
    digits = "".join(character for character in text if character not in " -")
    if len(digits) != NUMBER_DIGITS or not (digits.isascii() and digits.isdecimal()):
        raise InvalidInputError(
            f"{shown(text)} is no member number; one has {NUMBER_DIGITS} digits.", field="member"
        )
    if check_digit(digits[:-1]) != digits[-1]:
        raise InvalidInputError(
            f"{shown(text)} is no member number: a digit is wrong or two are swapped.",
            field="member",
        )
    return digits
