"""The fakes and the phones that the demo runs beside itself, and the server they belong to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from loyalty_graph.app import create_app
from loyalty_graph.cli.beside import serving
from loyalty_graph.cli.listening import address_of, listen
from loyalty_graph.cli.sandbox import ACCOUNT_FILE, APNS_ROOT_FILE, FOLDER
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings, data_folder
from loyalty_graph.outbox import numbering
from loyalty_graph.sandbox.apns import FakeApns
from loyalty_graph.sandbox.demo import Following
from loyalty_graph.sandbox.google import FakeGoogle
from loyalty_graph.sandbox.wallets import Wallets
from loyalty_graph.wallet import tags
from loyalty_graph.wallet.apple.development_ca import (
    DEVELOPMENT_FOLDER,
    development_root,
    development_signer,
)
from loyalty_graph.wallet.apple.pushing import pushes_to_apple
from loyalty_graph.wallet.desk import WEB_SERVICE_PATH, PassDesk
from loyalty_graph.worker.duties import worker_duties
from loyalty_graph.worker.loops import Loop, running

HOST = "127.0.0.1"
# The fake knows no limit; with Google's own, the cards of 500 members would take half a minute.
GOOGLE_PER_S = 10_000
REPLAYED = {"jobs"}
"""What is due by the clock was done day by day."""
AT_THE_START = {"numbering", "roll-outs"}

DEVELOPMENT: dict[str, Any] = {
    "apple_certificates": None,
    "apple_certificate": None,
    "apple_key": None,
    "apple_issuer": None,
    "pass_type_identifier": None,
    "team_identifier": None,
}
"""Phones of the demo trust no other passes."""


@dataclass(frozen=True, slots=True)
class Fakes:
    """What runs: the wallets of the members, and the settings that lead a server to each fake."""

    wallets: Wallets
    apple: dict[str, Any]
    google: dict[str, Any]


@asynccontextmanager
async def following(settings: Settings, kept: Path) -> AsyncIterator[Following]:
    """Open the database and serve it to phones, with both fakes, until the block ends.

    Nothing is done by itself, neither numbering nor pushes nor jobs, until it is asked for. What
    phones and Google have in the end is written to the file `kept`.
    """
    with listen(HOST, 0) as listener:
        own = {**DEVELOPMENT, "public_url": address_of(listener), "worker": False}
        async with _fakes(settings) as fakes:
            led = settings.model_copy(update=own | fakes.apple | fakes.google)
            app = create_app(led)
            async with app.router.lifespan_context(app), serving(app, listener):
                yield _following(led, app.state.desk, fakes.wallets)
            fakes.wallets.write(kept)


@asynccontextmanager
async def beside(settings: Settings, kept: Path) -> AsyncIterator[Settings]:
    """Run the fakes and the phones of a demo beside its server; yield the server's settings.

    Where Apple or Google are set up, they are used. The phones go on with what is in `kept`.
    """
    async with _fakes(settings) as fakes:
        service_url = f"{settings.public_url.rstrip('/')}{WEB_SERVICE_PATH}"
        fakes.wallets.read(kept, service_url=service_url)
        apple = {} if pushes_to_apple(settings) else fakes.apple
        google = {} if settings.google_service_account else fakes.google
        yield settings.model_copy(update=apple | google)
        fakes.wallets.write(kept)


@asynccontextmanager
async def _fakes(settings: Settings) -> AsyncIterator[Fakes]:
    ca, folder = data_folder(settings) / DEVELOPMENT_FOLDER, data_folder(settings) / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    await asyncio.to_thread(development_signer, ca, now=utc_now())
    root = development_root(ca)
    with listen(HOST, 0) as listener:
        google = FakeGoogle(address_of(listener), clock=utc_now)
        async with serving(google.app, listener), httpx2.AsyncClient() as client:
            wallets = Wallets(google, client, root, utc_now)
            apns = FakeApns(root, clock=utc_now, heard=wallets.hear)
            url = await apns.start()
            try:
                yield Fakes(wallets, _to_apple(apns, url, folder), _to_google(google, folder))
            finally:
                await apns.stop()


def _to_apple(apns: FakeApns, url: str, folder: Path) -> dict[str, Any]:
    root_file = folder / APNS_ROOT_FILE
    root_file.write_bytes(apns.root)
    return {"apns_url": url, "apns_root": root_file}


def _to_google(google: FakeGoogle, folder: Path) -> dict[str, Any]:
    account_file = folder / ACCOUNT_FILE
    google.account.write(account_file)
    return {
        "google_service_account": account_file,
        "google_issuer_id": google.store.issuer_id,
        "google_url": google.url,
        "google_keys_url": google.keys_url,
        "google_per_s": GOOGLE_PER_S,
    }


def _following(settings: Settings, desk: PassDesk, wallets: Wallets) -> Following:
    def duties() -> list[Loop]:
        every = worker_duties(settings, clock=utc_now)
        return [one for one in every if one.name not in REPLAYED]

    @asynccontextmanager
    async def delivering() -> AsyncIterator[None]:
        async with running(duties()):
            yield

    async def number() -> None:
        loops = {one.name: one for one in duties() if one.name in AT_THE_START}
        try:
            # Templates are known before there are cards, so that none counts as changed.
            await loops["roll-outs"].step()
            while await numbering.waiting() or await tags.waiting():
                await loops["numbering"].step()
        finally:
            for loop in loops.values():
                await loop.close()

    return Following(desk, wallets, number, delivering)
