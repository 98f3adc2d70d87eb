"""Commands that stand in for Apple and Google, so that everything can be tried without them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from loyalty_graph.cli.output import command_line, console, near, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import data_folder, load_settings
from loyalty_graph.sandbox.google_callbacks import CallbackFault

app = typer.Typer(help="Stand-ins for Apple and Google.", no_args_is_help=True)
GOOGLE_PORT = 8090
GOOGLE_REQUESTS_PER_S = 20
FOLDER = "sandbox"
ACCOUNT_FILE = "google-service-account.json"
GOOGLE_FILE = "google.json"
APNS_PORT = 2197  # The other port of Apple's own service.
APNS_ROOT_FILE = "apns-root.pem"
TOKEN_CHARACTERS_SHOWN = 4


def sandbox_folder() -> Path:
    """Return where the fakes put their keys, made on first use."""
    folder = data_folder(load_settings()) / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def print_settings(settings: dict[str, str]) -> None:
    """Print what to set where the server is started."""
    console.print("  [dim]Settings of a server that is to use it:[/]")
    for name, value in settings.items():
        console.print(f"  export {name}={escape(value)}")
    console.print(f"  [dim]then: {escape(command_line('serve'))}. Ctrl-C stops this.[/]")


@app.command()
def google(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The next one if it is in use.")
    ] = GOOGLE_PORT,
    requests_per_s: Annotated[
        int,
        typer.Option(
            "--requests-per-second", min=1, metavar="N", help="More are refused, as Google does."
        ),
    ] = GOOGLE_REQUESTS_PER_S,
    fault: Annotated[
        CallbackFault | None, typer.Option(help="What is to be wrong with its callbacks.")
    ] = None,
) -> None:
    """Stand in for Google Wallet until stopped; prints a line for each call.

    What it knows when it is stopped it knows at the next start; that and the key of its service
    account are in the data folder.
    """
    from loyalty_graph.cli.beside import serving
    from loyalty_graph.cli.listening import address_of, listen
    from loyalty_graph.cli.waiting import signalled
    from loyalty_graph.sandbox import google_keeping
    from loyalty_graph.sandbox.google import FakeGoogle
    from loyalty_graph.sandbox.google_accounts import ServiceAccount

    listener = listen("127.0.0.1", port)
    account_file, kept = sandbox_folder() / ACCOUNT_FILE, sandbox_folder() / GOOGLE_FILE

    async def work() -> None:
        fake = FakeGoogle(
            address_of(listener),
            clock=utc_now,
            requests_per_s=requests_per_s,
            fault=fault,
            tell=lambda line: console.print(f"  {escape(line)}"),
        )
        fake.account = ServiceAccount.kept(account_file, fake.account.token_url)
        fake.account.write(account_file)
        google_keeping.read(fake.store, kept)
        async with serving(fake.app, listener), signalled() as stopped:
            console.print(f"[bold]Google Wallet[/] as a fake at {fake.url}")
            print_settings(fake.settings(str(near(account_file))))
            await stopped.wait()
        google_keeping.write(fake.store, kept)
        console.print("Stopped.")

    run(work())


@app.command()
def apns(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The next one if it is in use.")
    ] = APNS_PORT,
) -> None:
    """Stand in for Apple's push service until stopped; prints a line for each push.

    It lets in whom the development CA of the data folder vouches for.
    """
    from loyalty_graph.cli.listening import listen
    from loyalty_graph.cli.waiting import signalled
    from loyalty_graph.sandbox.apns import FakeApns
    from loyalty_graph.sandbox.apns_plan import Push
    from loyalty_graph.wallet.apple.development_ca import (
        DEVELOPMENT_FOLDER,
        development_root,
        development_signer,
    )

    ca = data_folder(load_settings()) / DEVELOPMENT_FOLDER
    development_signer(ca, now=utc_now())
    root_file = sandbox_folder() / APNS_ROOT_FILE
    listener = listen("127.0.0.1", port)

    def show(push: Push) -> None:
        device = f"device …{push.token[-TOKEN_CHARACTERS_SHOWN:]}"
        console.print(f"  {push.at:%H:%M:%S} {push.status} {escape(device)} {push.topic}")

    async def work() -> None:
        fake = FakeApns(development_root(ca), clock=utc_now, heard=show)
        async with signalled() as stopped:
            url = await fake.start(listener)
            root_file.write_bytes(fake.root)
            console.print(f"[bold]APNs[/] as a fake at {url}")
            print_settings({"LOYALTY_APNS_URL": url, "LOYALTY_APNS_ROOT": str(near(root_file))})
            await stopped.wait()
            await fake.stop()
        console.print("Stopped.")

    run(work())
