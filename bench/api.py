"""Answers per second of the API against plain endpoints that answer with the same JSON.

Both sides are processes of their own under the same server (uvicorn) and database, and take turns;
the plain side checks the token too. Before anything counts, both answers are compared.
"""

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from bench.http_load import answer, latency, rate, request
from bench.rows import Measured, Row, alternate, row
from bench.servers import postgres
from bench.sides import Sides
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.members import MEMBERS

ROUND_S = 1.0
WARM_UP_S = 1.0
CONNECTIONS = 16
SPLIT_S = 1.0
SMALLEST_ANSWER = 60
PAGE50_BAR = 0.04
REWARDS_BAR = 0.18
RECORD_BAR = 0.35
HOME_SCREEN = (Path(__file__).parent.parent / "examples/home-screen.graphql").read_text("utf-8")
NAMED = "id number firstName tier { tier { code name } progress }"
FIELDS = f"""{NAMED} wallet {{ available balance }}
    entries(first: 10) {{ nodes {{ sequence kind points balanceAfter at }} }}"""
PAGE50 = (
    f"query ($after: String) {{ members(first: 50, after: $after) {{ nodes {{ {FIELDS} }} }} }}"
)
MEMBER = f"query ($id: ID!) {{ member(ref: {{id: $id}}) {{ {FIELDS} }} }}"
REWARDS = f"""query ($id: ID!) {{ member(ref: {{id: $id}}) {{ {NAMED}
    availableRewards {{ reward {{ code name }} cost pointsShort reasons }} }} }}"""
RECORD = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
    userErrors { code field message } points balance replayed } }"""


class Pair(NamedTuple):
    """The same question for either side."""

    ours: bytes
    plain: bytes


class Bench:
    """A filled database and the processes that serve it."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._stack = stack
        self._folder = stack.enter_context(tempfile.TemporaryDirectory())
        self._sides = Sides("bench.api_servers", url, self._folder)
        shop = self._sides.fill()
        self.token: str = shop["token"]
        self.members = [UUID(one) for one in shop["members"]]
        self.starts = [UUID(one) for one in shop["starts"]]
        self.member_tokens: list[str] = shop["member_tokens"]
        self._chance = random.Random(1)  # noqa: S311 - no secret
        self._numbers = count()
        self._served: dict[str, tuple[int, int]] = {}

    @property
    def folder(self) -> Path:
        """The data folder of our side."""
        return Path(self._folder)

    def port(self, side: str) -> int:
        """Return the port of a side, which is started when first asked for."""
        return self._running(side)[0]

    def pid(self, side: str) -> int:
        """Return the id of a side's process."""
        return self._running(side)[1]

    def _running(self, side: str) -> tuple[int, int]:
        if side not in self._served:
            self._served[side] = self._sides.start(side, self._stack)
        return self._served[side]

    def graphql(self, query: str, **variables: Any) -> bytes:
        body = json.dumps({"query": query, "variables": variables}).encode()
        return request("/graphql", self.token, body)

    def page50(self) -> Pair:
        """Ask for the 50 members after one, which the plain side is given as the one to begin."""
        start = self._chance.randrange(len(self.starts) - 1)
        after = MEMBERS.encode((self.starts[start],))
        plain = f"/page50?from={self.starts[start + 1]}"
        return Pair(self.graphql(PAGE50, after=after), request(plain, self.token))

    def member(self) -> Pair:
        key = self._chance.choice(self.starts)
        ours = self.graphql(MEMBER, id=encode_id("Member", key))
        return Pair(ours, request(f"/member?id={key}", self.token))

    def member_rewards(self) -> Pair:
        key = self._chance.choice(self.starts)
        ours = self.graphql(REWARDS, id=encode_id("Member", key))
        return Pair(ours, request(f"/member_rewards?id={key}", self.token))

    def home_screen(self) -> Pair:
        token = self._chance.choice(self.member_tokens)
        body = json.dumps({"query": HOME_SCREEN}).encode()
        return Pair(request("/graphql", token, body), request("/home_screen", token))

    def purchase(self) -> Pair:
        number = next(self._numbers)
        given = {
            "idempotencyKey": f"key-{number}",
            "member": {"id": encode_id("Member", self._chance.choice(self.members))},
            "source": "till",
            "externalId": f"receipt-{number}",
            "lines": [
                {"productType": "GROCERY", "quantity": 3, "unitAmount": "2.49"},
                {"productType": "PRODUCE", "quantity": 1, "unitAmount": "3.99"},
                {"productType": "BAKERY", "quantity": 2, "unitAmount": "1.20"},
            ],
        }
        body = json.dumps(given).encode()
        return Pair(self.graphql(RECORD, input=given), request("/purchase", self.token, body))


