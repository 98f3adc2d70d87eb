"""The command that plays the story of a preset through an API of its own, and says how it went."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx2
import typer
from rich.markup import escape

from loyalty_graph.cli.output import console, run
from loyalty_graph.config import Settings
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import TOKEN_RANDOM_BYTES, Scope, TokenMode
from loyalty_graph.sandbox.presets import open_preset, preset_file
from loyalty_graph.sandbox.stories import Story, read_story, story_of
from loyalty_graph.sandbox.story_player import Played, Player, shown
from loyalty_graph.usecases import scheduled

app = typer.Typer()

PLACE = "http://story"
PARTNER = "Storyteller"
JOBS_MAX = 10_000
WORKER_COMES_DAYS = 30
NO_PREFIX = "STORY_"


@dataclass(slots=True)
class MovedClock:
    """A clock that stands still until somebody moves it."""

    now: datetime

    def __call__(self) -> datetime:
        """Return the moment at which it stands."""
        return self.now


@app.command()
def story(
    name: Annotated[str, typer.Argument(metavar="PRESET", help="Whose: coffee-stars, ...")],
    *,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another story of it (TOML).")
    ] = None,
) -> None:
    """Play the story of a preset in a database of its own; exit 1 when a figure differs."""
    preset_file(name)
    told = read_story(file or story_of(name))
    console.print(f"[bold]{escape(told.title)}[/]")
    with TemporaryDirectory() as folder:
        run(_tell(name, told, alone_in(Path(folder))))
    console.print("[green]✓[/] Every figure is as the story says.")


def alone_in(folder: Path, *, database_url: str | None = None) -> Settings:
    """Return the settings of a server that knows nothing of this machine's others."""
    url = database_url or f"sqlite://{folder / 'story.sqlite3'}"
    return Settings(  # type: ignore[call-arg] # the prefix is pydantic's own argument
        _env_prefix=NO_PREFIX, data_dir=folder, database_url=url, worker=False
    )


async def _tell(preset: str, told: Story, settings: Settings) -> None:
    async with staged(preset, told.begins, settings) as player:
        async for played in player.play(told):
            _print_step(played)


def _print_step(played: Played) -> None:
    console.print(f"  {played.number:>2}  {escape(played.step.says)}")
    expected = played.step.expect.given
    figures = ", ".join(f"{name} {shown(played.found[name])}" for name in expected)
    if figures:
        console.print(f"      [dim]{escape(figures)}[/]")


@asynccontextmanager
async def staged(preset: str, begins: datetime, settings: Settings) -> AsyncIterator[Player]:
    """Serve a preset's programme that opens at a moment, as a sandbox with a clock of its own."""
    from loyalty_graph.app import create_app

    clock = MovedClock(begins)
    served = create_app(settings, clock=clock)
    jobs = scheduled.runner(clock, settings)

    async def wait(days: int) -> None:
        # Whoever reads lets time run on to now, so jobs that come seldom change nothing.
        while days > 0:
            clock.now += timedelta(days=min(days, WORKER_COMES_DAYS))
            days -= WORKER_COMES_DAYS
            await jobs.run_due(clock.now, JOBS_MAX)

    async with served.router.lifespan_context(served):
        token = await _opened(preset, now=begins)
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(served),
            base_url=PLACE,
            headers={"authorization": f"Bearer {token}"},
        ) as client:
            yield Player(client, wait)


async def _opened(preset: str, *, now: datetime) -> str:
    """Open the programme as a sandbox; return a token that may do everything in it."""
    version = await open_preset(preset, now=now)
    partner = await identity.partner_named(version.program_id, PARTNER, now=now)
    made = await identity.create_token(
        version.program_id,
        partner.id,
        name=PARTNER,
        scopes=[Scope.ADMIN],
        mode=TokenMode.TEST,
        randomness=secrets.token_bytes(TOKEN_RANDOM_BYTES),
        now=now,
    )
    return made.text
