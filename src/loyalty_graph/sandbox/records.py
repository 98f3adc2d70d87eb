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

    Issued are points earned, given as a welcome and given by hand; points set aside while a basket
    is open, and those that wait until they can be spent, are outstanding. So points issued =
    redeemed + expired + clawed back + outstanding.
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
    points_redeemed: int
    points_expired: int
    points_clawed_back: int
    points_outstanding: int
    shortfall: int
    refunds: int
    redemptions: int
    rewards_redeemed: int
    vouchers_outstanding: int
    subscriptions: int
    passes_issued: int
    passes_updated: dict[str, int]
    stale_cards: int
    tiers: dict[str, int]
    ledger: dict[str, int]
    seconds: dict[str, float]
    database: str


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
