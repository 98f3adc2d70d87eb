"""The demo: a programme, a year of baskets replayed, an audit, and a report of what happened."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from uuid import UUID

from loyalty_graph.config import bundled
from loyalty_graph.db import connection, migrate
from loyalty_graph.ledger import reads as ledger_reads
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.audit import Audit
from loyalty_graph.ledger.rules import Kind
from loyalty_graph.members import reads as members
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases import reads as purchases
from loyalty_graph.sandbox.baskets import instant_of, load_baskets
from loyalty_graph.sandbox.replay import Replay
from loyalty_graph.usecases import program_file, proof
from loyalty_graph.wallet import service as wallet
from loyalty_graph.wallet.desk import PassDesk

BASKETS = "presets/demo/complete-journey.txt.xz"
PROGRAM = "presets/corner-grocer.toml"
PASSES_AT_ONCE = 100

Tell = Callable[[str, int, int], None]
"""Told of progress: the phase, how much is done, how much there is."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which demo: the first `households` (None for all) up to `today`, with this seed."""

    today: date
    seed: int
    households: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """What happened, in points and rows; `seconds` are wall time."""

    members: int
    purchases: int
    purchase_lines: int
    points_issued: int
    points_redeemed: int
    points_expired: int
    points_clawed_back: int
    points_outstanding: int
    shortfall: int
    refunds: int
    redemptions: int
    passes_issued: int
    ledger: dict[str, int]
    seconds: dict[str, float]
    database: str


@dataclass(frozen=True, slots=True)
class Record:
    """A file that says which replay a database holds; it is written when the replay is done."""

    path: Path

    @classmethod
    def of(cls, url: str, folder: Path) -> "Record":
        """Return the record of a database; it lies in `folder`."""
        return cls(folder / f"demo-{sha256(url.encode()).hexdigest()[:12]}.json")

    def read(self) -> tuple[Choice, Report] | None:
        """Return the finished replay, or None when there is none."""
        if not self.path.exists():
            return None
        kept = json.loads(self.path.read_text(encoding="utf-8"))
        choice = {**kept["choice"], "today": date.fromisoformat(kept["choice"]["today"])}
        return Choice(**choice), Report(**kept["report"])

    def write(self, choice: Choice, report: Report) -> None:
        """Keep a finished replay."""
        chosen = {**asdict(choice), "today": choice.today.isoformat()}
        text = json.dumps({"choice": chosen, "report": asdict(report)}, indent=2)
        self.path.write_text(text, encoding="utf-8")

    def forget(self) -> None:
        """Forget the replay, before its database is emptied."""
        self.path.unlink(missing_ok=True)


async def prepare(choice: Choice, desk: PassDesk, *, tell: Tell) -> Report:
    """Migrate the open database, load the programme, replay, audit, issue passes; report."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "migrate"):
        await migrate()
    file = program_file.read(bundled(PROGRAM))
    zone = file.program.zone
    baskets = load_baskets(bundled(BASKETS), households=choice.households)
    baskets = baskets.ending_before(choice.today)
    opening = instant_of(baskets.first_date, 0, zone)
    sandbox = file.model_copy(update={"program": file.program.as_sandbox()})
    program = await program_file.load(sandbox, now=opening)
    replay = Replay(program.program_id, baskets, zone, choice.seed)
    with _timed(seconds, "replay"):
        await replay.run(choice.today, progress=lambda done: tell("replay", done, len(baskets)))
    now = instant_of(choice.today, 0, zone)
    with _timed(seconds, "verify"):
        audit = await proof.verify(
            program.program_id,
            now=now,
            progress=lambda done: tell("verify", done, baskets.households),
        )
    with _timed(seconds, "passes"):
        passes = await _issue_passes(program.program_id, desk, now=now, tell=tell)
    return await _report(program.program_id, audit, passes, seconds)


async def demo_program() -> UUID:
    """Return the demo's programme in the open database.

    Raises:
        NotFoundError: It was never loaded here.
    """
    return await programs.find(program_file.read(bundled(PROGRAM)).program.slug)


async def first_member_number(program_id: UUID) -> str:
    """Return the member number of the household that joined first."""
    [member] = await members.page(program_id, first=1, after=None)
    return member.number


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    start = perf_counter()
    yield
    seconds[phase] = round(perf_counter() - start, 3)


async def _issue_passes(program_id: UUID, desk: PassDesk, *, now: datetime, tell: Tell) -> int:
    """Give every member a pass and sign it once; return how many there are."""
    total, done, after = await members.count(program_id), 0, None
    while page := await members.page(program_id, first=PASSES_AT_ONCE, after=after):
        ids = [member.id for member in page]
        serials = await wallet.issue(program_id, ids, now=now)
        done += len(await desk.files(program_id, serials, now=now))
        after = ids[-1]
        tell("passes", done, total)
    return done


async def _report(program_id: UUID, audit: Audit, passes: int, seconds: dict[str, float]) -> Report:
    totals = await ledger.totals(program_id)
    rows = await purchases.counts(program_id)
    forgiven = totals.get((Kind.FORGIVE, True), 0) - totals.get((Kind.RECLAIM, False), 0)
    returned = totals.get((Kind.UNREDEEM, True), 0)
    return Report(
        members=audit.accounts,
        purchases=rows.purchases,
        purchase_lines=rows.lines,
        points_issued=totals.get((Kind.EARN, True), 0),
        points_redeemed=totals.get((Kind.REDEEM, False), 0) - returned,
        points_expired=totals.get((Kind.EXPIRE, False), 0),
        points_clawed_back=totals.get((Kind.REVERSE, False), 0) - forgiven,
        points_outstanding=await ledger_reads.outstanding(program_id),
        shortfall=forgiven,
        refunds=rows.refunds,
        redemptions=await ledger.count(program_id, Kind.REDEEM),
        passes_issued=passes,
        ledger={
            "accounts": audit.accounts,
            "transfers": audit.transfers,
            "differences": len(audit.findings),
        },
        seconds=seconds,
        database=_database(),
    )


def _database() -> str:
    return "PostgreSQL" if connection().capabilities.dialect == "postgres" else "SQLite"
