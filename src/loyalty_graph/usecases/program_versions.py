"""Planning and applying programme files, and going back: every version keeps its text."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import fetch, store
from loyalty_graph.errors import InvalidInputError, StaleVersionError
from loyalty_graph.idempotency import Answered, Claim, answers, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.programs import reads
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.reads import StoredVersion
from loyalty_graph.segments import reads as segments
from loyalty_graph.usecases import posting, program_file
from loyalty_graph.usecases.program_changes import Change, changed_on_cards
from loyalty_graph.usecases.program_copies import sandbox_text
from loyalty_graph.usecases.program_faults import Fault, Source
from loyalty_graph.usecases.program_file import ProgramFile
from loyalty_graph.usecases.program_in_use import in_use
from loyalty_graph.usecases.program_text import data_of
from loyalty_graph.wallet import rollouts

NOTE_LENGTH_MAX = 500
HISTORY_MAX = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """A sound programme file that is not applied yet."""

    file: ProgramFile
    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying a file does.

    Attributes:
        slug: Which programme.
        name: How it will be called.
        version: The version it is compared with; 0 when there is none yet.
        changes: What is different, part by part.
        cards: What cards show differently; then all of them are updated.
        card_holders: How many members hold such cards.
        reach: How many members are now in each segment that is new or different; what is applied
            is not counted.
    """

    slug: str
    name: str
    version: int
    changes: Sequence[Change]
    cards: Sequence[str]
    card_holders: int
    reach: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApplyProgram:
    """A draft to apply, by whom and why; `expected_version` is what it was planned against.

    With `program_id` it must be this programme's file, and a retry with the same key counts once.
    """

    draft: Draft
    caller: str
    note: str = ""
    expected_version: int | None = None
    program_id: UUID | None = None
    idempotency_key: str | None = None

    @property
    def claim(self) -> Claim | None:
        """The wish to count once."""
        if self.idempotency_key is None:
            return None
        given = {"applyProgram": [self.draft.text, self.note, self.expected_version]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class ProgramApplied:
    """The answer: the new version, and what is different by it."""

    version: int
    plan: Plan
    replayed: bool = False


def draft(text: str, *, name: str, templates: Collection[str] | None = None) -> Draft:
    """Return a text as a draft, if it describes a programme.

    Args:
        text: What the file says.
        name: What it is called in messages, before the places.
        templates: The card templates there are; the packed ones, if not given.

    Raises:
        ProgramFileError: It does not; every fault is told with its place.
    """
    data = data_of(text, name=name)
    file = program_file.check(data, name=name, text=text, templates=templates)
    return Draft(file, text, Source(name, data, text))


async def plan(
    draft: Draft,
    *,
    now: datetime,
    expected_version: int | None = None,
    program_id: UUID | None = None,
) -> Plan:
    """Return what applying a draft would do; nothing is stored.

    Raises:
        ProgramFileError: It would take away what members hold, or is another programme's file.
        StaleVersionError: The programme has another version by now than was expected.
    """
    before = await reads.newest(draft.file.program.slug)
    found = await _checked_plan(
        draft, before, now=now, expected_version=expected_version, program_id=program_id
    )
    return found if before is None else replace(found, reach=await _reach(draft, before, now=now))


async def apply(command: ApplyProgram, *, now: datetime) -> ProgramApplied:
    """Make a draft the next version of its programme, in force from now, in one transaction.

    Raises:
        ProgramFileError: It would take away what members hold, or is another programme's file.
        StaleVersionError: The programme has another version by now than was expected.
        InvalidInputError: The note is too long.
        IdempotencyMismatchError: The key was used with other input.
    """
    if len(command.note) > NOTE_LENGTH_MAX:
        raise InvalidInputError(f"At most {NOTE_LENGTH_MAX} characters.", field="note")
    return await _apply(command, now=now)


@posting.settling_conflicts
@transaction
async def _apply(command: ApplyProgram, *, now: datetime) -> ProgramApplied:
    draft = command.draft
    before = await reads.newest(draft.file.program.slug, lock=True)
    answered = await _answered(command)
    if command.claim is not None and (earlier := answered.earlier(command.claim)) is not None:
        return await _applied_before(draft, earlier["version"], before)
    planned = await _checked_plan(
        draft,
        before,
        now=now,
        expected_version=command.expected_version,
        program_id=command.program_id,
    )
    origin = programs.Origin(draft.text, command.caller, command.note)
    version = await program_file.store_file(draft.file, now=now, origin=origin)
    told = outbox.change(
        command.caller,
        before={"version": version.number - 1},
        after={"version": version.number},
        reason=command.note,
        about="program",
    )
    fact = outbox.Fact(new_id(now), "program.applied", None, now, {"version": version.number}, told)
    await store(version.program_id, [outbox.facts([fact])])
    if command.claim is not None:
        answered.keep(command.claim, {"version": version.number})
        await store(version.program_id, [answered.write(now=now)])
    return ProgramApplied(version.number, planned)


async def _answered(command: ApplyProgram) -> Answered:
    claims = [] if command.claim is None else [command.claim]
    if command.program_id is None or not claims:
        return Answered([], [])
    return Answered(claims, (await fetch(command.program_id, answers(claims)))[0])


async def _applied_before(
    draft: Draft, number: int, newest: StoredVersion | None
) -> ProgramApplied:
    assert newest is not None, "a version that was stored is not taken away"
    before = None if number == 1 else await reads.version(newest.program_id, number - 1)
    return ProgramApplied(number, await _plan(draft, before), replayed=True)


async def _checked_plan(
    draft: Draft,
    before: StoredVersion | None,
    *,
    now: datetime,
    expected_version: int | None,
    program_id: UUID | None,
) -> Plan:
    present = 0 if before is None else before.number
    if program_id is not None and (before is None or before.program_id != program_id):
        raise draft.source.refusal([Fault(("program", "slug"), "is another programme's")])
    if expected_version not in {None, present}:
        raise StaleVersionError(expected=expected_version or 0, present=present)
    if before is not None and (faults := await in_use(before, draft.file, now=now)):
        raise draft.source.refusal(faults)
    return await _plan(draft, before)


async def _reach(draft: Draft, before: StoredVersion, *, now: datetime) -> dict[str, int]:
    known = {one["code"]: one["when"] for one in before.file.get("segments", ())}
    asked = [one for one in draft.file.segments if known.get(one.code) != one.when]
    conditions = [one.condition for one in asked]
    numbers = await segments.counts(before.program_id, conditions, now=now)
    return {one.code: number for one, number in zip(asked, numbers, strict=True)}


async def _plan(draft: Draft, before: StoredVersion | None) -> Plan:
    program = draft.file.program
    if before is None:
        found = program_file.difference(None, draft.file)
        return Plan(program.slug, program.name, 0, found, (), 0)
    found = program_file.difference(program_file.known(before.file), draft.file)
    cards = changed_on_cards(before.file, draft.file.model_dump(mode="json"))
    holders = await rollouts.card_holders(before.program_id) if cards else 0
    return Plan(program.slug, program.name, before.number, found, cards, holders)


async def against(draft: Draft, program_id: UUID, version: int) -> Plan:
    """Return what differs from a version, whichever is in force; nothing is refused.

    Raises:
        NotFoundError: There is no such version.
    """
    return await _plan(draft, await reads.version(program_id, version))


def compare(before: Draft, after: Draft) -> Plan:
    """Return what differs between two drafts; nobody's cards are counted."""
    whole = [one.file.model_dump(mode="json") for one in (before, after)]
    found = program_file.difference(before.file, after.file)
    program = after.file.program
    return Plan(program.slug, program.name, 0, found, changed_on_cards(*whole), 0)


async def text_of(program_id: UUID, version: int | None) -> str:
    """Return the text of a version, as it was applied; of the newest, if none is said.

    Raises:
        NotFoundError: There is no such version.
        InvalidInputError: It was stored without a text.
    """
    if version is None:
        [found] = await reads.history(program_id, limit=1)
    else:
        found = await reads.version(program_id, version)
    if found.source is None:
        raise InvalidInputError(
            f"Version {found.number} was stored without a text.", field="version"
        )
    return found.source


def sandbox_draft(original: Draft, *, slug: str, templates: Collection[str] | None = None) -> Draft:
    """Return the draft of a sandbox: the same text with another slug, in which nothing is real.

    Raises:
        ProgramFileError: The slug cannot be one.
    """
    text = sandbox_text(original.text, slug=slug)
    return draft(text, name=original.source.name, templates=templates)
