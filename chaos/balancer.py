"""The one address of several API processes: each connection goes to the next one that is there."""

import asyncio
from collections.abc import Sequence

from chaos.proxy import HOST, Proxy


class Balancer(Proxy):
    """A proxy in front of several processes; those that are not there are passed over."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__((HOST, ports[0]))
        self._ports = list(ports)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in range(len(self._ports) - 1):
            try:
                return await self._next()
            except OSError:
                continue
        return await self._next()

    async def _next(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._ports.append(port := self._ports.pop(0))
        return await asyncio.open_connection(HOST, port)
