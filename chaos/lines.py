"""Troubles of connections: between the till and the API, and between the API and PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from chaos.proxy import Pace, Proxy, Way
from chaos.town import Town, Trouble

DROPS = 5
TRICKLE = Pace(piece_bytes=16, pause_s=0.002)
DELAY = Pace(pause_s=0.05)
SWALLOWED_S = 1.0


def on(line: Callable[[Town], Proxy], trouble: Callable[[Town, Proxy], Awaitable[None]]) -> Trouble:
    """Return the trouble of one of the town's lines."""

    async def made(town: Town) -> None:
        await trouble(town, line(town))
        await line(town).heal()

    return made


def street(town: Town) -> Proxy:
    """Return the line between the tills and the API."""
    return town.street


def wire(town: Town) -> Proxy:
    """Return the line between the API and the server of the database."""
    assert town.wire is not None, "SQLite needs no line"
    return town.wire


async def drop(town: Town, line: Proxy) -> None:
    """Reset all connections again and again."""
    for _ in range(DROPS):
        line.drop()
        await asyncio.sleep(town.chance.random() / DROPS)


async def refuse(town: Town, line: Proxy) -> None:
    """Be gone for a moment: there are no connections, and no new ones are taken."""
    line.refuse()
    line.drop()
    await asyncio.sleep(SWALLOWED_S * town.chance.random())


async def trickle(town: Town, line: Proxy) -> None:
    """Let bytes come in small pieces."""
    line.slow(TRICKLE)
    await town.traded(town.size.tills)


async def delay(town: Town, line: Proxy) -> None:
    """Let all that is said arrive late."""
    line.slow(DELAY)
    await town.traded(town.size.tills)


async def half_close(town: Town, line: Proxy) -> None:
    """End one direction of every connection; the other goes on."""
    for way in Way:
        line.half_close(way)
        await asyncio.sleep(town.chance.random() / DROPS)


async def swallow(_town: Town, line: Proxy) -> None:
    """Be a black hole for a moment; what was swallowed arrives afterwards."""
    line.swallow()
    await asyncio.sleep(SWALLOWED_S)


async def lose_commits(_town: Town, line: Proxy) -> None:
    """Let the server commit, and lose its answer."""
    await _again_and_again(line, partial(line.cut_answer, b"COMMIT"))


async def lose_requests(_town: Town, line: Proxy) -> None:
    """Lose what a till asks for before the API has heard it."""
    await _again_and_again(line, partial(line.cut_request, b"idempotencyKey"))


async def lose_answers(_town: Town, line: Proxy) -> None:
    """Let the API do what it is asked, and lose what it answers."""
    await _again_and_again(line, partial(line.cut_answer, b"idempotencyKey"))


async def _again_and_again(line: Proxy, cut: Callable[[], None]) -> None:
    for _ in range(DROPS):
        before = line.cuts
        cut()
        while line.cuts == before:
            await asyncio.sleep(0.01)


async def leave_early(town: Town) -> None:
    """Let clients go away in the middle of a request, or before its answer, for ever."""
    await asyncio.gather(*(town.abandon(part) for part in (0.2, 0.9, 1.0) for _ in range(DROPS)))


STREET = {
    "drop": drop,
    "refuse": refuse,
    "trickle": trickle,
    "delay": delay,
    "half_close": half_close,
    "swallow": swallow,
    "lose_requests": lose_requests,
    "lose_answers": lose_answers,
}
WIRE = {
    "drop": drop,
    "refuse": refuse,
    "trickle": trickle,
    "delay": delay,
    "half_close": half_close,
    "swallow": swallow,
    "lose_commits": lose_commits,
}
CLIENTS: dict[str, Trouble] = {
    **{f"street_{name}": on(street, trouble) for name, trouble in STREET.items()},
    "leave_early": leave_early,
}
ROUNDS: dict[str, dict[str, Trouble]] = {
    "sqlite": CLIENTS,
    "postgres": CLIENTS | {f"wire_{name}": on(wire, trouble) for name, trouble in WIRE.items()},
}
