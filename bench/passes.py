"""Passes per second, card face to signed bytes, against the RSA limit and against wallet-py3k.

Against the RSA limit both sides count the user time of the processor, as `openssl speed` does by
itself, so that other work on the machine does not favour one. Against wallet-py3k both count the
clock on the wall, because waiting for its openssl process is part of its price.
"""

import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from wallet.models import Barcode, BarcodeFormat, Pass, StoreCard

from bench.rows import Measured, Row, alternate, row
from loyalty_graph.clock import utc_now
from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.apple.checking import verify_pass_file
from loyalty_graph.wallet.apple.development_ca import (
    CERTIFICATE_FILE,
    IDENTITY,
    ISSUER_FILE,
    KEY_FILE,
    development_root,
    development_signer,
)
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.templates import load_template

TEMPLATE = Path(__file__).parents[1] / "passes" / "templates" / "store-card"
ROUND_S = 0.8
PASSES_PER_LOOK = 10
FACES = 2000
SIGNED_BAR = 0.80
WALLET_PY3K_BAR = 15.0
UNUSED_PASSWORD = "none"  # noqa: S105 - wallet-py3k always hands one to openssl; the key has none


def signed() -> list[Row]:
    """Card face to bytes with one and with two processes, against openssl with as many."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "ca"
        development_signer(folder, now=utc_now())
        return [signed_by(1, folder), signed_by(2, folder)]


def signed_by(processes: int, folder: Path) -> Row:
    workers = [Worker(folder) for _ in range(processes)]
    try:
        ours, limit = alternate(lambda: rate_together(workers), lambda: openssl_rate(processes))
    finally:
        for worker in workers:
            worker.stop()
    return row(
        "passes",
        f"signed_{processes}p",
        Measured(ours, "passes/CPU-s"),
        against=f"{openssl_version()} speed rsa2048",
        against_value=limit,
        bar=SIGNED_BAR,
    )


def against_wallet_py3k() -> list[Row]:
    """Card face to bytes in one process, against wallet-py3k with its openssl process."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "ca"
        next_pass = card_source(folder)
        ours, theirs = alternate(lambda: rate(next_pass), lambda: rate(wallet_py3k_source(folder)))
    return [
        row(
            "passes",
            "vs_wallet_py3k",
            Measured(ours, "passes/s"),
            against="wallet-py3k 0.0.4",
            against_value=theirs,
            bar=WALLET_PY3K_BAR,
        )
    ]


SUITES: dict[str, Callable[[], list[Row]]] = {
    "passes": lambda: [*signed(), *against_wallet_py3k()],
}


def card_source(folder: Path) -> Callable[[], bytes]:
    """Return a function that makes the next card: another member and balance each time."""
    now = utc_now()
    signer = development_signer(folder, now=now)
    printer = CardPrinter(load_template(TEMPLATE), signer)
    faces = cycle([make_face(number, now) for number in range(FACES)])
    count = 0

    def next_pass() -> bytes:
        nonlocal count
        count += 1
        return printer.print(next(faces), serial_number=f"bench-{count}", now=now)

    report = verify_pass_file(next_pass(), trusted_root=development_root(folder), now=now)
    assert report.passed, report.failures
    return next_pass


def make_face(number: int, now: datetime) -> CardFace:
    return CardFace(
        program_name="Corner Grocer",
        member_name=f"Household {number}",
        member_number=f"LG-{number:08}",
        member_since=now - timedelta(days=400),
        points_balance=number * 7,
        points_unit="points",
        time_zone="America/New_York",
        locale="en_US",
        expiring_points=61,
        expires_at=now + timedelta(days=number % 180),
        last_change=f"+{number} points",
        terms="Points live six months.",
        support="help@corner-grocer.example",
    )


def wallet_py3k_source(folder: Path) -> Callable[[], bytes]:
    """Return a function that makes the next pass as wallet-py3k's own description says."""
    images = load_template(TEMPLATE).images
    count = 0

    def next_pass() -> bytes:
        nonlocal count
        count += 1
        card = StoreCard()
        card.addPrimaryField("balance", f"{count * 7:,}", "points")
        card.addSecondaryField("member", f"Household {count}", "Member")
        card.addBackField("terms", "Points live six months.", "Terms")
        made = Pass(
            card,
            passTypeIdentifier=IDENTITY.pass_type_identifier,
            organizationName="Corner Grocer",
            teamIdentifier=IDENTITY.team_identifier,
        )
        made.serialNumber = f"bench-{count}"
        made.description = "Corner Grocer loyalty card"
        made.barcode = Barcode(f"LG-{count:08}", BarcodeFormat.QR)
        made._files.update(images)
        files = (str(folder / name) for name in (CERTIFICATE_FILE, KEY_FILE, ISSUER_FILE))
        return bytes(made.create(*files, UNUSED_PASSWORD).getvalue())

    return next_pass


class Worker:
    """A process that makes passes for one round whenever it is asked."""

    def __init__(self, folder: Path) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, folder))
        self.process.start()
        assert self.connection.recv() == "ready"

    def stop(self) -> None:
        self.connection.send("stop")
        self.process.join()


def work(connection: Connection, folder: Path) -> None:
    next_pass = card_source(folder)
    connection.send("ready")
    while connection.recv() == "go":
        connection.send(rate(next_pass, clock=user_time))


def rate_together(workers: list[Worker]) -> float:
    for worker in workers:
        worker.connection.send("go")
    return float(sum(worker.connection.recv() for worker in workers))


def rate(make: Callable[[], bytes], *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how often `make` runs in a second of that clock, over one round."""
    count, begun = 0, clock()
    while (elapsed := clock() - begun) < ROUND_S:
        for _ in range(PASSES_PER_LOOK):
            make()
        count += PASSES_PER_LOOK
    return count / elapsed


def user_time() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def openssl_rate(processes: int) -> float:
    """Return the RSA-2048 signatures per second of so many openssl programs at once.

    Its own option -multi counts the clock on the wall, so the processes are started here.
    """
    command = ["openssl", "speed", "-seconds", "1", "rsa2048"]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(processes)
    ]
    return sum(signs_per_second(process.communicate()[0]) for process in running)


def signs_per_second(report: str) -> float:
    heading, figures = report.strip().splitlines()[-2:]
    assert figures.startswith("rsa"), f"openssl speed said something else: {report}"
    by_column = zip(heading.split(), figures.partition("bits")[2].split(), strict=True)
    return float(dict(by_column)["sign/s"])


def openssl_version() -> str:
    done = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split()[:2])
