"""The two sides of Apple's web service in the `wallet` suite, each a process of its own.

`python -m bench.wallet_servers fill URL FOLDER` makes members with passes and prints what the
requests need; `python -m bench.wallet_servers kept|made|plain URL FOLDER` serves and prints the
port: `kept` keeps signed files, `made` makes one for each fetch.
"""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import uvicorn
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.api_servers import serve
from bench.api_shop import programme
from loyalty_graph.app import create_app
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.db import migrate, open_database
from loyalty_graph.members.service import Profile
from loyalty_graph.usecases import members, program_file
from loyalty_graph.wallet.apple.checking import describe
from loyalty_graph.wallet.desk import open_desk

MEMBERS = 500
ROW_SQL = "select update_tag, last_modified from pass where serial = $1"


async def fill(url: str, folder: str) -> dict[str, Any]:
    """Make a shop whose members have passes; return where each is fetched, and with what token."""
    settings, now = Settings(database_url=url, data_dir=Path(folder)), utc_now()
    desk = open_desk(settings, now=now)
    async with open_database(url):
        await migrate()
        program_id = (await program_file.load(programme(), now=now)).program_id
        wanted = [members.Enrolment(Profile(first_name=f"Ada {one}")) for one in range(MEMBERS)]
        ids = [member.id for member in await members.enrol(program_id, wanted, now=now)]
        serials = await desk.serials(program_id, ids, now=now)
        files = await desk.files(program_id, serials, now=now)
    cards = [describe(data)["card"] for data in files.values()]
    return {
        "size": max(map(len, files.values())),
        # They were issued at once.
        "last_modified": format_datetime(now.replace(microsecond=0), usegmt=True),
        "passes": [
            {
                "serial": card["serialNumber"],
                "path": f"/apple/v1/passes/{card['passTypeIdentifier']}/{card['serialNumber']}",
                "token": card["authenticationToken"],
            }
            for card in cards
        ],
    }


class Plain:
    """Bare Starlette routes: each reads one row by its key; some send a body, some sign before."""

    def __init__(self, url: str) -> None:
        self.url, self.body = url, b""
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.pool: asyncpg.Pool | None = None

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(self.url, min_size=4, max_size=20) as self.pool:
            yield

    async def row(self, request: Request) -> Response:
        """Answer with the row's columns."""
        row = await self._row(request)
        return Response(f"{row['update_tag']} {row['last_modified']}")

    async def blob(self, request: Request) -> Response:
        """Answer with as many bytes as are asked for."""
        await self._row(request)
        return self._blob(request)

    async def signed_blob(self, request: Request) -> Response:
        """Sign the row first, in a thread, as the card is."""
        row = await self._row(request)
        text = f"{row['update_tag']} {row['last_modified']}".encode()
        await asyncio.to_thread(self.key.sign, text, padding.PKCS1v15(), hashes.SHA256())
        return self._blob(request)

    async def _row(self, request: Request) -> asyncpg.Record:
        assert self.pool is not None, "it is open while requests are served"
        row = await self.pool.fetchrow(ROW_SQL, request.path_params["serial"])
        assert row is not None, "the bench asks for its own passes"
        return row

    def _blob(self, request: Request) -> Response:
        size = int(request.query_params["size"])
        if len(self.body) != size:
            self.body = bytes(size)
        return Response(self.body, media_type="application/octet-stream")


def plain(url: str, _folder: str) -> Starlette:
    side = Plain(url)
    return Starlette(
        lifespan=side.lifespan,
        routes=[
            Route("/row/{serial}", side.row),
            Route("/blob/{serial}", side.blob),
            Route("/signed/{serial}", side.signed_blob),
        ],
    )


def ours(url: str, folder: str, *, cache_mb: int) -> Starlette:
    return create_app(
        Settings(database_url=url, data_dir=Path(folder), pass_cache_mb=cache_mb, worker=False)
    )


SIDES: dict[str, Callable[[str, str], Starlette]] = {
    "kept": partial(ours, cache_mb=64),
    "made": partial(ours, cache_mb=0),
    "plain": plain,
}


def main(words: list[str]) -> None:
    logging.basicConfig(level=logging.ERROR)
    side, url, folder = words
    if side == "fill":
        print(json.dumps(asyncio.run(fill(url, folder))))
        return
    loop = uvicorn.Config(plain).get_loop_factory()
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(serve(SIDES[side](url, folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
