"""The installed program whose insides fail, on demand, with all they were given in the message."""

import os
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from starlette.requests import Request

ASKED = Path(os.environ["JOURNEY_CLOCK"]).with_name("failing")
PLACES = {
    "loyalty_graph.usecases.login": ("Login.viewer_for",),
    "loyalty_graph.usecases.members": ("bring_along",),
    "loyalty_graph.web.card": ("CardDoor.show",),
    "loyalty_graph.wallet.desk": ("PassDesk.file_behind",),
    "loyalty_graph.web.apple": ("AppleDoor._register", "AppleDoor._list"),
    "loyalty_graph.wallet.apple.pushing": ("ApplePushes._send",),
    "loyalty_graph.alarms": ("present",),
}


def failing(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    def fail_if_asked(given: tuple[Any, ...], named: dict[str, Any]) -> None:
        if ASKED.exists() and name in ASKED.read_text().split():
            shown = [_shown(one) for one in given]
            raise RuntimeError(f"postgres://loyalty:swordfish@10.0.0.7/loyalty {shown} {named}")

    @wraps(work)
    async def waiting(*given: Any, **named: Any) -> Any:
        fail_if_asked(given, named)
        return await work(*given, **named)

    @wraps(work)
    def at_once(*given: Any, **named: Any) -> Any:
        fail_if_asked(given, named)
        return work(*given, **named)

    return waiting if iscoroutinefunction(work) else at_once


def _shown(value: Any) -> str:
    if isinstance(value, Request):
        return f"{value.url} {dict(value.headers)}"
    return repr(value)


def fail_on_demand() -> None:
    for module_name, names in PLACES.items():
        module = import_module(module_name)
        for name in names:
            *kind, function = name.split(".")
            place = getattr(module, kind[0]) if kind else module
            setattr(place, function, failing(name, getattr(place, function)))


if __name__ == "__main__":
    fail_on_demand()

    from loyalty_graph.cli import main

    main()
