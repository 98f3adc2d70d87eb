"""Segments as the programme file says them, and who is in one."""

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from loyalty_graph.benefits.rules import Code
from loyalty_graph.conditions.fields import condition_of
from loyalty_graph.conditions.python import compile_python
from loyalty_graph.conditions.reading import read
from loyalty_graph.conditions.tree import Condition
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.segments.vocabulary import MEMBERS

SEGMENTS_MAX = 100

MemberCondition = Annotated[dict[str, Any], condition_of(MEMBERS)]
"""A condition on a member as plain data, checked where it stands."""


class SegmentSettings(BaseModel):
    """Members of whom a condition holds; who they are is looked up, not kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Code
    name: str = Field(min_length=1, max_length=60)
    when: MemberCondition

    @cached_property
    def condition(self) -> Condition:
        """Return the condition that holds of its members."""
        return read(self.when, MEMBERS)

    @cached_property
    def has(self) -> Callable[[MemberFacts], bool]:
        """Return the function that says whether a member is in it."""
        return compile_python(self.condition, MEMBERS)
