"""Where the parts of a TOML text stand."""

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty_graph.programs.places import line_and_column, spots

PRESETS = sorted((Path(__file__).parents[2] / "presets").glob("*.toml"))

AWKWARD = r"""# comment = "[no]"
"quoted key" . 'a.b' = 1 # x = 2
text = QQQ
[not.a.table]
he said "\"quiet\"QQQQ # "
raw = '''C:\path'''''
day = 1979-05-27 07:32:00Z
list = [ # one
  [1, 2], [], { x = 1, y.z = "}" }, # two
  "]", 3 ,
]
[table . sub]
[[table.items]]
a.b = 1
[[table.items.inner]]
c = 2
[[table.items.inner]]
[[table.items]]
[table.items.only]
d = {}
[table]
late = 'yes'
""".replace("Q", '"')


def parts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield (path, value) of everything below a value."""
    below = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in below:
        yield (*path, name), part
        if isinstance(part, dict | list):
            yield from parts(part, (*path, name))


def check(text: str) -> None:
    """Make sure that every part that tomllib sees has its spot, and nothing else has one."""
    data = tomllib.loads(text)
    found = spots(text)
    assert dict(parts(data)).keys() == found.keys()
    for path, value in parts(data):
        spot, stands = found[path], text[found[path].start : found[path].end]
        if spot.key != spot.start or not isinstance(value, dict | list):
            assert tomllib.loads(f"value = {stands}")["value"] == value, path
        if isinstance(name := path[-1], str):
            spellings = (name, f"'{name}'", json.dumps(name, ensure_ascii=False), json.dumps(name))
            assert text.startswith(spellings, spot.key), path


def test_awkward_texts_are_read_as_tomllib_reads_them():
    check(AWKWARD)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.name)
def test_every_part_of_a_preset_has_its_place(path: Path):
    check(path.read_text())


def test_keys_and_values_are_told_with_line_and_column():
    text = '[program]\nname = "Bean"\npoints.unit_one = "b"\n\n[[rewards]]\n  tiers = ["A", "B"]\n'

    found = spots(text)

    places = {path: line_and_column(text, one.key) for path, one in found.items()}
    assert places == {
        ("program",): (1, 2),
        ("program", "name"): (2, 1),
        ("program", "points"): (3, 1),
        ("program", "points", "unit_one"): (3, 8),
        ("rewards",): (5, 3),
        ("rewards", 0): (5, 3),
        ("rewards", 0, "tiers"): (6, 3),
        ("rewards", 0, "tiers", 0): (6, 12),
        ("rewards", 0, "tiers", 1): (6, 17),
    }
    assert line_and_column(text, found["program", "name"].start) == (2, 8)


KEYS = st.text(st.sampled_from("ab.\"'# é\\="), max_size=4) | st.sampled_from(["code", "a-b", "1"])
LEAVES = (
    st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.just("\n"))
    | st.dates(min_value=date(1000, 1, 1))
    | st.datetimes(timezones=st.just(UTC)).filter(lambda one: one.year >= 1000)
    | st.times()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
FILES = st.dictionaries(KEYS, VALUES, max_size=4)
BLANKS = st.sampled_from(["", " ", "\t ", "  "])


def _spaced(draw: st.DrawFn, text: str) -> str:
    return f"{draw(BLANKS)}{text}{draw(BLANKS)}"


def _key(draw: st.DrawFn, name: str) -> str:
    if name and all(one.isascii() and (one.isalnum() or one in "-_") for one in name):
        return draw(st.sampled_from([name, json.dumps(name), f"'{name}'"]))
    return json.dumps(name)


def _text(draw: st.DrawFn, value: str) -> str:
    forms = [json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")]
    if value.isprintable():
        forms += [f"'{value}'"] * ("'" not in value)
        forms += [f"'''{value}'''"] * ("'" not in value)
    quoted = value.replace("\\", "\\\\").replace('""', '"\\"')
    if all(one.isprintable() or one == "\n" for one in quoted):
        forms.append(f'"""\n{quoted}"""')
    return draw(st.sampled_from(forms))


def _value(draw: st.DrawFn, value: Any) -> str:
    if isinstance(value, str):
        return _text(draw, value)
    if isinstance(value, dict):
        inside = [
            _spaced(draw, f"{_spaced(draw, _key(draw, name))}={_spaced(draw, _value(draw, one))}")
            for name, one in value.items()
        ]
        return "{" + ",".join(inside) + "}"
    if isinstance(value, list):
        gap = st.sampled_from(["", " ", "\n", " # ],\n", "\r\n\t"])
        inside = [f"{draw(gap)}{_value(draw, one)}{draw(gap)}" for one in value]
        ending = draw(st.sampled_from(["", ","])) if inside else ""
        return "[" + ",".join(inside) + ending + draw(gap) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return repr(value)


def _tables(draw: st.DrawFn, name: str, value: Any, prefix: str = "") -> Iterator[str]:
    header = f"{prefix}{_key(draw, name)}"
    if isinstance(value, dict):
        yield f"{_spaced(draw, f'[{_spaced(draw, header)}]')}# [x]\n"
        yield from _statements(draw, value, f"{header}{_spaced(draw, '.')}")
    else:
        for one in value:
            yield f"[[{draw(BLANKS)}{header}]]\n"
            yield from _statements(draw, one, f"{header}.")


def _statements(draw: st.DrawFn, data: dict[str, Any], prefix: str = "") -> Iterator[str]:
    tables = {}
    for name, value in data.items():
        is_items = isinstance(value, list) and value and all(isinstance(v, dict) for v in value)
        if (isinstance(value, dict) or is_items) and draw(st.booleans()):
            tables[name] = value
        elif isinstance(value, dict) and len(value) == 1 and draw(st.booleans()):
            [(inner, part)] = value.items()
            yield f"{_key(draw, name)}{draw(BLANKS)}.{_key(draw, inner)} = {_value(draw, part)}\n"
        else:
            yield f"{_spaced(draw, _key(draw, name))}={_spaced(draw, _value(draw, value))}# a = [\n"
    for name, value in tables.items():
        yield from _tables(draw, name, value, prefix)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    data = draw(FILES)
    return "".join(_statements(draw, data)), data


# What is drawn is deep, and slow to draw on a busy machine.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(texts())
def test_any_text_is_read_as_tomllib_reads_it(written: tuple[str, dict[str, Any]]):
    text, data = written
    assert tomllib.loads(text) == data

    check(text)
