"""Troubles of processes: killed, stopped, and started again while tills trade."""

import asyncio

from chaos.processes import Program
from chaos.town import LOOK_EVERY_S, Town, Trouble

NUMBERER = "SELECT process FROM lease WHERE name = 'numbering'"


async def nothing(town: Town) -> None:
    """Break nothing: what is found then is a fault of the audit, or a plain one of ours."""
    await town.traded(town.size.after)


async def kill_api(town: Town) -> None:
    """Kill a process that serves, in the middle of what it does."""
    victim = town.chance.choice(town.apis)
    await victim.kill()
    await victim.start()


async def kill_worker(town: Town) -> None:
    """Kill one of the workers."""
    victim = town.chance.choice(town.workers)
    await victim.kill()
    await town.traded(town.size.after)
    await victim.start()


async def kill_numbering(town: Town) -> None:
    """Kill the process that numbers facts and cards; another takes over when its lease is up."""
    victim = await numberer(town)
    await victim.kill()
    await town.traded(town.size.after)
    await victim.start()


async def numberer(town: Town) -> Program:
    """Return the process that numbers now, or did a moment ago."""
    while True:
        for (name,) in await town.storage.rows(NUMBERER):
            for one in town.programs:
                if one.is_running and one.pid == int(name.rpartition(":")[2]):
                    return one
        await asyncio.sleep(LOOK_EVERY_S)


async def kill_all(town: Town) -> None:
    """Kill all processes at once."""
    for one in town.programs:
        await one.kill()
    await asyncio.gather(*(one.start() for one in town.programs))


async def rolling_restart(town: Town) -> None:
    """Stop and start one process that serves after the other, as a deployment does."""
    for one in town.apis:
        status = await one.stop()
        assert status == 0, f"{one.name} stopped with status {status}"
        await town.traded(town.size.before)
        await one.start()


async def kill_backend(town: Town) -> None:
    """Kill the server's process of one connection; the server then ends all others."""
    await town.server.kill_backend(town.chance)


async def end_connections(town: Town) -> None:
    """Cut all connections of the server, some times."""
    for _ in range(3):
        await town.server.end_connections()
        await town.traded(town.size.before)


async def stop_postgres(town: Town) -> None:
    """Stop the database server as a power cut would, and start it again."""
    await town.server.stop()
    await town.server.start()


async def wipe_valkey(town: Town) -> None:
    """Kill Valkey, trade without it, and start an empty one."""
    assert town.valkey is not None, "this trouble is made where there are several processes"
    await town.valkey.kill()
    await town.traded(town.size.before)
    await town.valkey.start()


ROUNDS: dict[str, dict[str, Trouble]] = {
    "sqlite": {"nothing": nothing, "kill_api": kill_api},
    "postgres": {
        "nothing": nothing,
        "kill_api": kill_api,
        "kill_worker": kill_worker,
        "kill_numbering": kill_numbering,
        "kill_all": kill_all,
        "rolling_restart": rolling_restart,
        "kill_backend": kill_backend,
        "end_connections": end_connections,
        "stop_postgres": stop_postgres,
        "wipe_valkey": wipe_valkey,
    },
}
