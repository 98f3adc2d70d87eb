"""The packages this project is built on are used for what they are for."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    "strawberry-graphql": "strawberry",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "tortoise-orm": "tortoise",
    "wallet-py3k": "wallet",
    "pyjwt": "jwt",
}


@cache
def imported_by(folder: Path) -> set[str]:
    """Return the top-level modules that the sources of a folder import."""
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize(("package", "module"), MODULES.items())
def test_product_code_imports_what_it_is_built_on(package: str, module: str):
    declared = (ROOT / "pyproject.toml").read_text()

    assert f'"{package}' in declared
    assert module in imported_by(ROOT / "src" / "loyalty_graph")


def test_tests_import_pytest():
    assert "pytest" in imported_by(ROOT / "tests")
