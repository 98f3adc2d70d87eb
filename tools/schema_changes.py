"""Refuses changes of the schema that break clients, unless the changelog says so.

The code is compared with schema.graphql of the newest release (a tag `v1.2.3`), or before the first
release with that of the last commit. A break is marked by a line under Unreleased in CHANGELOG.md
that begins with `- Breaking:` and names the place in backticks, such as `Wallet.balance`.
"""

import re
import subprocess
import sys
from pathlib import Path

from graphql import build_schema, find_breaking_changes

from loyalty_graph.graphql.schema import SCHEMA

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`([A-Za-z_]\w*(?:\.\w+)?)`")
PLACE = re.compile(r"[A-Z]\w*(?:\.\w+)?")


def breaks(before: str, after: str) -> list[str]:
    """Return what in the schema `after` breaks clients of the one before, in a sentence each."""
    # Earlier schemas are taken as they are; whether the present one is sound, the linter says.
    old, new = (build_schema(text, assume_valid_sdl=True) for text in (before, after))
    changes = find_breaking_changes(old, new)
    return [change.description for change in changes]


def unmarked(found: list[str], changelog: str) -> list[str]:
    """Return the breaks whose place (a type, or one of its parts) the changelog does not name."""
    unreleased = changelog.partition("## Unreleased")[2].partition("\n## ")[0]
    marks = {
        name
        for line in re.split(r"\n(?=- )", unreleased)
        if line.startswith("- Breaking:")
        for name in NAMED.findall(line)
    }
    return [one for one in found if not marks & set(PLACE.findall(one))]


def promised(root: Path) -> str | None:
    """Return the schema that clients rely on; None outside a clone, or when there is none yet."""
    tag = _git(root, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    return _git(root, "show", f"{(tag or 'HEAD').strip()}:schema.graphql")


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            ["git", *words],  # noqa: S607 - the developer's git
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def main() -> int:
    """Print the breaks that are not marked; return 1 when there is any."""
    before = promised(ROOT)
    if before is None:
        return 0
    found = breaks(before, SCHEMA.as_str())
    left = unmarked(found, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    for one in left:
        print(f"schema: breaks clients: {one}")
    if left:
        print("Add instead of changing; or mark it in CHANGELOG.md: - Breaking: `Type.field` ...")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
