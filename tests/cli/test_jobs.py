"""Running scheduled jobs by hand."""

import asyncio
from uuid import UUID

from loyalty_graph.db import open_database
from loyalty_graph.jobs.models import JobRow
from tests.cli.conftest import CommandLine
from tests.shop import NOON
from tests.worker.test_duties import KINDS


def bury(url: str) -> None:
    async def write() -> None:
        async with open_database(url):
            await JobRow.create(
                id=UUID(int=7),
                program_id=UUID(int=1),
                kind="tiers.review",
                key="k",
                due_at=NOON,
                attempts=8,
                dead_at=NOON,
                error="OSError",
            )

    asyncio.run(write())


def test_what_is_due_is_run_once(call: CommandLine, shop_url: str):
    first, again = call("jobs", "run"), call("jobs", "run", "--limit", "5")

    assert (first.code, first.out) == (0, f"✓ {len(KINDS)} jobs were run.\n")
    assert again.code == 0


def test_jobs_that_gave_up_are_shown(call: CommandLine, shop_url: str):
    none = call("jobs", "dead")
    bury(shop_url)
    some = call("jobs", "dead")

    assert (none.code, none.out) == (0, "✓ No job is dead.\n")
    assert some.code == 1
    assert f"✗ {UUID(int=7)} tiers.review: OSError, 8 tries" in some.out
