"""Loading a programme file: each package gets its own part, as the programme's next version."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)

from loyalty_graph.benefits import service as benefits
from loyalty_graph.benefits.rules import BENEFITS_MAX, Benefit
from loyalty_graph.db import assert_in_transaction, transaction
from loyalty_graph.earning import service as earning
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.programs import reads
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.rewards import service as rewards
from loyalty_graph.rewards.rules import REWARDS_MAX, RewardSettings
from loyalty_graph.segments import service as segments
from loyalty_graph.segments.rules import SEGMENTS_MAX, SegmentSettings
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.rules import PLANS_MAX, SubscriptionPlan
from loyalty_graph.tiers import service as tiers
from loyalty_graph.tiers.rules import TierSettings
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.program_changes import Change, changed_on_cards, changes
from loyalty_graph.usecases.program_faults import Fault, Source, faults_of, mistyped, unstorable
from loyalty_graph.usecases.program_references import never_held, strangers
from loyalty_graph.usecases.program_schema import OWN_PARTS, json_schema
from loyalty_graph.usecases.program_text import data_of, text_of
from loyalty_graph.wallet import rollouts
from loyalty_graph.wallet.templates import template_folders


class _Coded(Protocol):
    """What stands in a list of the file and is named by its code."""

    @property
    def code(self) -> str:
        """What other parts of the file, and callers, name it by."""


Rows = TypeVar("Rows", bound=Sequence[_Coded])


def _distinct(rows: Rows) -> Rows:
    codes = [one.code for one in rows]
    for place, code in enumerate(codes):
        if code in codes[:place]:
            raise ValueError(f"[{place}].code: {code} stands at [{codes.index(code)}] too")
    return rows


class ProgramFile(BaseModel):
    """A whole programme, as its file says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    program: ProgramSettings
    earning: EarningSettings
    benefits: Annotated[
        tuple[Benefit, ...], Field(max_length=BENEFITS_MAX), AfterValidator(_distinct)
    ] = ()
    tiers: TierSettings | None = None
    subscription_plans: Annotated[
        tuple[SubscriptionPlan, ...], Field(max_length=PLANS_MAX), AfterValidator(_distinct)
    ] = ()
    segments: Annotated[
        tuple[SegmentSettings, ...], Field(max_length=SEGMENTS_MAX), AfterValidator(_distinct)
    ] = ()
    rewards: Annotated[
        tuple[RewardSettings, ...], Field(max_length=REWARDS_MAX), AfterValidator(_distinct)
    ] = ()


def read(path: Path, *, templates_dir: Path | None = None) -> ProgramFile:
    """Return the programme a file describes; `templates_dir` holds card templates of one's own.

    Raises:
        ProgramFileError: The file cannot be read, is no TOML, or says something that cannot be; the
            message names the place in the file.
    """
    return parse(text_of(path), name=str(path), templates_dir=templates_dir)


def parse(text: str, *, name: str, templates_dir: Path | None = None) -> ProgramFile:
    """Return the programme that a text describes; `name` stands in messages before the places.

    Raises:
        ProgramFileError: It is too long, no TOML, or says something that cannot be; every place is
            named with its line and column.
    """
    data = data_of(text, name=name)
    return check(data, name=name, text=text, templates_dir=templates_dir)


def check(
    data: dict[str, Any],
    *,
    name: str,
    text: str | None = None,
    templates_dir: Path | None = None,
    templates: Collection[str] | None = None,
) -> ProgramFile:
    """Return the programme that this data describes; `name` stands in messages.

    Args:
        data: What the file says.
        name: What the file is called.
        text: The text that the data was read from, so that faults name lines and columns.
        templates_dir: Holds card templates of one's own.
        templates: All card templates there are, where they are known already.

    Raises:
        ProgramFileError: It says something that cannot be; every place is named.
    """
    source = Source(name, data, text)
    if faults := [*unstorable(data), *_misplaced(data)]:
        raise source.refusal(faults)
    wrong = {one.path: one for one in mistyped(data, json_schema(ProgramFile))}
    try:
        file = ProgramFile.model_validate(_gathered(data))
    except ValidationError as error:
        found = [{**one, "loc": _spread(one["loc"])} for one in error.errors()]
        told = faults_of(found, data, json_schema(ProgramFile))
        others = (one for one in told if one.path not in wrong)
        raise source.refusal([*wrong.values(), *others]) from error
    if wrong:
        raise source.refusal(wrong.values())
    known = template_folders(templates_dir) if templates is None else templates
    if unknown := [*_unknown_template(file, known), *strangers(file)]:
        raise source.refusal(unknown)
    if never := list(never_held(file)):
        raise source.refusal(never)
    return file


