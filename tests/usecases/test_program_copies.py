"""The text of a sandbox: another slug, a mark, and all else as it was."""

import tomllib

import pytest

from loyalty_graph.usecases.program_copies import sandbox_text


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        (
            '[program] # ours\nslug = "a" # for good\nname = "A"\n',
            '[program] # ours\nslug = "b" # for good\nsandbox = true\nname = "A"\n',
        ),
        (
            "[program]\nsandbox = false # really\n  slug = 'a'",
            '[program]\nsandbox = true # really\n  slug = "b"',
        ),
        ("[program]\n  slug = 'a'", '[program]\n  slug = "b"\n  sandbox = true'),
        ('program.slug = "a"', 'program.slug = "b"\nprogram.sandbox = true'),
        (
            'program = { slug = "a", name = "A" }',
            'program = { slug = "b", sandbox = true, name = "A" }',
        ),
        ('[program]\r\nslug = "a"\r\nx = 1', '[program]\r\nslug = "b"\r\nsandbox = true\nx = 1'),
    ],
)
def test_a_copy_keeps_all_but_its_slug_and_its_mark(text: str, copied: str):
    assert sandbox_text(text, slug="b") == copied
    program = tomllib.loads(copied)["program"]
    assert (program["slug"], program["sandbox"]) == ("b", True)
