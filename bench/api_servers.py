"""The two sides of the `api` suite, each a process of its own: our API, and plain Starlette.

`python -m bench.api_servers fill URL FOLDER` makes a shop and prints what the requests need;
`python -m bench.api_servers ours|split|called|clocked|plain URL FOLDER` serves it and prints the
port. The plain side checks the token too and answers with the same JSON.
"""

import asyncio
import json
import logging
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from bench.api_plain import plain
from bench.api_shop import fill
from bench.api_split import split
from bench.http_split import called, clocked
from loyalty_graph.app import create_app
from loyalty_graph.config import Settings
from loyalty_graph.garbage import collected_rarely


async def serve(app: Starlette) -> None:
    """Serve until the process is stopped; both sides run under the same server."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", access_log=False, log_level="warning")
    async with app.router.lifespan_context(app):
        print(listener.getsockname()[1], flush=True)
        await uvicorn.Server(config).serve(sockets=[listener])


SIDES: dict[str, Callable[[str, str], Starlette]] = {
    "ours": lambda url, folder: create_app(Settings(database_url=url, data_dir=Path(folder))),
    "split": lambda url, folder: split(Settings(database_url=url, data_dir=Path(folder))),
    "called": lambda url, folder: called(Settings(database_url=url, data_dir=Path(folder))),
    "clocked": lambda url, folder: clocked(Settings(database_url=url, data_dir=Path(folder))),
    "plain": plain,
}


def main(words: list[str]) -> None:
    logging.basicConfig(level=logging.ERROR)
    side, url, folder = words
    if side == "fill":
        print(json.dumps(asyncio.run(fill(url, folder))))
        return
    work = serve(SIDES[side](url, folder))
    loop = uvicorn.Config(plain).get_loop_factory()
    # As `loyalty-graph serve` runs.
    with collected_rarely(), asyncio.Runner(loop_factory=loop) as runner:
        runner.run(work)


if __name__ == "__main__":
    main(sys.argv[1:])
