"""Builds a town: an empty database, a programme, processes, members and their cards."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import httpx2

from chaos.audit import Auditor
from chaos.balancer import Balancer
from chaos.processes import Program, run
from chaos.proxy import HOST, Proxy, postgres_target, through
from chaos.servers import PostgresServer, SqliteFile, Valkey
from chaos.tills import Counter
from chaos.town import PROGRAM, Size, Town
from chaos.wallets import Wallets
from loyalty_graph.cli.beside import serving
from loyalty_graph.clock import utc_now
from loyalty_graph.sandbox.apns import FakeApns
from loyalty_graph.sandbox.google import FakeGoogle
from loyalty_graph.wallet.apple.development_ca import (
    DEVELOPMENT_FOLDER,
    development_root,
    development_signer,
)

PROGRAM_FILE = Path(__file__).with_name("program.toml")
SCOPES = (
    "members:read",
    "members:write",
    "purchases:write",
    "points:adjust",
    "rewards:redeem",
    "passes:issue",
)
ENROL = """mutation ($input: EnrolMemberInput!) {
    enrolMember(input: $input) { member { number } userErrors { code message } } }"""
GOOGLE_PER_S = "10000"
WORKERS = 2


@asynccontextmanager
async def town(
    storage: SqliteFile | PostgresServer, folder: Path, size: Size
) -> AsyncIterator[Town]:
    """Build a town on an empty database, and let it run until the block ends.

    Two API processes serve it on PostgreSQL, and two workers do the rest; on SQLite one process
    does all.
    """
    data, distributed = folder / "data", isinstance(storage, PostgresServer)
    data.mkdir(mode=0o700, parents=True)
    async with AsyncExitStack() as stack:
        ports = [_free_port() for _ in range(1 + distributed)]
        street = await stack.enter_async_context(Balancer(ports))
        client = await stack.enter_async_context(httpx2.AsyncClient())
        environment = {
            "LOYALTY_DATA_DIR": str(data),
            "LOYALTY_DATABASE_URL": storage.url,
            "LOYALTY_PUBLIC_URL": f"http://{HOST}:{street.port}",
        }
        wallets = await _fakes(stack, data, client, environment)
        valkey, wire = None, None
        if isinstance(storage, PostgresServer):
            valkey = await asyncio.to_thread(Valkey, folder / "valkey")
            stack.callback(valkey.close)
            wire = await stack.enter_async_context(Proxy(postgres_target(storage.url)))
            environment |= {"LOYALTY_REDIS_URL": valkey.url, "LOYALTY_WORKER": "false"}
        token = await asyncio.to_thread(_found, environment)
        apis = _apis(folder, environment, ports, storage, wire)
        names = [f"worker-{number}" for number in range(WORKERS)] if distributed else []
        workers = [Program(name, ["worker"], folder, dict(environment)) for name in names]
        for one in (*apis, *workers):
            stack.push_async_callback(_end, one)
        await asyncio.gather(*(one.start() for one in (*apis, *workers)))
        till = httpx2.AsyncClient(
            base_url=environment["LOYALTY_PUBLIC_URL"],
            headers={"authorization": f"Bearer {token}"},
        )
        counter = Counter(await stack.enter_async_context(till))
        members = [await _enrol(counter, number) for number in range(size.members)]
        for member in members:
            await wallets.hand_out(counter, member)
        yield Town(
            storage=storage,
            apis=apis,
            workers=workers,
            valkey=valkey,
            street=street,
            wire=wire,
            environment=environment,
            folder=folder,
            size=size,
            chance=Random(),
            counter=counter,
            wallets=wallets,
            auditor=Auditor(counter, storage, members),
        )


def _found(environment: Mapping[str, str]) -> str:
    """Make the programme, and a token for its tills."""
    run("program", "apply", str(PROGRAM_FILE), environment=environment)
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    words = ("token", "create", "Till", *scopes, "--program", PROGRAM)
    return run(*words, environment=environment).split()[-1]


def _apis(
    folder: Path,
    environment: Mapping[str, str],
    ports: Sequence[int],
    storage: SqliteFile | PostgresServer,
    wire: Proxy | None,
) -> list[Program]:
    url = storage.url if wire is None else through(storage.url, wire)
    return [
        Program(
            f"api-{number}",
            ["serve", "--port", str(port)],
            folder,
            {**environment, "LOYALTY_DATABASE_URL": url},
        )
        for number, port in enumerate(ports)
    ]


async def _end(one: Program) -> None:
    if one.is_running:
        await one.kill()


async def _fakes(
    stack: AsyncExitStack, data: Path, client: httpx2.AsyncClient, environment: dict[str, str]
) -> Wallets:
    """Run the fake Apple and the fake Google; add to the settings what leads to them."""
    await asyncio.to_thread(development_signer, data / DEVELOPMENT_FOLDER, now=utc_now())
    root = development_root(data / DEVELOPMENT_FOLDER)
    listener = stack.enter_context(socket.create_server((HOST, 0)))
    google = FakeGoogle(f"http://{HOST}:{listener.getsockname()[1]}", clock=utc_now)
    await stack.enter_async_context(serving(google.app, listener))
    google.account.write(data / "google.json")
    wallets = Wallets(google, client, root)
    apns = FakeApns(root, clock=utc_now, heard=wallets.hear)
    url = await apns.start()
    stack.push_async_callback(apns.stop)
    stack.push_async_callback(wallets.close)
    (data / "apns.pem").write_bytes(apns.root)
    environment |= google.settings(str(data / "google.json")) | {
        "LOYALTY_APNS_URL": url,
        "LOYALTY_APNS_ROOT": str(data / "apns.pem"),
        "LOYALTY_GOOGLE_PER_S": GOOGLE_PER_S,
    }
    return wallets


async def _enrol(counter: Counter, number: int) -> str:
    given = {"idempotencyKey": f"member-{number}", "externalId": f"member-{number}"}
    told = await counter.insist({"query": ENROL, "variables": {"input": given}})
    return str(told["enrolMember"]["member"]["number"])


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])
