"""Commands of the simulated iPhone: it adds passes of any server, and shows how they change."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import httpx2
import typer
from pydantic import ValidationError
from rich.markup import escape

from loyalty_graph.cli.card_drawing import draw_pass
from loyalty_graph.cli.options import JsonOption
from loyalty_graph.cli.output import command_line, console, errors, near, print_json, run
from loyalty_graph.cli.passes import trusted_root
from loyalty_graph.cli.waiting import signalled
from loyalty_graph.clock import utc_now
from loyalty_graph.config import data_folder, load_settings
from loyalty_graph.errors import DeviceError
from loyalty_graph.sandbox.device import DeviceState, Phone
from loyalty_graph.sandbox.device_passes import HeldPass

Result = TypeVar("Result")

app = typer.Typer(help="A simulated iPhone: add a pass, watch it change.", no_args_is_help=True)
FILE = "device.json"
EVERY_S = 1.0
EVERY_MIN_S = 0.1
RootOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="The root certificate it trusts. (default: the development CA's)"
    ),
]
SerialArgument = Annotated[
    str | None, typer.Argument(metavar="[SERIAL]", help="Which pass, where there are several.")
]


@app.command()
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="A pass link, or a card page.")],
    *,
    language: Annotated[
        str | None, typer.Option(metavar="CODE", help="The phone's language, such as de.")
    ] = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a pass as a phone does: check it, show it, and ask to be told of its changes."""

    async def work(phone: Phone) -> HeldPass:
        if language is not None:
            phone.state.language = language
        return await phone.add(url)

    _show([_with_phone(work, root)], as_json=as_json)


@app.command()
def poll(*, root: RootOption = None, as_json: JsonOption = False) -> None:
    """Ask once what has changed, as a phone does after a push, and fetch it."""
    changed = _with_phone(lambda phone: phone.poll(), root)
    if not as_json:
        _tell(changed)
        if not changed:
            console.print("Nothing has changed.")
    _show(changed, as_json=as_json)


@app.command()
def show(serial: SerialArgument = None, *, as_json: JsonOption = False) -> None:
    """Draw the passes it holds, as they were at the last poll."""
    state = _read()
    held = list(state.passes.values()) if serial is None else [_chosen(state, serial)]
    if not held and not as_json:
        errors.print(f"It holds no pass. Add one: {escape(command_line('device', 'add', 'URL'))}")
    _show(held, as_json=as_json)


@app.command()
def watch(
    *,
    every: Annotated[
        float, typer.Option(min=EVERY_MIN_S, metavar="SECONDS", help="How often it asks.")
    ] = EVERY_S,
    changes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after so many changed passes.")
    ] = None,
    root: RootOption = None,
) -> None:
    """Ask again and again, and draw each change as it comes, until stopped."""

    async def work(phone: Phone) -> None:
        if not phone.state.passes:
            raise DeviceError("It holds no pass to watch.")
        _show(list(phone.state.passes.values()), as_json=False)
        console.print("  [dim]Watching; Ctrl-C stops.[/]")
        left = changes
        async with signalled() as stopped:
            while not stopped.is_set() and left != 0:
                changed = await phone.poll()
                if changed:
                    _write(phone.state)
                    _tell(changed)
                    _show(changed, as_json=False)
                    left = None if left is None else max(0, left - len(changed))
                else:
                    await _wait(stopped, every)

    _with_phone(work, root)


@app.command()
def remove(serial: SerialArgument = None) -> None:
    """Remove a pass, and ask to be told of its changes no longer."""

    async def work(phone: Phone) -> HeldPass:
        return await phone.remove(_chosen(phone.state, serial).serial)

    held = _with_phone(work, None)
    console.print(f"[green]✓[/] removed {escape(held.name)}, {held.serial}")


def _with_phone(work: Callable[[Phone], Awaitable[Result]], root: Path | None) -> Result:
    """Let the phone do something, and keep what it remembers then, also after a failure."""
    state = _read()

    async def act() -> Result:
        async with httpx2.AsyncClient(verify=ssl.create_default_context()) as client:
            return await work(Phone(state, client, lambda: trusted_root(root), utc_now))

    try:
        return run(act())
    finally:
        _write(state)


def _path() -> Path:
    return data_folder(load_settings()) / FILE


def _read() -> DeviceState:
    path = _path()
    if not path.exists():
        return DeviceState()
    try:
        return DeviceState.model_validate_json(path.read_bytes())
    except ValidationError as error:
        message = f"{near(path)} is damaged; remove it, and the device begins anew."
        raise DeviceError(message) from error


def _write(state: DeviceState) -> None:
    """Keep what the phone remembers, whole and for its owner only."""
    path = _path()
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(state.model_dump_json(indent=1))
    draft.replace(path)


def _chosen(state: DeviceState, serial: str | None) -> HeldPass:
    if serial is not None and serial in state.passes:
        return state.passes[serial]
    known = ", ".join(state.passes) or "none"
    if serial is None and len(state.passes) == 1:
        return next(iter(state.passes.values()))
    asked = "Which pass?" if serial is None else f"This device holds no pass {serial}."
    raise DeviceError(f"{asked} It holds {known}.")


def _show(held: list[HeldPass], *, as_json: bool) -> None:
    if as_json:
        print_json([one.model_dump(mode="json", exclude={"token"}) for one in held])
        return
    for one in held:
        console.print()
        draw_pass(one, console)


def _tell(changed: list[HeldPass]) -> None:
    """Print what a lock screen says, and what has changed."""
    for one in changed:
        console.print()
        said = one.notice() or f"{one.name} has changed."
        console.print(f"[bold]{one.updated_at:%H:%M:%S}[/] {escape(said)}")
        for change in one.changes:
            before, after = escape(change.before or "nothing"), escape(change.after)
            console.print(f"  {escape(change.label):<16} {before} [dim]->[/] [bold]{after}[/]")


async def _wait(stopped: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopped.wait()
    except TimeoutError:
        pass
