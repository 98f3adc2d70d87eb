"""What keeping signed pass files costs: 100,000 passes of one template, in a process of its own."""

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from bench.passes import TEMPLATE, make_face
from bench.rows import Measured, Row, row
from loyalty_graph.clock import utc_now
from loyalty_graph.wallet.apple.card import CardPrinter, WebService
from loyalty_graph.wallet.apple.development_ca import development_signer
from loyalty_graph.wallet.apple.files import Kept, PassFiles, Version
from loyalty_graph.wallet.apple.issued import PassFile
from loyalty_graph.wallet.apple.making import PassMaker
from loyalty_graph.wallet.templates import load_template

PASSES = 100_000
SIGNED = 500
"""So many are signed; the others are copies, which take as much memory and less time."""
BYTES_PER_BYTE_MAX = 3.0


def memory() -> list[Row]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.wallet_memory"], stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(done.stdout)
    measured = Measured(found["per_pass"], "bytes per pass")
    figure = row(
        "wallet",
        "memory",
        measured,
        against=f"the changing part of a pass; {PASSES:,} passes",
        against_value=found["changing"],
        bar=BYTES_PER_BYTE_MAX,
    )
    # Less is better here.
    return [{**figure, "holds": figure["ratio"] <= BYTES_PER_BYTE_MAX}]


def fill() -> dict[str, float]:
    """Keep the files, and return the bytes that the process grew by for each."""
    now = utc_now()
    with tempfile.TemporaryDirectory() as scratch:
        printer = CardPrinter(
            load_template(TEMPLATE), development_signer(Path(scratch) / "ca", now=now)
        )
    web_service = WebService("https://cards.example/apple", "t" * 32)
    faces = [make_face(number, now) for number in range(SIGNED)]
    parts = [
        printer.parts(face, f"{number:032x}", web_service, now=now)
        for number, face in enumerate(faces)
    ]
    files = PassFiles(
        PassMaker({"store-card": printer}, lambda _serial, _generation: web_service),
        bytes_max=4 << 30,
    )
    gc.collect()
    before = resident()
    size = 0
    for number in range(PASSES):
        body, tail = parts[number % SIGNED]
        own = bytes(bytearray(tail))
        size += len(own)
        until = now + timedelta(days=number % 60)
        files.keep(
            f"{number:032x}", Kept(Version(10**9 + number, 1, printer), PassFile(body, own, until))
        )
    return {"per_pass": (resident() - before) / PASSES, "changing": size / PASSES}


def resident() -> int:
    """Return the bytes of memory that the process has."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("Linux says it")


LONG_SUITES: dict[str, Callable[[], list[Row]]] = {"wallet-memory": memory}

if __name__ == "__main__":

    async def main() -> None:
        print(json.dumps(fill()))

    asyncio.run(main())
