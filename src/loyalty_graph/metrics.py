"""What a process counts of itself, in Prometheus' terms; docs/metrics.md is made from this.

Counting is adding to a number in memory: it waits for nothing and is lost with the process. Labels
take few values, all of them ours: a client never chooses one.
"""

import collections
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from loyalty_graph import __version__

# They are half of all series otherwise, and nobody asks since when one counts.
disable_created_metrics()  # type: ignore[no-untyped-call] # the library does not type it
REGISTRY = CollectorRegistry()
"""Everything that is told of this process."""

# A till is answered within some milliseconds, and given up after fifteen seconds.
ANSWER_S = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
# From the next step of the numbering to a day with the phone switched off.
LAG_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400)
JOB_S = (0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600)
BATCH = (1, 2, 4, 8, 16, 24, 32, 64, 128)

build = Gauge("loyalty_build_info", "1; its label says what runs.", ["version"], registry=REGISTRY)
build.labels(__version__).set(1)

requests = Counter(
    "loyalty_requests",
    "GraphQL operations by root field and result. One with several root fields counts for each.",
    ["operation", "result"],
    registry=REGISTRY,
)
request_seconds = Histogram(
    "loyalty_request_seconds",
    "How long GraphQL operations took; those that are streamed are not in it.",
    ["operation"],
    buckets=ANSWER_S,
    registry=REGISTRY,
)
http_requests = Counter(
    "loyalty_http_requests",
    "HTTP requests of all kinds; `none` is a path or method that is not served.",
    ["route", "method", "status"],
    registry=REGISTRY,
)
http_request_seconds = Histogram(
    "loyalty_http_request_seconds",
    "How long it took until the answer began.",
    ["route"],
    buckets=ANSWER_S,
    registry=REGISTRY,
)
live_streams = Gauge(
    "loyalty_live_streams", "Subscriptions that listen to this process.", registry=REGISTRY
)

ledger_transfers = Counter(
    "loyalty_ledger_transfers",
    "Entries of the ledger that this process committed.",
    ["kind"],
    registry=REGISTRY,
)
gather_batch_size = Histogram(
    "loyalty_gather_batch_size",
    "How many calls were gathered into one transaction: `purchases`, or look-ups of `tokens`.",
    ["calls"],
    buckets=BATCH,
    registry=REGISTRY,
)
transaction_retries = Counter(
    "loyalty_transaction_retries",
    "Transactions that were run again: the database undid them, or the connection was lost.",
    registry=REGISTRY,
)

database_up = Gauge(
    "loyalty_database_up",
    "Whether the database answered when this was asked; if 0, no queue is told of.",
    registry=REGISTRY,
)
pool_connections = Gauge(
    "loyalty_database_pool_connections",
    "Connections of this process: `in_use`, `idle`, and the most there may be (`max`).",
    ["state"],
    registry=REGISTRY,
)
pool_waiting = Gauge(
    "loyalty_database_pool_waiting", "Who waits for a connection.", registry=REGISTRY
)

queue_waiting = Gauge(
    "loyalty_queue_waiting",
    "How many wait, 10,000 at most. It is of the database: every process tells the same.",
    ["queue"],
    registry=REGISTRY,
)
queue_oldest_age_seconds = Gauge(
    "loyalty_queue_oldest_age_seconds",
    "How long the oldest has waited; 0 when none waits. Of the database.",
    ["queue"],
    registry=REGISTRY,
)
queue_dead = Gauge(
    "loyalty_queue_dead",
    "How many were tried too often and wait for somebody. Of the database.",
    ["queue"],
    registry=REGISTRY,
)

numbered = Counter(
    "loyalty_numbered",
    "What the numbering gave numbers to: `facts` and `card marks`.",
    ["queue"],
    registry=REGISTRY,
)
numbering_lag_seconds = Histogram(
    "loyalty_numbering_lag_seconds",
    "How old the oldest fact or card mark of a step was when it got its number.",
    buckets=LAG_S,
    registry=REGISTRY,
)
push_lag_seconds = Histogram(
    "loyalty_push_lag_seconds",
    "From a change until Apple or Google took the push (`PUSHED`), or a phone fetched (`FETCHED`).",
    ["platform", "stage"],
    buckets=LAG_S,
    registry=REGISTRY,
)

jobs = Counter(
    "loyalty_jobs",
    "Jobs by how a try ended: `done`, `failed` (it is tried again), `dead`.",
    ["kind", "result"],
    registry=REGISTRY,
)
job_seconds = Histogram(
    "loyalty_job_seconds",
    "How long a try of a job took.",
    ["kind"],
    buckets=JOB_S,
    registry=REGISTRY,
)
loop_failures = Counter(
    "loyalty_loop_failures",
    "Steps of the worker's loops that failed and are tried again.",
    ["loop"],
    registry=REGISTRY,
)


def count_transfers(kinds: Iterable[str]) -> None:
    """Count entries of the ledger by their kinds."""
    for kind, number in collections.Counter(kinds).items():
        ledger_transfers.labels(kind).inc(number)


ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
