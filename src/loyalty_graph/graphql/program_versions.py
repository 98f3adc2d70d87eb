"""Versions of the programme: what a file would change, applying it, and what was applied before."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from loyalty_graph.graphql.connections import First
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.errors import Payload, RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, Input
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.programs import Program, program_of
from loyalty_graph.identity.rules import Scope
from loyalty_graph.paging import page_size
from loyalty_graph.programs import reads
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.reads import StoredVersion
from loyalty_graph.usecases import program_versions
from loyalty_graph.usecases.program_changes import Change, ChangeKind
from loyalty_graph.usecases.program_text import TEXT_BYTES_MAX
from loyalty_graph.usecases.program_versions import ApplyProgram, Draft, Plan, ProgramApplied

VERSIONS_SHOWN = 20
TOML = f"The programme file, comments and all; at most {TEXT_BYTES_MAX:,} bytes."
EXPECTED = (
    "The version it was planned against; another one by now is refused (STALE_VERSION). "
    "Null does not look."
)

describe_enum(
    ChangeKind,
    "What became of a part of the programme.",
    {
        ChangeKind.NEW: "It was not there before.",
        ChangeKind.CHANGED: "A setting is different.",
        ChangeKind.GONE: "It is not there any more.",
    },
    name="ProgramChangeKind",
)


@strawberry.type(description="One difference between two versions of a programme.")
class ProgramChange:
    """A change, in words."""

    part: str = strawberry.field(description="The part of the file, such as rewards.")
    subject: str = strawberry.field(description="What it is about, such as Reward NOTE.")
    kind: ChangeKind = strawberry.field(description="What became of it.")
    sentence: str = strawberry.field(
        description="In words, such as: Reward NOTE: costs 900 points instead of 1,000."
    )
    place: str = strawberry.field(
        description="Where it stands in the file, such as rewards[NOTE].cost_points."
    )


@strawberry.type(description="How many members a segment of a programme file would hold.")
class SegmentReach:
    """A segment that is new or different."""

    code: str = strawberry.field(description="The segment's code.")
    members: int = strawberry.field(description="How many are in it as things stand now.")


@strawberry.type(description="What differs between a programme file and a version.")
class ProgramDiff:
    """The differences, and what cards show of them."""

    compared_with: int | None = strawberry.field(
        description="The version it is compared with; null when there is none."
    )
    changes: list[ProgramChange] = strawberry.field(description="In the order of the file.")
    cards: list[str] = strawberry.field(
        description="What cards show differently; empty when they stay as they are."
    )
    card_holders: int = strawberry.field(
        description="To how many members' cards that goes when it is applied."
    )
    reach: list[SegmentReach] = strawberry.field(
        description="Segments that are new or different; empty for what was applied already."
    )


@strawberry.type(description="A version of the programme, as it was applied.")
class ProgramVersion:
    """What the history holds of a version."""

    number: int = strawberry.field(description="Counts from 1.")
    applied_at: datetime = strawberry.field(description="When it was applied.")
    actor: str = strawberry.field(description="Who applied it, such as cli or a partner's id.")
    note: str = strawberry.field(description="Why; empty when nothing was said.")
    change_count: int | None = strawberry.field(
        description="How much differs from the version before; null for the first."
    )
    toml: str | None = strawberry.field(
        description="The text that was applied; null when it was stored without one."
    )


def _diff(plan: Plan) -> ProgramDiff:
    return ProgramDiff(
        compared_with=plan.version or None,
        changes=[_change(one) for one in plan.changes],
        cards=list(plan.cards),
        card_holders=plan.card_holders,
        reach=[SegmentReach(code=code, members=count) for code, count in plan.reach.items()],
    )


def _change(one: Change) -> ProgramChange:
    return ProgramChange(
        part=one.part,
        subject=one.subject,
        kind=one.kind,
        sentence=one.sentence,
        place=one.place,
    )


def _version(one: StoredVersion) -> ProgramVersion:
    return ProgramVersion(
        number=one.number,
        applied_at=one.loaded_at,
        actor=one.actor,
        note=one.note,
        change_count=one.change_count,
        toml=one.source,
    )


async def _draft(context: Context, toml: str) -> Draft:
    # A long text takes a while to read: others are answered meanwhile.
    known = tuple(context.desk.printers)
    return await asyncio.to_thread(program_versions.draft, toml, name="toml", templates=known)


@strawberry.input(description="A programme file to compare with a version.")
class ProgramDiffInput:
    """The input of programDiff."""

    toml: str = strawberry.field(description=TOML)
    version: int | None = strawberry.field(
        default=None,
        description="The version to compare with; null plans: the newest, and what is refused.",
    )

    async def plan(self, context: Context) -> Plan:
        """Return what differs.

        Raises:
            ProgramFileError: the file is not sound; or, against the newest version, would take
                away what members hold.
            NotFoundError: no such version.
        """
        draft = await _draft(context, self.toml)
        if self.version is not None:
            return await program_versions.against(draft, context.program_id, self.version)
        return await program_versions.plan(draft, now=context.now, program_id=context.program_id)


@strawberry.type(description="What a programme file would change.")
class ProgramDiffPayload(Payload):
    """The answer of programDiff."""

    diff: ProgramDiff | None = strawberry.field(
        default=None, description="The differences; null when the file was refused."
    )


@strawberry.input(description="A programme file that becomes the programme's next version.")
class ApplyProgramInput:
    """The input of applyProgram."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    toml: str = strawberry.field(description=TOML)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED)
    dry_run: bool = strawberry.field(
        default=False, description="Only plan: nothing is stored, and no key is used up."
    )
    note: str = strawberry.field(default="", description="Why; the history keeps it.")

    async def apply(self, context: Context) -> "ApplyProgramPayload":
        """Apply the file, or only plan it.

        Raises:
            ProgramFileError: the file is not sound, or would take away what members hold.
            StaleVersionError: another version is in force by now than was expected.
            IdempotencyMismatchError: the key was used with other input.
        """
        draft = await _draft(context, self.toml)
        if self.dry_run:
            planned = await program_versions.plan(
                draft,
                now=context.now,
                expected_version=self.expected_version,
                program_id=context.program_id,
            )
            return ApplyProgramPayload(diff=_diff(planned))
        command = ApplyProgram(
            draft,
            caller=context.caller,
            note=self.note,
            expected_version=self.expected_version,
            program_id=context.program_id,
            idempotency_key=context.idempotency_key(self.idempotency_key),
        )
        return await _applied(context, await program_versions.apply(command, now=context.now))


