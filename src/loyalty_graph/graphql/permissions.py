"""Permissions: a field declares the scope it needs, and the schema shows it."""

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from loyalty_graph.graphql.context import Info
from loyalty_graph.identity.rules import Scope, require_scope


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="needsScope",
    description="The caller's token must carry this scope (or admin).",
)
class NeedsScopeDirective:
    """The scope, where tools that read the schema find it."""

    scope: str


class NeedsScope(FieldExtension):
    """Refuses a field to viewers without a scope, before its resolver runs."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def apply(self, field: StrawberryField) -> None:
        """Write the scope into the schema: as a directive and at the description's end.

        A field of a base type is shared by the types made of it, and written once.
        """
        if any(isinstance(one, NeedsScopeDirective) for one in field.directives):
            return
        field.directives = [*field.directives, NeedsScopeDirective(scope=self.scope.value)]
        field.description = f"{field.description or ''} Needs the scope `{self.scope.value}`."

    def resolve(
        self, next_: Callable[..., Any], source: object, info: Info, **arguments: object
    ) -> object:
        """Check, then resolve a field that needs no waiting."""
        require_scope(info.context.viewer, self.scope)
        return next_(source, info, **arguments)

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: object, info: Info, **arguments: object
    ) -> object:
        """Check, then await the field."""
        require_scope(info.context.viewer, self.scope)
        return await next_(source, info, **arguments)
