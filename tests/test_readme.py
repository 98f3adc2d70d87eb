"""The tour in the README works as written."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("uncounted")

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour's calls are made with curl")
def test_the_tour_works_as_written(tmp_path: Path):
    [tour] = re.findall(r"```bash tour\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", tour.replace("$(mktemp -d)", str(tmp_path))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr + done.stdout
    answers = done.stdout
    assert '"errors"' not in answers
    assert re.findall(r'"replayed": ?(\w+)', answers) == ["false", "true"]
    assert re.findall(r'"points": ?9,', answers), (
        "3.00 of bakery at 3 per 2, 2.20 of produce at 2 per 1"
    )
    assert "You now have 93 points." in answers
    assert re.search(r'"tier": ?\{"name": ?"Silver"', answers)
    assert re.findall(r'"status": ?"(\w+)"', answers) == ["ISSUED"]
    assert "✓ chain" in answers
    assert "0 differences" in answers
