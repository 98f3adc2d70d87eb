"""Two versions of a shop's migrations."""

from pathlib import Path

import pytest

from tests.db.migrating.phases import NEWER, OLDER, steps_in


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The migrations that the older version knows."""
    return steps_in(tmp_path / "older", OLDER)


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """Those of the newer one, which are some more."""
    return steps_in(tmp_path / "newer", NEWER)