@contextmanager
def on(url: str) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(url, stack)


def measure(bench: Bench, name: str, ask: Callable[[], Pair], *, bar: float | None) -> Row:
    """Return our answers per second against the plain side's."""
    ours, plain = bench.port("ours"), bench.port("plain")
    same(ours, plain, ask)

    def ours_rate(seconds: float = ROUND_S) -> float:
        return rate(ours, lambda: ask().ours, connections=CONNECTIONS, seconds=seconds)

    def plain_rate(seconds: float = ROUND_S) -> float:
        return rate(plain, lambda: ask().plain, connections=CONNECTIONS, seconds=seconds)

    ours_rate(WARM_UP_S), plain_rate(WARM_UP_S)
    value, against = alternate(ours_rate, plain_rate)
    return row(
        "api",
        name,
        Measured(value, "answers/s"),
        against=f"plain Starlette endpoint, {CONNECTIONS} connections",
        against_value=against,
        bar=bar,
    )


def same(ours: int, plain: int, ask: Callable[[], Pair]) -> None:
    """Hold both sides to one answer; what is recorded by one is replayed by the other."""
    pair = ask()
    first, second = (
        json.loads(answer(port, asked)) for port, asked in ((ours, pair.ours), (plain, pair.plain))
    )
    for body in (first, second):
        body["data"].get("recordPurchase", {}).pop("replayed", None)
    assert first == second, f"the sides differ: {str(first)[:500]} and {str(second)[:500]}"
    assert len(str(first)) > SMALLEST_ANSWER, f"there is next to nothing in it: {first}"


def time_split(bench: Bench, ask: Callable[[], Pair]) -> dict[str, float]:
    """Return the milliseconds of one request over one connection, part by part.

    `http` is everything outside our view; `execute` holds what a purchase waits for its commit.
    """
    port = bench.port("split")
    told = request("/split", bench.token)
    latency(port, lambda: ask().ours, seconds=WARM_UP_S)
    answer(port, told)
    requests, whole_s = latency(port, lambda: ask().ours, seconds=SPLIT_S)
    spent = json.loads(answer(port, told))
    parts = {name: 1000 * seconds / requests for name, seconds in spent.items()}
    split = {
        "http": 1000 * whole_s - parts["view"],
        "view": parts["view"] - parts["auth"] - parts["operation"],
        "auth": parts["auth"],
        "parse_validate": parts["prepare"],
        "execute": parts["operation"] - parts["prepare"] - parts.get("sql", 0),
        "sql": parts.get("sql", 0),
    }
    return {name: round(value, 3) for name, value in split.items()}


def reads() -> list[Row]:
    with postgres() as server, on(server.database("api")) as bench:
        return [
            {
                **measure(bench, name, ask, bar=bar),
                "server": server.version,
                "split_ms": time_split(bench, ask),
            }
            for name, ask, bar in (
                ("page50", bench.page50, PAGE50_BAR),
                ("member", bench.member, None),
                ("member_rewards", bench.member_rewards, REWARDS_BAR),
                ("home_screen", bench.home_screen, None),
            )
        ]


def purchases() -> list[Row]:
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(postgres())
        places = {
            "sqlite": f"sqlite://{Path(scratch) / 'bench.sqlite3'}",
            "postgres": server.database("purchases"),
        }
        rows = []
        for name, url in places.items():
            with on(url) as bench:
                figure = measure(bench, f"record_purchase_{name}", bench.purchase, bar=RECORD_BAR)
                rows.append({**figure, "split_ms": time_split(bench, bench.purchase)})
        return rows


SUITES: dict[str, Callable[[], list[Row]]] = {"api": lambda: [*reads(), *purchases()]}
