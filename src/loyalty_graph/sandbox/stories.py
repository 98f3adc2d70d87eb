"""Stories of presets as data: what a member does, step by step, and the exact figures after it."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from loyalty_graph.config import bundled
from loyalty_graph.errors import LoyaltyError

STORIES = "presets/stories"
STEPS_MAX = 200
WAIT_DAYS_MAX = 800
SOMEBODY = "ada"

Amount = Annotated[str, Field(pattern=r"^\d{1,9}(\.\d{1,3})?$")]
"""Money as the API takes it: a text such as "4.50"."""

Name = Annotated[str, Field(min_length=1, max_length=40)]
"""What a story calls something, so that a later step can name it."""


class StoryError(LoyaltyError):
    """A story cannot be read, or goes another way than it says; the message says where and how."""

    code = "STORY"
    is_told = False


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Enrol(_Part):
    """Somebody joins; the programme knows them by the name of the step's member."""

    first_name: str | None = None
    email: str | None = None
    birthday: str | None = None


class BasketLine(_Part):
    """A line of a receipt: `amount` is the price of one."""

    type: str
    amount: Amount
    quantity: int = 1
    discount: Amount | None = None
    sku: str | None = None
    labels: tuple[str, ...] | None = None


class Buy(_Part):
    """A purchase; `receipt` is what a refund calls it."""

    receipt: Name | None = None
    lines: tuple[BasketLine, ...] = Field(min_length=1)
    channel: Literal["POS", "WEB", "MOBILE", "PARTNER"] = "POS"
    store: str | None = None
    payment: str | None = None
    pay_with_points: int = 0


class BroughtBack(_Part):
    """So many units of a line, counted from 1."""

    number: int
    quantity: int


class Refund(_Part):
    """Goods of a receipt come back: these units, or all."""

    receipt: Name
    lines: tuple[BroughtBack, ...] | None = None


class Activity(_Part):
    """Something other than a purchase that earns, such as a review."""

    kind: str
    name: str | None = None
    network: str | None = None
    proof: str | None = None
    store: str | None = None


class Subscribe(_Part):
    """A plan is begun; a sandbox's `card` pays its fees by itself."""

    plan: str
    card: str | None = None


class Redeem(_Part):
    """Points are given for a reward; what comes of it is `called` by the reward's code, or so."""

    reward: str
    called: Name | None = None


class Spend(_Part):
    """A part of a voucher's money is used."""

    voucher: Name
    amount: Amount


class UseBenefit(_Part):
    """A benefit is used; `saved` is what it saved the member."""

    code: str
    saved: Amount | None = None


class Expected(_Part):
    """What is so after a step; only what is given is compared.

    `refused` is the code of the refusal, and then nothing else of the step is done. `earned`,
    `taken_back`, `paid_with_points` and `uses_left` are of the step itself, the rest is how the
    member stands after it. `rewards` are those that can be had now, the cheapest first;
    `redemptions` and `vouchers` go by the names of the story.
    """

    refused: str | None = None
    earned: int | None = None
    taken_back: int | None = None
    paid_with_points: Amount | None = None
    uses_left: int | None = None
    points: int | None = None
    pending: int | None = None
    debt: int | None = None
    expiring: int | None = None
    tier: str | None = None
    next_tier: str | None = None
    to_next: str | None = None
    entitlements: tuple[str, ...] | None = None
    rewards: tuple[str, ...] | None = None
    redemptions: dict[str, str] | None = None
    vouchers: dict[str, str] | None = None
    subscription: str | None = None
    plan: str | None = None
    due: Amount | None = None
    fees_paid: Amount | None = None
    saved: Amount | None = None

    @property
    def given(self) -> Mapping[str, Any]:
        """Return what the story says, by name."""
        said = self.model_fields_set
        return {name: getattr(self, name) for name in type(self).model_fields if name in said}


class Step(_Part):
    """One thing that happens, to `member`, and what is so after it; without a thing, a look."""

    says: Annotated[str, Field(min_length=1, max_length=200)]
    member: Name = SOMEBODY
    enrol: Enrol | None = None
    buy: Buy | None = None
    refund: Refund | None = None
    activity: Activity | None = None
    subscribe: Subscribe | None = None
    pay: Amount | None = None
    change_plan: str | None = None
    unsubscribe: Literal[True] | None = None
    redeem: Redeem | None = None
    use: Name | None = None
    cancel: Name | None = None
    spend: Spend | None = None
    benefit: UseBenefit | None = None
    wait: Annotated[int, Field(ge=1, le=WAIT_DAYS_MAX)] | None = None
    expect: Expected = Expected()

    @property
    def action(self) -> str | None:
        """Return the name of what happens; None for a look."""
        return next((name for name in ACTIONS if getattr(self, name) is not None), None)

    @model_validator(mode="after")
    def _be_one_thing(self) -> Self:
        done = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(done) > 1:
            raise ValueError(f"{' and '.join(done)} are two steps")
        if not done and not self.expect.given:
            raise ValueError("say what happens, or what is expected")
        return self


ACTIONS = tuple(name for name in Step.model_fields if name not in {"says", "member", "expect"})


class Story(_Part):
    """What is told of a preset, from the moment at which its programme opens."""

    title: str
    begins: AwareDatetime
    steps: tuple[Step, ...] = Field(min_length=1, max_length=STEPS_MAX)


def story_of(preset: str) -> Path:
    """Return where the story of a preset is."""
    return bundled(STORIES) / f"{preset}.toml"


def read_story(path: Path) -> Story:
    """Return the story that a file tells.

    Raises:
        StoryError: It cannot be read; the message names the place.
    """
    try:
        return Story.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise StoryError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StoryError(f"{path} is no TOML: {error}.") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise StoryError(f"{path}: {faults}.") from error
