"""How many of a million members a condition holds of, on PostgreSQL, against the same by hand.

Both count the same members. The statement written by hand joins what it needs as one would who
knows the tables.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bench.rows import Measured, Row, alternate, row
from bench.servers import postgres
from loyalty_graph.conditions.reading import read
from loyalty_graph.config import bundled
from loyalty_graph.db import migrate, open_database
from loyalty_graph.db.statements import execute
from loyalty_graph.db.statements import read as run
from loyalty_graph.segments import reads
from loyalty_graph.segments.vocabulary import MEMBERS
from loyalty_graph.usecases import program_file

MEMBERS_COUNT = 1_000_000
SEGMENT_SQL_BAR = 1.2
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ASKED = {
    "member": {
        "status": "ACTIVE",
        "purchase_count": {"at_least": 5},
        "days_since_purchase": {"at_most": 60},
        "has_email": True,
        "balance_points": {"at_least": 500},
    },
    "tier": {"code": ["GOLD", "PLATINUM"]},
    "not": {"subscription": {"is_active": True}},
}
BY_HAND = """
    select count(*)
    from member
    join member_summary using (program_id)
    join tier_standing using (program_id)
    join account using (program_id)
    left join (
      select member_id, sum(points)::bigint as points
      from (
        select member_id, -remaining_points as points from lot
        where program_id = $1 and remaining_points > 0 and expires_at <= $3 and not is_pending
        union all
        select member_id, remaining_points from lot
        where program_id = $1 and activates_at <= $3 and expires_at > $3 and is_pending
      ) each_lot
      group by member_id
    ) timed on timed.member_id = member.id
    where member.program_id = $1
      and member_summary.member_id = member.id
      and tier_standing.member_id = member.id
      and account.member_id = member.id
      and member.status = 'ACTIVE'
      and member.email is not null
      and member_summary.purchase_count >= 5
      and member_summary.last_purchase_at >= $2
      and coalesce(tier_standing.override, tier_standing.earned) in ('GOLD', 'PLATINUM')
      and account.balance_points + coalesce(timed.points, 0) >= 500
      and not exists (
        select 1 from member_subscription
        where member_subscription.program_id = $1
          and member_subscription.member_id = member.id
          and (status in ('TRIALING', 'ACTIVE', 'PAST_DUE')
            or status = 'CANCELLED' and ends_at > $3)
      )
"""
FILLED = (
    """insert into member (id, program_id, number, status, email, locale, enrolled_at)
    select md5(n::text)::uuid, $1, n::text,
      case when n % 10 = 0 then 'CLOSED' else 'ACTIVE' end,
      case when n % 4 > 0 then n || '@example.com' end, 'en',
      $2::timestamptz - n % 900 * '1 day'::interval
    from generate_series(1, $3::int) n""",
    """insert into account (member_id, program_id, status, balance_points, held_points,
      pending_points, qualifying_points, lifetime_points, sequence, head)
    select md5(n::text)::uuid, $1, 'ACTIVE', n * 7 % 2000, 0, 0, 0, n * 7 % 2000, 0, ''
    from generate_series(1, $3::int) n where $2::timestamptz is not null""",
    """insert into member_summary (member_id, program_id, purchase_count, spend_minor,
      last_purchase_at)
    select md5(n::text)::uuid, $1, n % 40, n % 90000,
      $2::timestamptz - n * 31 % 400 * '1 day'::interval
    from generate_series(1, $3::int) n where n % 8 > 0""",
    """insert into tier_standing (member_id, program_id, earned, measure, amounts, sequence)
    select md5(n::text)::uuid, $1,
      (array['GREEN', 'GREEN', 'SILVER', 'GOLD', 'PLATINUM'])[n % 5 + 1],
      'SPEND CALENDAR_YEAR', '{}', 0
    from generate_series(1, $3::int) n where $2::timestamptz is not null""",
    """insert into lot (member_id, program_id, sequence, points, remaining_points, expires_at,
      is_pending)
    select md5(n::text)::uuid, $1, 1, 2000, n * 7 % 2000 + 1,
      $2::timestamptz + (n % 180 - 1) * '1 day'::interval,
      false
    from generate_series(1, $3::int) n""",
    """insert into member_subscription (id, program_id, member_id, plan_code, plan_version, status,
      started_at, anchor_at, period_start, period_end, periods, opened, is_trial, paid_minor,
      credit_minor, failed_attempts)
    select md5(n::text)::uuid, $1, md5(n::text)::uuid, 'PLUS', 1,
      (array['ACTIVE', 'PAST_DUE', 'CANCELLED', 'EXPIRED'])[n / 10 % 4 + 1],
      $2, $2, $2, $2, 0, 1, false, 0, 0, 0
    from generate_series(1, $3::int) n where n % 10 < 3""",
    "analyze",
)


def segment_sql() -> list[Row]:
    """Count the members of one condition, in turns with the statement written by hand."""
    with postgres() as server, Crowd.open(server.database("segments")) as crowd:
        found, expected = crowd.ours(), crowd.by_hand()
        assert found == expected > 0, f"{found} by the condition, {expected} by hand"
        ours, theirs = alternate(crowd.timed(crowd.ours), crowd.timed(crowd.by_hand))
    figure = row(
        "programme",
        "segment_sql",
        Measured(ours, "ms"),
        against="the same WHERE by hand",
        against_value=theirs,
        bar=SEGMENT_SQL_BAR,
    )
    held = figure["ratio"] <= SEGMENT_SQL_BAR
    return [
        {
            **figure,
            "holds": held,
            "members": MEMBERS_COUNT,
            "found": found,
            "server": server.version,
        }
    ]


LONG_SUITES: dict[str, Callable[[], list[Row]]] = {"segments": segment_sql}


@dataclass(slots=True)
class Crowd:
    """An open database full of members."""

    runner: asyncio.Runner
    program_id: UUID

    @classmethod
    @contextmanager
    def open(cls, url: str) -> Iterator["Crowd"]:
        with asyncio.Runner() as runner:
            database = open_database(url)
            runner.run(database.__aenter__())
            try:
                yield cls(runner, runner.run(_filled()))
            finally:
                runner.run(database.__aexit__(None, None, None))

    def ours(self) -> int:
        """Return the number of members by the condition."""
        condition = read(ASKED, MEMBERS)
        [found] = self.runner.run(reads.counts(self.program_id, [condition], now=NOW))
        return found

    def by_hand(self) -> int:
        """Return the number of members by the statement written by hand."""
        day = datetime(2026, 4, 2, 4, tzinfo=UTC)  # midnight in New York, 60 days before
        [(found,)] = self.runner.run(run(BY_HAND, self.program_id, day, NOW))
        return int(found)

    @staticmethod
    def timed(work: Callable[[], Any]) -> Callable[[], float]:
        """Return what runs the work and says how many milliseconds it took."""

        def measure() -> float:
            begun = time.perf_counter()
            work()
            return (time.perf_counter() - begun) * 1000

        return measure


async def _filled() -> UUID:
    """Make the schema, the grocer's programme, and its members."""
    await migrate()
    program = await program_file.load(
        program_file.read(bundled("presets/corner-grocer.toml")), now=NOW - timedelta(days=900)
    )
    for statement in FILLED:
        values = () if statement == "analyze" else (program.program_id, NOW, MEMBERS_COUNT)
        await execute(statement, *values)
    return program.program_id
