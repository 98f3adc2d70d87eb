"""Loading a programme file: each package gets its own part, as the programme's next version."""

import tomllib
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
from loyalty_graph.db import transaction
from loyalty_graph.earning import service as earning
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.errors import ProgramFileError
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import Branding, ProgramSettings
from loyalty_graph.rewards import service as rewards
from loyalty_graph.rewards.rules import REWARDS_MAX, RewardSettings
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.rules import PLANS_MAX, SubscriptionPlan
from loyalty_graph.tiers import service as tiers
from loyalty_graph.tiers.rules import TierSettings
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.program_changes import Change, changes
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
    rewards: Annotated[
        tuple[RewardSettings, ...], Field(max_length=REWARDS_MAX), AfterValidator(_distinct)
    ] = ()


def read(path: Path, *, templates_dir: Path | None = None) -> ProgramFile:
    """Return the programme a file describes; `templates_dir` holds card templates of one's own.

    Raises:
        ProgramFileError: The file cannot be read, is no TOML, or says something that cannot be; the
            message names the place in the file.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProgramFileError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProgramFileError(f"{path} is no TOML: {error}.") from error
    return check(data, name=str(path), templates_dir=templates_dir)


def check(data: dict[str, Any], *, name: str, templates_dir: Path | None = None) -> ProgramFile:
    """Return the programme that this data describes; `name` stands in messages.

    Raises:
        ProgramFileError: It says something that cannot be; every place is named.
    """
    parts = dict(data)
    if isinstance(parts.get("program"), dict):
        if "branding" in parts["program"]:
            raise ProgramFileError(f"{name}: program.branding: write it as [branding].")
        branding = parts.pop("branding", Branding().model_dump())
        parts["program"] = {**parts["program"], "branding": branding}
    try:
        file = ProgramFile.model_validate(parts)
    except ValidationError as error:
        faults = "; ".join(
            f"{_place(fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise ProgramFileError(f"{name}: {faults}.") from error
    known = template_folders(templates_dir)
    unknown = (*_unknown_template(file, known), *_unknown_benefits(file), *_unknown_tiers(file))
    if strangers := "; ".join(unknown):
        raise ProgramFileError(f"{name}: {strangers}.")
    return file


def _unknown_template(file: ProgramFile, known: Collection[str]) -> Iterator[str]:
    """Say when the cards are to be laid out by a template that is not here."""
    named = file.program.branding.template
    if named not in known:
        yield f"branding.template: there is no card template {named}; known are {', '.join(known)}"


def _unknown_benefits(file: ProgramFile) -> Iterator[str]:
    """Say where tiers and plans name benefits that the file does not define."""
    known = {one.code for one in file.benefits}
    levels = file.tiers.levels if file.tiers else ()
    named = [(f"tiers.levels[{place}]", one.benefits) for place, one in enumerate(levels)]
    plans = enumerate(file.subscription_plans)
    named += [(f"subscription_plans[{place}]", one.benefits) for place, one in plans]
    for here, codes in named:
        for number, code in enumerate(codes):
            if code not in known:
                place = f"{here}.benefits[{number}]"
                yield f"{place}: there is no benefit {code}; write it as [[benefits]]"


def _unknown_tiers(file: ProgramFile) -> Iterator[str]:
    """Say where the rewards name tiers that the file does not define."""
    known = {level.code for level in file.tiers.levels} if file.tiers else set()
    for place, reward in enumerate(file.rewards):
        for tier in sorted({*reward.tiers, *reward.tier_costs} - known):
            yield f"rewards[{place}] ({reward.code}): there is no tier {tier}"


def _place(location: tuple[int | str, ...]) -> str:
    parts = location[1:] if location[:2] == ("program", "branding") else location
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "file"


@posting.settling_conflicts
@transaction
async def load(file: ProgramFile, *, now: datetime) -> programs.Version:
    """Store a programme file as the next version of its programme, in force from now.

    When cards look different by it, that is rolled out to all of them.

    Raises:
        InvalidInputError: It cannot follow the programme's earlier versions.
    """
    whole = file.model_dump(mode="json")
    version = await programs.store_version(file.program, file=whole, now=now)
    await earning.store_rules(version.program_id, version.number, file.earning)
    await benefits.store_rules(version.program_id, version.number, file.benefits)
    await tiers.store_rules(version.program_id, version.number, file.tiers)
    await subscriptions.store_plans(version.program_id, version.number, file.subscription_plans)
    await rewards.store_rewards(version.program_id, version.number, file.rewards)
    before = await programs.file_before(version)
    if before is not None and _shown_on_cards(before) != _shown_on_cards(whole):
        reason = f"programme version {version.number}"
        await rollouts.start(version.program_id, reason, now=now)
    return version


def _shown_on_cards(file: Mapping[str, Any]) -> list[Any]:
    """Return the parts of a file that cards show, whatever their members do."""
    program, steps = file["program"], file.get("tiers") or {}
    own = [program[name] for name in ("name", "time_zone", "branding")]
    units = [program["points"][name] for name in ("unit_one", "unit_other")]
    standing = [steps.get(name) for name in ("basis", "window", "downgrade", "grace_days")]
    levels = [
        [level.get(name) for name in ("code", "name", "entry", "keep", "color")]
        for level in steps.get("levels", ())
    ]
    plans = [(plan["code"], plan["name"]) for plan in file.get("subscription_plans", ())]
    return [own, units, standing, levels, plans]


async def changed_by(file: ProgramFile, version: programs.Version) -> list[Change] | None:
    """Return what differs from the version before, place by place; None for the first version."""
    before = await programs.file_before(version)
    return None if before is None else changes(before, file.model_dump(mode="json"))