async def _applied(context: Context, done: ProgramApplied) -> "ApplyProgramPayload":
    version = await programs.numbered(context.program_id, done.version, now=context.now)
    return ApplyProgramPayload(
        diff=_diff(done.plan), program=program_of(version), replayed=done.replayed
    )


@strawberry.type(description="What applyProgram did.")
class ApplyProgramPayload(Payload):
    """The answer of applyProgram."""

    diff: ProgramDiff | None = strawberry.field(
        default=None, description="What is different by it; null when it was refused."
    )
    program: Program | None = strawberry.field(
        default=None, description="The new version; null when nothing was applied."
    )
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )


@strawberry.type
class ProgramVersionQuery:
    """Queries about versions of the programme."""

    @strawberry.field(
        description="What a programme file would change; nothing is stored.",
        extensions=[NeedsScope(Scope.PROGRAM_WRITE), RefusalsAsData(ProgramDiffPayload)],
    )
    async def program_diff(
        self, info: Info, given: Input[ProgramDiffInput]
    ) -> ProgramDiffPayload | None:
        return ProgramDiffPayload(diff=_diff(await given.plan(info.context)))

    @strawberry.field(
        description="The versions of the programme, the newest first.",
        extensions=[NeedsScope(Scope.PROGRAM_WRITE)],
    )
    async def program_versions(
        self,
        info: Info,
        first: First = VERSIONS_SHOWN,
        before: Annotated[
            int | None, strawberry.argument(description="Only versions before this one.")
        ] = None,
    ) -> list[ProgramVersion]:
        found: Sequence[StoredVersion] = await reads.history(
            info.context.program_id, limit=page_size(first), before=before
        )
        return [_version(one) for one in found]


@strawberry.type
class ProgramVersionMutation:
    """Mutations of the programme."""

    @strawberry.mutation(
        description="Makes a programme file the next version, in force from now; or only plans it.",
        extensions=[NeedsScope(Scope.PROGRAM_WRITE), RefusalsAsData(ApplyProgramPayload)],
    )
    async def apply_program(
        self, info: Info, given: Input[ApplyProgramInput]
    ) -> ApplyProgramPayload | None:
        return await given.apply(info.context)
