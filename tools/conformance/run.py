"""Serves the API on a free loopback port with a database of its own, and lets npm packages judge.

`run.py AUDIT LIVE`: the script AUDIT checks GraphQL over HTTP; the script LIVE listens, over
WebSocket and over server-sent events, while the server is stopped and started again. The server
runs in this process, so that nothing is left behind whatever happens.
"""

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import uvicorn

from loyalty_graph.app import create_app
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings, bundled
from loyalty_graph.db import open_database
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import TOKEN_RANDOM_BYTES, TokenMode
from loyalty_graph.members.service import Profile
from loyalty_graph.usecases import members, program_file

AUDIT_TIMEOUT_S = 120
START_TIMEOUT_S = 20
PRESET = "presets/corner-grocer.toml"
PHASES = 4
EVENTS_EACH = 10


async def main(audit: str, live: str) -> int:
    """Run all scripts; return 1 unless each of them is content."""
    with tempfile.TemporaryDirectory(prefix="lg-conformance-") as folder:
        async with serving(settings_in(Path(folder), "audit")) as port:
            codes = [await node(audit, f"http://127.0.0.1:{port}/graphql")]
        codes += [
            await listen(live, protocol, settings_in(Path(folder), protocol))
            for protocol in ("ws", "sse")
        ]
    return 1 if any(codes) else 0


def settings_in(folder: Path, name: str) -> Settings:
    """Return settings with a database of this name."""
    return Settings(data_dir=folder, database_url=f"sqlite://{folder}/{name}.sqlite3")


@asynccontextmanager
async def serving(settings: Settings, *, port: int = 0) -> AsyncIterator[int]:
    """Serve on a port until the block ends; yield the port."""
    app = create_app(settings)
    with socket.create_server(("127.0.0.1", port)) as listener:
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not server.started:  # noqa: ASYNC110 - uvicorn signals it no other way
                    await asyncio.sleep(0.05)
            yield listener.getsockname()[1]
        finally:
            app.state.live.stop()
            server.should_exit = True
            await running


async def listen(script: str, protocol: str, settings: Settings) -> int:
    """Let a client listen while things happen: served, stopped, and served again."""
    async with serving(settings) as port:
        now = utc_now()
        version = await program_file.load(program_file.read(bundled(PRESET)), now=now)
        token = await token_for(version.program_id)
        await happen(version.program_id)
        url, wanted = f"http://127.0.0.1:{port}/graphql", str(PHASES * EVENTS_EACH)
        client = asyncio.create_task(node(script, protocol, url, token, wanted))
        await asyncio.sleep(1)
        await happen(version.program_id)
    async with open_database(settings.database_url):
        await happen(version.program_id)
    async with serving(settings, port=port):
        await happen(version.program_id)
        return await client


async def token_for(program_id: UUID) -> str:
    """Return a token that may listen."""
    partner = await identity.partner_named(program_id, "Listener", now=utc_now())
    made = await identity.create_token(
        program_id,
        partner.id,
        name="listener",
        scopes=["members:read"],
        mode=TokenMode.LIVE,
        randomness=bytes(TOKEN_RANDOM_BYTES),
        now=utc_now(),
    )
    return made.text


async def happen(program_id: UUID) -> None:
    """Let some events happen, one after the other."""
    for _ in range(EVENTS_EACH):
        await members.enrol(program_id, [members.Enrolment(Profile())], now=utc_now())


async def node(script: str, *arguments: str) -> int:
    """Run a script and return its exit code."""
    process = await asyncio.create_subprocess_exec("node", script, *arguments)
    try:
        async with asyncio.timeout(AUDIT_TIMEOUT_S):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
