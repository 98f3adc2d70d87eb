"""Find functions, classes and imports that nothing uses; tests do not count as a use.

Fields of tables, inputs and enums are left out: they are read through rows and by name.
"""

import sys
import tomllib
from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).parents[1]
LEFT_OUT = {"variable", "attribute"}


def main() -> int:
    """Print what is dead; return 1 when there is any."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["vulture"]
    finder = Vulture(
        ignore_names=settings["ignore_names"], ignore_decorators=settings["ignore_decorators"]
    )
    finder.scavenge([str(ROOT / path) for path in settings["paths"]])
    dead = [
        item
        for item in finder.get_unused_code(min_confidence=settings["min_confidence"])
        if item.typ not in LEFT_OUT
    ]
    for item in dead:
        print(f"{Path(item.filename).relative_to(ROOT)}:{item.first_lineno}: {item.message}")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
