"""Changes the code of the ledger's and the earning rules, and asks whether a test notices.

Which files are changed, and which tests are asked, stands in pyproject.toml. Nine of ten mutants
are killed, and docs/mutants.toml says of every other one why it is left. Without arguments every
mutant is tried anew; with names of modules, such as `earning.schedules`, only theirs. `--left`
tries those again that were left before, and what is new. `--told` runs nothing and tells what was
found.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).parents[1]
PACKAGE = Path("src/loyalty_graph")
MADE = ROOT / "mutants"
EXPLAINED = ROOT / "docs/mutants.toml"
KILLED = {"killed", "timeout"}
KILLED_PERCENT_MIN = 90
NOTED_MAX = 20
"""So many explanations that nothing asks for any more are named."""


class Mutant(NamedTuple):
    """A changed line: what it `was` and `becomes`, both without the space around them."""

    file: str
    was: str
    becomes: str


class Explanation(NamedTuple):
    """Why mutants are left: one by its lines, or all that are alike, by patterns of them."""

    file: str
    was: str
    becomes: str
    is_pattern: bool

    def covers(self, one: Mutant) -> bool:
        """Return whether it speaks of a mutant."""
        if not fnmatch(one.file, self.file):
            return False
        if not self.is_pattern:
            return (one.was, one.becomes) == (self.was, self.becomes)
        return bool(re.fullmatch(self.was, one.was) and re.fullmatch(self.becomes, one.becomes))


def explanations(told: Mapping[str, Any]) -> list[Explanation]:
    """Return what docs/mutants.toml says.

    Raises:
        ValueError: A reason is missing.
    """
    found = []
    for table, is_pattern in (("survivor", False), ("alike", True)):
        for one in told.get(table, ()):
            if not one.get("why", "").strip():
                raise ValueError(f"a {table} without why: {one}")
            default = ".*" if is_pattern else ""
            lines = one.get("was", default).strip(), one.get("becomes", default).strip()
            found.append(Explanation(one.get("file", "*"), *lines, is_pattern))
    return found


def mutant_of(file: str, difference: str) -> Mutant:
    """Return a mutant as its difference shows it: the lines taken out, and those put in."""
    lines = [one for one in difference.splitlines() if one[:3] not in {"---", "+++"}]
    taken, put = (
        "\n".join(one[1:].strip() for one in lines if one.startswith(sign)) for sign in "-+"
    )
    return Mutant(file, taken, put)


def unexplained(found: Iterable[Mutant], known: Iterable[Explanation]) -> list[Mutant]:
    """Return the mutants that nothing is said of."""
    said = list(known)
    return [one for one in found if not any(reason.covers(one) for reason in said)]


def survivors(names: Iterable[str], path: Path) -> list[Mutant]:
    """Return the mutants of a file that no test noticed."""
    file = str(path.relative_to(PACKAGE))
    return [mutant_of(file, get_diff_for_mutant(name, path=path)) for name in names]


def tried(modules: Iterable[str]) -> Iterator[tuple[Path, dict[str, str]]]:
    """Go through the files that were changed: what became of each mutant, by its name."""
    wanted = [f"{one.replace('.', '/')}.py" for one in modules]
    for meta in sorted((MADE / PACKAGE).rglob("*.py.meta")):
        path = meta.relative_to(MADE).with_suffix("")
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        if codes and (not wanted or str(path.relative_to(PACKAGE)) in wanted):
            yield path, {name: status_by_exit_code[code] for name, code in codes.items()}


def forget(modules: Iterable[str]) -> None:
    """Let mutants that no test noticed count as never tried, and tests say anew what they reach."""
    (MADE / "mutmut-stats.json").unlink(missing_ok=True)
    for path, states in tried(modules):
        meta = MADE / path.with_name(f"{path.name}.meta")
        told = json.loads(meta.read_text())
        told["exit_code_by_key"] |= {
            name: None for name, state in states.items() if state not in KILLED
        }
        meta.write_text(json.dumps(told))


def run(modules: list[str]) -> None:
    """Let mutmut try the mutants, at a low priority."""
    names = [f"loyalty_graph.{one}.*" for one in modules]
    mutmut = Path(sys.executable).with_name("mutmut")
    finds_plugin = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = ["nice", "-n", "10", mutmut, "run", *names]
    subprocess.run(words, cwd=ROOT, env=finds_plugin, check=True)  # noqa: S603 - our own words


def main(words: list[str]) -> int:
    """Print what was killed; return 1 when it is too little, or one survives without a reason."""
    modules = [one for one in words if not one.startswith("--")]
    if "--left" in words:
        forget(modules)
        run([])
    elif "--told" not in words:
        if not modules:
            shutil.rmtree(MADE, ignore_errors=True)
        run(modules)
    left: list[Mutant] = []
    killed: dict[Path, int] = defaultdict(int)
    made: dict[Path, int] = {}
    for path, states in tried(modules):
        alive = [name for name, state in states.items() if state not in KILLED]
        made[path], killed[path] = len(states), len(states) - len(alive)
        left += survivors(alive, path)
        print(f"{path.relative_to(PACKAGE)!s:30} {_ratio(killed[path], made[path])}")
    all_killed, all_made = sum(killed.values()), sum(made.values())
    print(f"{'together':30} {_ratio(all_killed, all_made)}")
    known = explanations(tomllib.loads(EXPLAINED.read_text()))
    unknown = unexplained(left, known)
    for one in unknown:
        print(f"survives: {one.file}\n  - {one.was}\n  + {one.becomes}", file=sys.stderr)
    if not modules:
        for idle in [one for one in known if not any(map(one.covers, left))][:NOTED_MAX]:
            print(f"explained, but killed: {idle.file}\n  - {idle.was}\n  + {idle.becomes}")
    is_enough = all_killed * 100 >= all_made * KILLED_PERCENT_MIN
    print(f"{len(left)} survive, {len(unknown)} of them without a reason in docs/mutants.toml")
    return 0 if is_enough and not unknown else 1


def _ratio(killed: int, made: int) -> str:
    return f"{killed:5} of {made:5} killed, {killed * 100 / max(1, made):5.1f} %"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
