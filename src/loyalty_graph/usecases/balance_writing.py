"""Writing a batch of rows of balances: who is new joins, and points come in lot by lot."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.idempotency import Claim
from loyalty_graph.ledger import migrating, moving
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.migrating import Progress
from loyalty_graph.ledger.room import check_room
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.tiers import service as tiers
from loyalty_graph.tiers.standing import Scheme
from loyalty_graph.usecases import members, posting
from loyalty_graph.usecases.balance_checks import (
    FAULTS_KEPT_MAX,
    ROWS_AT_ONCE,
    check_new,
    check_same,
    find_members,
    is_joining,
    joining_at,
    whose,
)
from loyalty_graph.usecases.balance_rows import BalanceRow, RowFault
from loyalty_graph.usecases.tiering import Tiering


@dataclass(frozen=True, slots=True)
class _Post:
    """A row whose member is known, as a command: its entry's reference makes it count once."""

    row: BalanceRow
    member: Reference
    claim: Claim


@posting.settling_conflicts
@transaction
async def write_page(
    program_id: UUID,
    expected: Progress,
    page: Sequence[BalanceRow | RowFault],
    *,
    now: datetime,
) -> Progress:
    """Write the next rows of an import and move it on; an empty page ends it.

    A row that was sound when it was checked may be refused by now: it is noted, the others are
    written. Where another process has moved the import on, nothing is done.
    """
    progress = await migrating.locked(program_id, expected.id)
    if progress.ended_at is not None or progress.done != expected.done:
        return progress
    faults = [one for one in page if isinstance(one, RowFault)]
    rows = [one for one in page if isinstance(one, BalanceRow)]
    posts, unknown = await _posts(program_id, rows, progress, now=now)
    faults += unknown
    faults += await _post(program_id, posts, progress, now=now)
    progress.done += len(page)
    progress.refused += len(faults)
    progress.faults = [*progress.faults, *map(asdict, faults)][:FAULTS_KEPT_MAX]
    if len(page) < ROWS_AT_ONCE:
        progress.ended_at = now
    await migrating.move_on(program_id, progress)
    return progress


async def _posts(
    program_id: UUID, rows: Sequence[BalanceRow], progress: Progress, *, now: datetime
) -> tuple[list[_Post], list[RowFault]]:
    """Return the rows whose members are known by now, and why others are not; the new ones join."""
    owners = whose(rows, await find_members(program_id, rows))
    joining = [
        row for row, owner in zip(rows, owners, strict=True) if owner == joining_at(row.line)
    ]
    wanted = [members.Enrolment(row.profile, source="import") for row in joining]
    # Of an import the audit log has one entry, not one for everybody who joins with it.
    joined = await members.bring_along(program_id, wanted, now=now, by="") if wanted else []
    progress.joined += len(joined)
    ids = {joining_at(row.line): one.id for row, one in zip(joining, joined, strict=True)}
    posts: list[_Post] = []
    faults: list[RowFault] = []
    for row, owner in zip(rows, owners, strict=True):
        if isinstance(owner, LoyaltyError):
            faults.append(RowFault.of(row.line, owner))
            continue
        member_id = ids[owner] if is_joining(owner) else owner
        key = migrating.reference(progress.source, row.key)
        member = Reference(ReferenceKind.ID, str(member_id))
        posts.append(_Post(row, member, Claim(progress.caller, key, b"")))
    return posts, faults


async def _post(
    program_id: UUID, posts: Sequence[_Post], progress: Progress, *, now: datetime
) -> list[RowFault]:
    """Bring in what the rows hold; return why some were refused."""
    if not posts:
        return []
    version = await programs.in_force(program_id, now, now=now)
    tiering = await Tiering.of(program_id, now=now)
    batch = await posting.load(
        program_id,
        posts,
        now=now,
        besides=[migrating.rows_known(one.claim.key for one in posts)],
        by_member=tiering.lookups,
    )
    await tiering.take(batch)
    bringing = _Bringing(batch, tiering, await tiers.scheme(version), progress)
    outcomes = posting.decide_each(posts, bringing.take)
    tiering.add_to(batch, actor=progress.caller, reason=f"brought along from {progress.source}")
    await batch.store()
    return [
        RowFault.of(post.row.line, outcome)
        for post, outcome in zip(posts, outcomes, strict=True)
        if isinstance(outcome, LoyaltyError)
    ]


@dataclass(frozen=True, slots=True)
class _Bringing:
    """A batch of rows while it is decided."""

    batch: posting.Batch
    tiering: Tiering
    scheme: Scheme | None
    progress: Progress

    def take(self, place: int, post: _Post) -> None:
        """Bring in what a row holds, unless it is in the ledger already.

        Raises:
            MemberNotActiveError: The member is not active any more.
            PointsLimitError: The member would have too many.
            NotFoundError: There is no such member or tier any more.
            InvalidInputError: The row's key stands for other points.
        """
        row, progress = post.row, self.progress
        account = self.batch.account(place, post.member)
        before = migrating.migrated(self.batch.found[0][place])
        if before is not None:
            check_same(row, account.member_id, before)
            progress.known += 1
            return
        ledger.check_active(account)
        check_new(row, self.scheme, now=progress.begun_at)
        check_room(account, max(row.points, row.qualifying))
        transfers = moving.bring_in(
            account,
            Kind.MIGRATE,
            Book.MIGRATED,
            row.lots,
            self._cause(post),
            qualifying=row.qualifying,
        )
        progress.points += row.points
        self._count(account.member_id, row)
        if transfers:
            self.batch.record(
                "points.migrated",
                account.member_id,
                entry=transfers[0].sequence,
                points=row.points,
                balance=account.balance,
                source=progress.source,
            )

    def _cause(self, post: _Post) -> ledger.Cause:
        row, progress = post.row, self.progress
        return ledger.Cause(
            reference=post.claim.key,
            at=progress.begun_at,
            recorded_at=self.batch.now,
            actor=progress.caller,
            explanation=migrating.explanation(progress.source, row.key, row.points),
            text=row.text,
            salt=posting.salt(),
        )

    def _count(self, member_id: UUID, row: BalanceRow) -> None:
        self.tiering.count(
            member_id, spend_minor=0, points=row.qualifying, at=self.progress.begun_at
        )
        if row.tier is not None and row.tier_until is not None:
            self.tiering.give(member_id, row.tier, until=row.tier_until)
