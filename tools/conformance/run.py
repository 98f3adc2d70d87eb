"""Serves the API on a free loopback port with a database of its own, and audits it.

The server runs in this process, so that nothing is left behind whatever happens.
"""

import asyncio
import socket
import sys
import tempfile
from pathlib import Path

import uvicorn

from loyalty_graph.app import create_app
from loyalty_graph.config import Settings

AUDIT_TIMEOUT_S = 120
START_TIMEOUT_S = 20


async def main(script: str) -> int:
    """Serve, run the audits of the script, and return their exit code."""
    with tempfile.TemporaryDirectory(prefix="lg-conformance-") as folder, socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        settings = Settings(data_dir=Path(folder), database_url=f"sqlite://{folder}/api.sqlite3")
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="error"))
        serving = asyncio.create_task(server.serve(sockets=[port]))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not server.started:  # noqa: ASYNC110 - uvicorn signals it no other way
                    await asyncio.sleep(0.05)
            return await audit(script, f"http://127.0.0.1:{port.getsockname()[1]}/graphql")
        finally:
            server.should_exit = True
            await serving


async def audit(script: str, url: str) -> int:
    """Run the audits and return their exit code."""
    process = await asyncio.create_subprocess_exec("node", script, url)
    try:
        async with asyncio.timeout(AUDIT_TIMEOUT_S):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
