"""Troubles of time: clocks that step, and clocks that differ."""

from datetime import timedelta

from chaos.kills import numberer
from chaos.town import Town, Trouble

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def step_clocks(town: Town) -> None:
    """Let all clocks step an hour ahead, a day back, and to the true time."""
    for by in (HOUR, HOUR - DAY, timedelta()):
        for one in town.programs:
            one.move_clock(by)
        await town.traded(town.size.before)


async def part_clocks(town: Town) -> None:
    """Let the clocks of processes differ by up to an hour, each time otherwise."""
    for _ in range(2):
        for one in town.programs:
            one.move_clock(HOUR * town.chance.uniform(-1, 1))
        await town.traded(town.size.before)


async def die_in_the_future(town: Town) -> None:
    """Kill the process that numbers while its clock is an hour ahead; others must take over."""
    victim = await numberer(town)
    victim.move_clock(HOUR)
    await town.traded(town.size.before)
    await victim.kill()
    victim.move_clock(timedelta())
    await victim.start()


ROUNDS: dict[str, dict[str, Trouble]] = {
    "sqlite": {"step_clocks": step_clocks, "die_in_the_future": die_in_the_future},
    "postgres": {
        "step_clocks": step_clocks,
        "part_clocks": part_clocks,
        "die_in_the_future": die_in_the_future,
    },
}
