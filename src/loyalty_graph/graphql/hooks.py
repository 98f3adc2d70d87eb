"""Runs the hooks of our extensions by nothing but `next`: they are generators with one yield.

Strawberry makes context managers of them, and a stack for each stage, anew for each operation.
"""

from collections.abc import Generator
from functools import lru_cache
from inspect import isgeneratorfunction
from typing import Any

from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner


class Stage:
    """What goes around one stage: begun in the order of the extensions, ended backwards."""

    __slots__ = ("_hooks",)

    def __init__(self, hooks: list[Generator[None]]) -> None:
        self._hooks = hooks

    async def __aenter__(self) -> None:
        """Run each hook up to its yield."""
        for hook in self._hooks:
            next(hook)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Run each hook to its end; of a stage that failed, no more than its `finally`."""
        for hook in reversed(self._hooks):
            if kind is None:
                next(hook, None)
            else:
                hook.close()


class Hooks(SchemaExtensionsRunner):
    """Runs every stage of an operation; only `Schema.execute` and `Schema.stream` may use it."""

    def operation(self) -> Any:
        """Return what goes around the whole operation."""
        return self._stage("on_operation")

    def parsing(self) -> Any:
        """Return what goes around reading the document."""
        return self._stage("on_parse")

    def validation(self) -> Any:
        """Return what goes around deciding whether it is answered."""
        return self._stage("on_validate")

    def executing(self) -> Any:
        """Return what goes around answering it."""
        return self._stage("on_execute")

    def on_stream_result(self, result: Any) -> Any:
        """Return what goes around sending one result of a stream."""
        return self._stage("on_stream_result", result)

    def _stage(self, name: str, *given: object) -> Stage:
        kinds: list[type] = [type(one) for one in self.extensions]
        return Stage(
            [
                getattr(one, name)(*given)
                for one, kind in zip(self.extensions, kinds, strict=True)
                if _has(kind, name)
            ]
        )


@lru_cache
def _has(kind: type, name: str) -> bool:
    """Return whether the extension does something at this stage."""
    hook = getattr(kind, name)
    if hook is getattr(SchemaExtension, name):
        return False
    assert isgeneratorfunction(hook), f"{kind.__name__}.{name} must be a plain generator function"
    return True