def _misplaced(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Say where parts of the programme stand in [program] that have a place of their own."""
    program = data.get("program")
    if not isinstance(program, dict):
        return
    for name in OWN_PARTS:
        if name in program:
            header = f"[{name}]" if name == "branding" else f"[[{name}]]"
            yield Fault(("program", name), f"write it as {header}", at_key=True)


def _gathered(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data with the parts of the programme's settings inside of it."""
    if not isinstance(data.get("program"), dict):
        return {name: part for name, part in data.items() if name not in OWN_PARTS}
    own = {name: data[name] for name in OWN_PARTS if name in data}
    rest = {name: part for name, part in data.items() if name not in OWN_PARTS}
    return {**rest, "program": {**data["program"], **own}}


def _spread(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    is_own = location[:1] == ("program",) and location[1:2] and location[1] in OWN_PARTS
    return location[1:] if is_own else location


def _unknown_template(file: ProgramFile, known: Collection[str]) -> Iterator[Fault]:
    """Say when the cards are to be laid out by a template that is not here."""
    named = file.program.branding.template
    if named not in known:
        told = f"there is no card template {named}; known are {', '.join(known)}"
        yield Fault(("branding", "template"), told)


@posting.settling_conflicts
@transaction
async def load(
    file: ProgramFile, *, now: datetime, origin: programs.Origin | None = None
) -> programs.Version:
    """Store a programme file as the next version of its programme, in a transaction of its own.

    Nothing is refused that members would miss: `program_versions.apply` is the door that does.

    Raises:
        InvalidInputError: It cannot follow the programme's earlier versions.
    """
    return await store_file(file, now=now, origin=origin)


async def store_file(
    file: ProgramFile, *, now: datetime, origin: programs.Origin | None = None
) -> programs.Version:
    """Store a programme file as the next version of its programme, in force from now.

    When cards look different by it, that is rolled out to all of them.

    Raises:
        InvalidInputError: It cannot follow the programme's earlier versions.
    """
    assert_in_transaction()
    whole = file.model_dump(mode="json")
    before = await reads.newest(file.program.slug, lock=True)
    different = None if before is None else len(difference(known(before.file), file))
    version = await programs.store_version(
        file.program,
        file=whole,
        now=now,
        origin=origin or programs.Origin(),
        change_count=different,
    )
    await earning.store_rules(version.program_id, version.number, file.earning)
    await benefits.store_rules(version.program_id, version.number, file.benefits)
    await tiers.store_rules(version.program_id, version.number, file.tiers)
    await subscriptions.store_plans(version.program_id, version.number, file.subscription_plans)
    await segments.store_segments(version.program_id, version.number, file.segments)
    await rewards.store_rewards(version.program_id, version.number, file.rewards)
    if before is not None and changed_on_cards(before.file, whole):
        reason = f"programme version {version.number}"
        await rollouts.start(version.program_id, reason, now=now)
    return version


def known(stored: Mapping[str, Any]) -> ProgramFile | Mapping[str, Any]:
    """Return a stored file with the defaults of settings that came later.

    A file that the present checks would refuse stays as it is.
    """
    try:
        return ProgramFile.model_validate(stored)
    except ValidationError:
        return stored


def difference(before: ProgramFile | Mapping[str, Any] | None, after: ProgramFile) -> list[Change]:
    """Return what differs between two files, in plain words; all of it when there was none."""
    if isinstance(before, ProgramFile):
        before = before.model_dump(mode="json")
    stated = after.model_dump(mode="json", exclude_defaults=True)
    return changes(
        None if before is None else as_written(before),
        as_written(after.model_dump(mode="json")),
        stated=as_written(stated),
    )


def as_written(file: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's parts as they stand in it, in its order."""
    program = dict(file["program"])
    own = {name: program.pop(name) for name in OWN_PARTS if name in program}
    return {"program": program, **own, **{name: file[name] for name in file if name != "program"}}
