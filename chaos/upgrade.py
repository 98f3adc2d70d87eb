"""The trouble of a new version: it takes over while tills trade, and changes the tables."""

import asyncio

from chaos.processes import begun, run
from chaos.town import Town, Trouble
from chaos.versions import next_version

DIES_WITHIN_S = 2.0


async def upgrade(town: Town) -> None:
    """Expand and fill the tables, replace one process after the other, and contract them.

    The town is the next version's from then on.
    """
    newer = await asyncio.to_thread(next_version, town.folder / "next")
    town.environment |= {"PYTHONPATH": newer["PYTHONPATH"]}
    await _killed_half_way(town)
    await asyncio.to_thread(run, "migrate", environment=town.environment)
    for one in town.programs:
        await one.stop()
        one.environment |= {"PYTHONPATH": newer["PYTHONPATH"]}
        await one.start()
        if town.workers:
            await town.traded(town.size.before)
    # A process that was killed counts as ended a minute later.
    words = ("migrate", "--contract", "--wait")
    await asyncio.to_thread(run, *words, environment=town.environment)


async def _killed_half_way(town: Town) -> None:
    """Begin to migrate, and die; whoever migrates next goes on from there."""
    dying = begun("migrate", environment=town.environment)
    await asyncio.sleep(DIES_WITHIN_S * town.chance.random())
    dying.kill()
    dying.wait()


LAST_ROUNDS: dict[str, dict[str, Trouble]] = {
    "sqlite": {"upgrade": upgrade},
    "postgres": {"upgrade": upgrade},
}
