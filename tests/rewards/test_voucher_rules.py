from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty_graph.errors import LoyaltyError, NotFoundError
from loyalty_graph.rewards.errors import (
    VoucherAmountError,
    VoucherExpiredError,
    VoucherUsedError,
    VoucherVoidError,
)
from loyalty_graph.rewards.voucher_rules import Use, Voucher, VoucherState

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)


def voucher(state: VoucherState = VoucherState.ACTIVE, remaining: int = 2000) -> Voucher:
    return Voucher(UUID(int=1), UUID(int=2), state, 2000, remaining, NOON, LATER)


def use(number: int, amount: int, of: int | None = None) -> Use:
    return Use(number, amount, of, NOON, None, "")


def test_a_voucher_is_used_bit_by_bit():
    some = voucher().used(500, now=NOON)
    all_ = some.used(1500, now=NOON)

    assert (some.state, some.remaining_minor) == ("PARTIALLY_USED", 1500)
    assert (all_.state, all_.remaining_minor) == ("USED", 0)


@pytest.mark.parametrize(
    ("case", "one", "amount", "now", "error"),
    [
        ("more than is left", voucher(VoucherState.PARTIALLY_USED, 499), 500, NOON, "AMOUNT"),
        ("empty", voucher(VoucherState.USED, 0), 1, NOON, "USED"),
        ("void", voucher(VoucherState.VOID), 1, NOON, "VOID"),
        ("its date passed", voucher(), 1, LATER, "EXPIRED"),
        ("expired", voucher(VoucherState.EXPIRED), 1, NOON, "EXPIRED"),
    ],
)
def test_what_cannot_be_used_is_refused(
    case: str, one: Voucher, amount: int, now: datetime, error: str
):
    with pytest.raises(LoyaltyError) as refused:
        one.used(amount, now=now)

    assert refused.value.code == f"VOUCHER_{error}"


def test_a_use_is_given_back_in_parts_or_as_a_whole():
    uses = [use(1, 1200), use(2, 800), use(3, -200, of=1)]
    empty = voucher(VoucherState.PARTIALLY_USED, 200)

    part, part_amount = empty.given_back(uses, 1, 300, now=NOON)
    rest, rest_amount = empty.given_back(uses, 1, None, now=NOON)

    assert (part.state, part.remaining_minor, part_amount) == ("PARTIALLY_USED", 500, 300)
    assert (rest.remaining_minor, rest_amount) == (1200, 1000)


def test_a_voucher_that_got_everything_back_is_as_new():
    whole, amount = voucher(VoucherState.USED, 0).given_back([use(1, 2000)], 1, None, now=NOON)

    assert (whole, amount) == (voucher(), 2000)
    whole.check_untouched()


@pytest.mark.parametrize(
    ("case", "number", "amount", "error"),
    [
        ("more than the use was", 1, 1201, VoucherAmountError),
        ("nothing", 1, 0, VoucherAmountError),
        ("less than nothing", 1, -1, VoucherAmountError),
        ("what came back already", 2, None, VoucherAmountError),
        ("no such use", 9, None, NotFoundError),
        ("no use but a return", 3, None, NotFoundError),
    ],
)
def test_no_more_is_given_back_than_was_used(
    case: str, number: int, amount: int | None, error: type[LoyaltyError]
):
    uses = [use(1, 1200), use(2, 800), use(3, -800, of=2)]

    with pytest.raises(error):
        voucher(VoucherState.PARTIALLY_USED, 800).given_back(uses, number, amount, now=NOON)


@pytest.mark.parametrize(
    ("one", "now", "error"),
    [
        (voucher(VoucherState.VOID), NOON, VoucherVoidError),
        (voucher(VoucherState.USED, 0), LATER, VoucherExpiredError),
    ],
)
def test_nothing_is_given_back_to_a_voucher_that_is_gone(
    one: Voucher, now: datetime, error: type[LoyaltyError]
):
    with pytest.raises(error):
        one.given_back([use(1, 2000)], 1, None, now=now)


def test_a_voucher_in_use_cannot_be_undone():
    with pytest.raises(VoucherUsedError, match="give it back first"):
        voucher(VoucherState.PARTIALLY_USED, 1999).check_untouched()


@pytest.mark.parametrize(
    ("state", "now", "counts_as"),
    [
        ("ACTIVE", NOON, "ACTIVE"),
        ("ACTIVE", LATER, "EXPIRED"),
        ("PARTIALLY_USED", LATER, "EXPIRED"),
        ("USED", LATER, "USED"),
        ("VOID", LATER, "VOID"),
    ],
)
def test_a_date_that_has_passed_counts_before_it_is_written(
    state: str, now: datetime, counts_as: str
):
    assert voucher(VoucherState(state)).state_at(now) == counts_as


def test_a_void_voucher_keeps_what_was_on_it():
    gone = voucher().ended(VoucherState.VOID)

    assert (gone.state, gone.remaining_minor) == ("VOID", 2000)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 900), st.integers(0, 3), st.integers(1, 900))))
def test_the_face_value_is_what_remains_and_what_was_used(steps: list[tuple[int, int, int]]):
    one, uses = voucher(), list[Use]()

    def attempt(work: Callable[[], None]) -> None:
        try:
            work()
        except LoyaltyError:
            return

    for amount, of, back in steps:

        def take(amount: int = amount) -> None:
            nonlocal one
            one = one.used(amount, now=NOON)
            uses.append(use(len(uses) + 1, amount))

        def give_back(of: int = of, back: int = back) -> None:
            nonlocal one
            one, given_ = one.given_back(uses, of, back, now=NOON)
            uses.append(use(len(uses) + 1, -given_, of=of))

        attempt(take)
        attempt(give_back)

    used = sum(one_use.amount_minor for one_use in uses)
    assert one.remaining_minor + used == one.face_minor
    assert 0 <= one.remaining_minor <= one.face_minor
