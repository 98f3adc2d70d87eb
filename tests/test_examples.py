"""The examples: one query in five languages, which fits the schema and is answered."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import parse, print_ast, validate

from loyalty_graph.graphql.schema import SCHEMA
from tests.served import served

EXAMPLES = Path(__file__).parents[1] / "examples"
SHARED = EXAMPLES / "home-screen.graphql"
EMBEDDED = {
    "typescript/home-screen.mts": r"/\* GraphQL \*/ `\n(.*?)\n`;",
    "swift/HomeScreen.swift": r'homeScreenQuery = """\n(.*?)\n  """',
    "kotlin/HomeScreen.kt": r'HOME_SCREEN = """\n(.*?)\n"""',
}
READING = {"curl/home-screen.sh", "python/home_screen.py"}
NODE_THAT_READS_TYPESCRIPT = (22, 18)


def node_reads_typescript() -> bool:
    """Return whether node strips types by itself, as it does from 22.18 on."""
    if shutil.which("node") is None:
        return False
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    major, minor, _ = said.removeprefix("v").split(".")
    return (int(major), int(minor)) >= NODE_THAT_READS_TYPESCRIPT


def test_every_document_fits_the_schema():
    documents = sorted(EXAMPLES.rglob("*.graphql"))

    assert documents == [SHARED]
    assert validate(SCHEMA._schema, parse(SHARED.read_text())) == []


@pytest.mark.parametrize(("name", "place"), EMBEDDED.items())
def test_every_language_asks_the_same(name: str, place: str):
    [document] = re.findall(place, (EXAMPLES / name).read_text(), re.DOTALL)
    document = textwrap.dedent(document)

    assert print_ast(parse(document)) == print_ast(parse(SHARED.read_text()))


def test_no_example_is_left_out():
    sources = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*/*")}

    assert sources == {*EMBEDDED, *READING}
    for name in READING:
        assert "home-screen.graphql" in (EXAMPLES / name).read_text()
    readme = (EXAMPLES / "README.md").read_text()
    assert all(name in readme for name in sources)


@pytest.fixture
def environment(database_url: str, data_dir: Path) -> Iterator[dict[str, str]]:
    """The environment of an example, with a server behind it that knows a member."""
    with served(database_url, data_dir) as running:
        ada = running.run(running.shop.enrol(first_name="Ada"))
        running.run(running.shop.buy(ada))
        yield {
            **os.environ,
            "LOYALTY_URL": f"{running.address}/graphql",
            "LOYALTY_TOKEN": running.member_token(ada),
        }


def output_of(environment: dict[str, str], *words: str | Path) -> str:
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_python_prints_the_home_screen(environment: dict[str, str]):
    printed = output_of(environment, sys.executable, EXAMPLES / "python" / "home_screen.py")

    assert printed.startswith("Bean Club: 108 beans\n  108 until ")
    assert printed.endswith("   +108 108 beans for a purchase of €60.99.\n")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_prints_the_whole_answer(environment: dict[str, str]):
    answer = json.loads(output_of(environment, EXAMPLES / "curl" / "home-screen.sh"))

    assert "errors" not in answer
    assert answer["data"]["me"]["wallet"]["available"] == 108
    [entry] = answer["data"]["me"]["entries"]["nodes"]
    assert entry["explanation"]["summary"] == "108 beans for a purchase of €60.99."


@pytest.mark.skipif(not node_reads_typescript(), reason="node 22.18 or newer is not installed")
def test_typescript_prints_the_home_screen(environment: dict[str, str]):
    printed = output_of(environment, "node", EXAMPLES / "typescript" / "home-screen.mts")

    assert printed.startswith("Bean Club: 108 beans\n  108 until ")
    assert printed.endswith(" +108 108 beans for a purchase of €60.99.\n")
