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
    died = "OSError, 8 tries until 2026-03-02 12:00 UTC"
    assert some.out == f"✗ {UUID(int=7)} tiers.review: {died}\n"


def test_a_dead_job_is_tried_again(call: CommandLine, shop_url: str):
    bury(shop_url)

    one = call("jobs", "retry", UUID(int=7))
    again = call("jobs", "retry", UUID(int=7))
    none = call("jobs", "dead")

    assert (one.code, one.out) == (0, "✓ 1 job is due now.\n")
    assert again.code == 1
    assert "There is no dead job" in again.err
    assert none.out == "✓ No job is dead.\n"


def test_all_dead_jobs_are_tried_again_if_so_said(call: CommandLine, shop_url: str):
    bury(shop_url)

    unsaid = call("jobs", "retry")
    said = call("jobs", "retry", "--all")

    assert "Name one job, or say --all." in unsaid.err
    assert said.out == "✓ 1 job is due now.\n"
