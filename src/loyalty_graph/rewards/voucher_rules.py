"""What can become of a voucher: money is used, given back, or lost to its date."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from loyalty_graph.errors import NotFoundError
from loyalty_graph.rewards.errors import (
    VoucherAmountError,
    VoucherExpiredError,
    VoucherUsedError,
    VoucherVoidError,
)


class VoucherState(StrEnum):
    """Where a voucher stands."""

    ACTIVE = "ACTIVE"
    PARTIALLY_USED = "PARTIALLY_USED"
    USED = "USED"
    VOID = "VOID"
    EXPIRED = "EXPIRED"


OPEN = (VoucherState.ACTIVE, VoucherState.PARTIALLY_USED)


@dataclass(frozen=True, slots=True)
class Use:
    """Money taken (above zero), or given back (below zero) of the use `of_number`.

    It paid for the receipt with the id `receipt_id` of the system `receipt_source`, if these are
    known.
    """

    number: int
    amount_minor: int
    of_number: int | None
    at: datetime
    store: str | None
    reference: str
    receipt_source: str | None = None
    receipt_id: str | None = None


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher as it is stored; amounts in minor units."""

    member_id: UUID
    id: UUID
    state: VoucherState
    face_minor: int
    remaining_minor: int
    issued_at: datetime
    expires_at: datetime | None

    def state_at(self, now: datetime) -> VoucherState:
        """Return where it stands: a date that has passed counts, whether or not it was written."""
        if self.state in OPEN and self.expires_at is not None and self.expires_at <= now:
            return VoucherState.EXPIRED
        return self.state

    def check_valid(self, *, now: datetime) -> None:
        """Refuse a voucher that money cannot be taken from or given back to.

        Raises:
            VoucherVoidError: Its redemption was undone.
            VoucherExpiredError: Its date has passed.
        """
        if self.state is VoucherState.VOID:
            raise VoucherVoidError("This voucher is void.", field="code")
        if not self.takes_back(now=now):
            raise VoucherExpiredError("This voucher has expired.", field="code")

    def check_untouched(self) -> None:
        """Refuse to undo the redemption of a voucher that is not whole.

        Raises:
            VoucherUsedError: Some of its money is gone.
        """
        if self.remaining_minor != self.face_minor:
            raise VoucherUsedError(
                "Some of the voucher's money is used; give it back first.", field="redemption"
            )

    def used(self, amount_minor: int, *, now: datetime) -> "Voucher":
        """Return the voucher after money was taken from it.

        Raises:
            VoucherVoidError: Its redemption was undone.
            VoucherExpiredError: Its date has passed.
            VoucherUsedError: Nothing is left.
            VoucherAmountError: Less is left.
        """
        assert amount_minor > 0, "the door refuses a use of nothing"
        self.check_valid(now=now)
        if not self.remaining_minor:
            raise VoucherUsedError("Nothing is left on this voucher.", field="code")
        if amount_minor > self.remaining_minor:
            raise VoucherAmountError("Less than that is left on this voucher.", field="amount")
        return self._with(self.remaining_minor - amount_minor)

    def given_back(
        self, uses: Sequence[Use], number: int, amount_minor: int | None, *, now: datetime
    ) -> tuple["Voucher", int]:
        """Return the voucher after money of a use came back, and how much did.

        `amount_minor` None gives back all that is left of the use.

        Raises:
            VoucherVoidError: Its redemption was undone.
            VoucherExpiredError: Its date has passed.
            NotFoundError: It has no such use.
            VoucherAmountError: The use was less, or as much came back already.
        """
        self.check_valid(now=now)
        if not any(use.number == number and use.amount_minor > 0 for use in uses):
            raise NotFoundError("use", number, place="this voucher", field="use")
        left = sum(use.amount_minor for use in uses if number in (use.number, use.of_number))
        amount = left if amount_minor is None else amount_minor
        if not 0 < amount <= left:
            raise VoucherAmountError("Less than that is left of this use.", field="amount")
        return self._with(self.remaining_minor + amount), amount

    def takes_back(self, *, now: datetime) -> bool:
        """Return whether money can come back to it: it is not void, and its date is to come."""
        passed = self.expires_at is not None and self.expires_at <= now
        return not passed and self.state not in {VoucherState.VOID, VoucherState.EXPIRED}

    def ended(self, state: VoucherState) -> "Voucher":
        """Return the voucher void or expired; what was on it cannot be used any more."""
        return replace(self, state=state)

    def _with(self, remaining_minor: int) -> "Voucher":
        whole = remaining_minor == self.face_minor
        part = VoucherState.PARTIALLY_USED if remaining_minor else VoucherState.USED
        state = VoucherState.ACTIVE if whole else part
        return replace(self, state=state, remaining_minor=remaining_minor)
