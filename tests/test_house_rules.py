"""Rules of the house that no linter knows."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "loyalty_graph"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
RESOLVER_STATEMENTS_MAX = 5
CLOCK_READERS = {"now", "utcnow", "today", "time", "time_ns"}
BASE_FILES = {"clock.py"}


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_are_short_and_say_what_they_are_for(path: Path):
    text = path.read_text()
    tree = ast.parse(text)

    assert ast.get_docstring(tree), "needs a module docstring"
    assert text.count("\n") <= FILE_LINES_MAX
    for node in functions(tree):
        assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES_MAX, node.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_clock_reads_the_clock(path: Path):
    calls = [
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "time"}
    ]

    assert path.name in BASE_FILES or not CLOCK_READERS & set(calls)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.glob("graphql/*.py")), ids=lambda path: str(path.name)
)
def test_resolvers_are_thin(path: Path):
    for node in functions(ast.parse(path.read_text())):
        decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
        if "strawberry.field" in decorators or "strawberry.mutation" in decorators:
            assert len(node.body) <= RESOLVER_STATEMENTS_MAX, node.name


@pytest.mark.parametrize("door", ["graphql", "web", "worker", "cli", "app.py"])
def test_doors_ask_no_database(door: str):
    place = PACKAGE / door
    paths = sorted(place.glob("**/*.py")) if place.is_dir() else [place] * place.exists()

    for path in paths:
        imported = {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
            for name in [node.module or ""]
        }
        assert not {name for name in imported if name.startswith("tortoise")}, path
        assert not {name for name in imported if name.endswith(".models")}, path


def test_every_error_has_its_own_code_and_stands_in_the_tree_above():
    from loyalty_graph import errors
    from loyalty_graph.db import errors as of_db
    from loyalty_graph.earning import errors as of_earning
    from loyalty_graph.ledger import errors as of_ledger
    from loyalty_graph.rewards import errors as of_rewards

    modules = (errors, of_db, of_rewards, of_earning, of_ledger)
    trees = "".join(module.__doc__ or "" for module in modules)
    kinds = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, errors.LoyaltyError)
    }

    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds - {errors.LoyaltyError}:
        assert f"{kind.__name__} " in trees
        assert f" {kind.code} " in trees


def test_no_registry_host_and_no_absolute_path_is_committed():
    hosts = [r"pypi\.org", r"pythonhosted\.org", r"registry\.npmjs", r"deb\.debian\.org"]
    listed = subprocess.run(
        ["git", "grep", "-nIE", "|".join(hosts), "--", ".", ":!tests/test_house_rules.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert listed.returncode in (1, 128), listed.stdout


def test_decisions_are_numbered_one_by_one():
    paths = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    assert [path.name[:5] for path in paths] == [f"{n:04}-" for n in range(1, len(paths) + 1)]
    for number, path in enumerate(paths, start=1):
        assert path.read_text().startswith(f"# {number}. "), path.name


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("models.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_each_index_says_who_reads_it(path: Path):
    lines = path.read_text().splitlines()
    for place, line in enumerate(lines):
        if line.strip().startswith(("Index(", "indexes = [Index(")):
            assert lines[place - 1].strip().startswith("#"), f"line {place + 1}"
