"""Accounts in memory and what is posted to them; the numbers are the golden vectors."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from loyalty_graph.ledger import chain, rules
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.rules import Account, Cause, Transfer

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
PROGRAM, ADA = UUID(int=1), UUID(int=2)


def day(number: int) -> datetime:
    return DAY_0 + timedelta(days=number)


def account(status: str = "ACTIVE") -> Account:
    return Account(ADA, status, 0, 0, 0, 0, 0, 0, chain.genesis(PROGRAM, ADA))


def cause(at: datetime = DAY_0, reference: str = "r") -> Cause:
    return Cause(reference, at, at, "till", {"why": reference}, rule_version=1, salt=b"s")


def earn(one: Account, points: int, expires_at: datetime = NEVER) -> Transfer:
    return rules.earn(one, points, cause(), expires_at=expires_at)


def left(one: Account) -> dict[int, int]:
    return {lot.sequence: lot.remaining for lot in one.lots}


def kinds(one: Account) -> list[tuple[Kind, int]]:
    return [(transfer.kind, transfer.points) for transfer in one.posted]


def three_lots() -> Account:
    """100 until day 90, 50 until day 30, 40 for ever."""
    one = account()
    earn(one, 100, day(90))
    earn(one, 50, day(30))
    earn(one, 40)
    return one
