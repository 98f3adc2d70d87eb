"""Purchases over HTTP against the same use case called in process, with as many callers.

Both sides are one process, its database and its duties beside; they take turns. The row tells
where the time of a request over HTTP goes while all connections ask at once.
"""

import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.api import CONNECTIONS, ROUND_S, SPLIT_S, WARM_UP_S, Bench, on
from bench.http_load import answer, rate, request
from bench.http_split import parts
from bench.rows import Measured, Row, alternate, row
from bench.servers import postgres

BARS = {"pg": 0.2, "sqlite": 0.25}


def over_http() -> list[Row]:
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(postgres())
        places = {
            "pg": server.database("http"),
            "sqlite": f"sqlite://{Path(scratch) / 'bench.sqlite3'}",
        }
        return [_measured(name, url) for name, url in places.items()]


def _measured(name: str, url: str) -> Row:
    with on(url) as bench:
        port = bench.port("called")

        def http(seconds: float = ROUND_S) -> float:
            return _http_rate(bench, port, seconds)

        def called(seconds: float = ROUND_S) -> float:
            return _called_rate(bench, port, seconds)

        http(WARM_UP_S), called(WARM_UP_S)
        value, against = alternate(http, called)
        figure = row(
            "api",
            f"purchase_http_{name}",
            Measured(value, f"purchases/s over {CONNECTIONS} connections"),
            against=f"the use case called in process by {CONNECTIONS} callers",
            against_value=against,
            bar=BARS[name],
        )
        return {**figure, "split_ms": _split(bench)}


def _http_rate(bench: Bench, port: int, seconds: float) -> float:
    return rate(port, lambda: bench.purchase().ours, connections=CONNECTIONS, seconds=seconds)


def _called_rate(bench: Bench, port: int, seconds: float) -> float:
    """Return the purchases per second that the process itself asked for."""
    wish = {
        "members": [str(one) for one in bench.members],
        "callers": CONNECTIONS,
        "seconds": seconds,
    }
    told = answer(port, request("/called", bench.token, json.dumps(wish).encode()))
    found: float = json.loads(told)["rate"]
    return found


def _split(bench: Bench) -> dict[str, float]:
    """Return the milliseconds of a request, part by part, while all connections ask."""
    port = bench.port("clocked")
    tell = request("/spent", bench.token)
    _http_rate(bench, port, WARM_UP_S)
    answer(port, tell)
    per_s = _http_rate(bench, port, SPLIT_S)
    spent: dict[str, float] = json.loads(answer(port, tell))
    requests = spent.pop("requests")
    each_ms = {name: 1000 * seconds / requests for name, seconds in spent.items()}
    return parts(each_ms, 1000 * CONNECTIONS / per_s)


SUITES: dict[str, Callable[[], list[Row]]] = {"api": over_http}
