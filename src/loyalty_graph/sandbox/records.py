"""What is kept of a finished replay, so that the next demo opens it instead of making it again."""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from loyalty_graph.db import migrate, open_database
from loyalty_graph.errors import DatabaseError, NotFoundError
from loyalty_graph.programs import service as programs
from loyalty_graph.sandbox.presets import USUAL


@dataclass(frozen=True, slots=True)
class Choice:
    """Which demo: the first `households` (None for all) up to `today`, with this seed.

    `preset` is the programme under which they shop.
    """

    today: date
    seed: int
    households: int | None
    preset: str = USUAL

    def will_do(self, wanted: "Choice", *, fixed: bool) -> bool:
        """Return whether a replay of this one answers `wanted`.

        `fixed` says that today was asked for; otherwise an older replay does as well.
        """
        today = wanted.today if fixed else self.today
        return self == replace(wanted, today=today)


@dataclass(frozen=True, slots=True)
class Report:
    """What happened, in points and rows; `seconds` are wall time, `tiers` count members.

    Issued are points earned, given as a welcome and given by hand; migrated are those brought along
    from paper cards. Points set aside, and those that wait until they can be spent, are
    outstanding. `fees` are what members paid for giving points to others. So points issued +
    migrated = redeemed + expired + clawed back + fees + outstanding. `points_transferred` arrived
    with another member: they are no part of this, and neither is what merges moved.
    `members` are all cards that were ever given out, `merges` those of them that live on as another
    one: they have no pass and no tier. `holds` are points set aside without a reward, and
    `late_receipts` purchases recorded days after they were made.
    `redemptions` is how often points were spent, `rewards_redeemed` how many rewards of those were
    neither undone nor left to expire. `subscriptions` are those that give their benefits now.
    `vouchers_outstanding` is the money left on vouchers that can be used, in minor units.
    `passes_updated` counts cards by platform that have changed since they were handed out;
    `stale_cards` those that show, in a phone or at Google, another balance than the ledger has.
    """

    members: int
    purchases: int
    purchase_lines: int
    points_issued: int
    points_migrated: int
    points_redeemed: int
    points_expired: int
    points_clawed_back: int
    fees: int
    points_outstanding: int
    points_transferred: int
    shortfall: int
    late_receipts: int
    refunds: int
    redemptions: int
    rewards_redeemed: int
    holds: int
    merges: int
    vouchers_outstanding: int
    subscriptions: int
    passes_issued: int
    passes_updated: dict[str, int]
    stale_cards: int
    tiers: dict[str, int]
    ledger: dict[str, int]
    seconds: dict[str, float]
    database: str

    @property
    def points_unaccounted(self) -> int:
        """Points that came in, less those that went out or are there: 0, or a book is wrong.

        It holds when no transfer between members is under way.
        """
        came = self.points_issued + self.points_migrated
        went = self.points_redeemed + self.points_expired + self.points_clawed_back + self.fees
        return came - went - self.points_outstanding


@dataclass(frozen=True, slots=True)
class Finished:
    """A replay that ran to its end, and the programme it made."""

    choice: Choice
    report: Report
    program_id: UUID
    made_at: datetime

    async def is_in(self, url: str, *, slug: str) -> bool:
        """Return whether the database still holds it; another replay has another programme id."""
        try:
            async with open_database(url, create=False):
                await migrate()
                return await programs.find(slug) == self.program_id
        except (DatabaseError, NotFoundError):
            return False


@dataclass(frozen=True, slots=True)
class Record:
    """The file that says which finished replay a database holds."""

    path: Path

    @classmethod
    def of(cls, url: str, folder: Path) -> "Record":
        """Return the record of a database; it lies in `folder`."""
        return cls(folder / f"demo-{sha256(url.encode()).hexdigest()[:12]}.json")

    @property
    def wallets(self) -> Path:
        """Return the file of what phones and Google have, beside the record."""
        return self.path.with_name(f"wallets-{self.path.name}")

    def read(self) -> Finished | None:
        """Return the finished replay; None when there is none, or none that this version reads."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            choice = {**kept["choice"], "today": date.fromisoformat(kept["choice"]["today"])}
            return Finished(
                choice=Choice(**choice),
                report=Report(**kept["report"]),
                program_id=UUID(kept["program_id"]),
                made_at=datetime.fromisoformat(kept["made_at"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, finished: Finished) -> None:
        """Keep a finished replay: the whole file or none."""
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        draft.write_text(json.dumps(asdict(finished), default=str, indent=2), encoding="utf-8")
        draft.replace(self.path)
