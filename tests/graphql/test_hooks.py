from collections.abc import AsyncIterator, Iterator

import pytest
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext

from loyalty_graph.graphql.hooks import Hooks


class Noting(SchemaExtension):
    """Notes what is run; `seen` belongs to the test."""

    seen: list[str]

    def on_operation(self) -> Iterator[None]:
        self.seen.append(f"{type(self).__name__} begins")
        yield
        self.seen.append(f"{type(self).__name__} ends")


class First(Noting):
    pass


class Second(Noting):
    def on_stream_result(self, result: object) -> Iterator[None]:
        self.seen.append(f"sends {result}")
        yield


class Waiting(SchemaExtension):
    async def on_operation(self) -> AsyncIterator[None]:
        yield


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def hooks(seen: list[str]) -> Hooks:
    extensions = [First(), Second()]
    for one in extensions:
        one.seen = seen
    return Hooks(ExecutionContext.__new__(ExecutionContext), list[SchemaExtension](extensions))


async def test_hooks_end_in_the_other_order_than_they_begin(hooks: Hooks, seen: list[str]):
    async with hooks.operation():
        seen.append("work")

    assert seen == ["First begins", "Second begins", "work", "Second ends", "First ends"]


async def test_nothing_is_run_after_a_stage_that_failed(hooks: Hooks, seen: list[str]):
    with pytest.raises(ValueError, match="no"):
        async with hooks.operation():
            raise ValueError("no")

    assert seen == ["First begins", "Second begins"]


async def test_only_extensions_that_do_something_at_a_stage_are_asked(
    hooks: Hooks, seen: list[str]
):
    async with hooks.parsing(), hooks.validation(), hooks.executing():
        assert seen == []

    async with hooks.on_stream_result("a cup"):
        assert seen == ["sends a cup"]


async def test_a_hook_that_waits_is_refused():
    hooks = Hooks(ExecutionContext.__new__(ExecutionContext), [Waiting()])

    with pytest.raises(AssertionError, match="must be a plain generator"):
        hooks.operation()
