"""The editor at /graphql: its stories can be asked as they stand."""

import json
import re

import pytest
from graphql import OperationDefinitionNode, parse, validate

from loyalty_graph.graphql.editor import editor, stories
from loyalty_graph.graphql.schema import SCHEMA


def test_the_stories_come_in_their_order():
    names = [
        re.findall(r"^(?:query|mutation) (\w+)", one["query"], re.MULTILINE) for one in stories()
    ]

    assert names == [
        ["Program"],
        ["Members"],
        ["HomeScreen"],
        ["Simulate"],
        ["Purchase"],
        ["CardLink"],
    ]


@pytest.mark.parametrize("story", stories(), ids=lambda story: story["query"].splitlines()[0])
def test_every_story_fits_the_schema(story: dict[str, str]):
    document = parse(story["query"])

    assert validate(SCHEMA._schema, document) == []
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    wanted = {one.variable.name.value for one in operation.variable_definitions or ()}
    assert set(json.loads(story["variables"] or "{}")) == wanted
    assert "# variables" not in story["query"]


def test_the_page_loads_only_files_of_this_server():
    answer = editor()
    html = bytes(answer.body).decode()

    assert re.findall(r'(?:src|href)="(?!/)', html) == []
    assert "unsafe" not in answer.headers["content-security-policy"]
    [data] = re.findall(r'id="stories">(.*?)</script>', html)
    assert json.loads(data) == stories()
