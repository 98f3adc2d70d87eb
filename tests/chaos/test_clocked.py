"""The clock that a file moves, by itself and under a real process."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaos.clocked import MovedClock, move
from loyalty_graph.clock import utc_now
from loyalty_graph.db import open_database
from loyalty_graph.programs.models import ProgramVersion

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_clock_goes_where_its_file_says(tmp_path: Path):
    file = tmp_path / "clock"
    move(file, timedelta())
    clock = MovedClock(file, lambda: NOON)

    told = [clock()]
    for by in (HOUR, -HOUR, timedelta(milliseconds=1)):
        move(file, by)
        told.append(clock())

    assert told == [NOON, NOON + HOUR, NOON - HOUR, NOON + timedelta(milliseconds=1)]


def test_a_file_that_is_being_written_moves_nothing(tmp_path: Path):
    file = tmp_path / "clock"
    move(file, HOUR)
    clock = MovedClock(file, lambda: NOON)
    assert clock() == NOON + HOUR

    file.write_text("", encoding="utf-8")

    assert clock() == NOON + HOUR


def test_a_process_lives_at_another_time(database_url: str, tmp_path: Path):
    file, before = tmp_path / "clock", utc_now()
    move(file, timedelta(days=-30))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "chaos.clocked", file, "program", "apply"),
            *(ROOT / "presets" / "corner-grocer.toml", "--database", database_url),
        ],
        env={**os.environ, "LOYALTY_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    applied_at = asyncio.run(_applied_at(database_url))
    assert before - timedelta(days=30) <= applied_at <= utc_now() - timedelta(days=30)


async def _applied_at(database_url: str) -> datetime:
    async with open_database(database_url):
        return (await ProgramVersion.get()).loaded_at
