"""The command line as a person meets it: words in, an exit code and two streams out."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from loyalty_graph.cli import main
from loyalty_graph.db import open_database
from loyalty_graph.members.models import Member
from tests.shop import open_shop, program

PRESET = Path(__file__).parents[2] / "presets" / "corner-grocer.toml"


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


CommandLine = Callable[..., Done]


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("LOYALTY_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Runs a command in this process."""

    def run(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["loyalty-graph", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        streams = capsys.readouterr()
        return Done(int(end.value.code or 0), streams.out, streams.err)

    return run


@pytest.fixture
def shop_url(call: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with the corner grocer's programme; the commands' default."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", database_url)
    assert call("program", "apply", PRESET).code == 0
    return database_url


@pytest.fixture
def ada(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Member:
    """A member with 108, then 216 points; the database is the commands' default."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", database_url)

    async def make() -> Member:
        async with open_database(database_url):
            shop = await open_shop(program(expiry_months=None))
            member = await shop.enrol()
            await shop.enrol()
            await shop.buy(member)
            await shop.later(timedelta(hours=1)).buy(member)
            return member

    return asyncio.run(make())
