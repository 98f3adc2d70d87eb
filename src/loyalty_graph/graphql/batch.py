"""Batch resolvers: one function from parents to results per field, so that there is no N+1.

graphql-core resolves the children of a list one by one. Here each child only hands in its parent;
all that arrive in one turn of the event loop are answered by one call.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeAlias, TypeVar

from strawberry.dataloader import DataLoader

Result = TypeVar("Result")
BatchResolver: TypeAlias = Callable[..., Awaitable[Sequence[Result]]]


class Batchers:
    """The batches of one operation: one for each batch resolver and its arguments."""

    def __init__(self) -> None:
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}

    def load(
        self, resolver: BatchResolver[Result], parent: object, **arguments: Hashable
    ) -> Awaitable[Result]:
        """Return the parent's result; `resolver(parents, **arguments)` is called once for many.

        Every result stands where its parent stood, and is a value or an exception for that parent.
        Results are not kept: a mutation's payload shows what is there after the mutation.
        """
        key = (resolver, tuple(sorted(arguments.items())))
        loader = self._loaders.get(key)
        if loader is None:

            async def load_all(parents: list[Any]) -> Sequence[Any]:
                return await resolver(parents, **arguments)

            loader = self._loaders[key] = DataLoader(load_fn=load_all, cache=False)
        return loader.load(parent)
