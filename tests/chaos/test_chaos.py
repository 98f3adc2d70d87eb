"""The short chaos: processes are broken while tills trade, and every point is asked for again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import BACKEND

pytestmark = pytest.mark.usefixtures("uncounted")

ROOT = Path(__file__).parents[2]
CLEAN = {
    "lost": 0,
    "doubled": 0,
    "altered": 0,
    "half_done": 0,
    "wrong_cards": 0,
    "differences": 0,
}
SEED = "1"


@pytest.mark.chaos
def test_nothing_is_lost_doubled_or_altered_whatever_breaks(tmp_path: Path):
    words = ["--short", "--json", "--database", BACKEND, "--seed", SEED]
    command = [sys.executable, "-m", "chaos", *words, "--keep", tmp_path / "logs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {name: told[name] for name in CLEAN} == CLEAN
    assert told["acknowledged"] > 100
    assert all(one["faults"] == 0 for one in told["rounds"]), done.stderr
    logs = "".join(log.read_text() for log in tmp_path.rglob("*.log"))
    assert "Traceback" not in logs
