"""Permissions: who may ask for a field is declared on it, shown in the schema, and decided once.

A field without a declaration belongs to whoever may ask for its parent; every root field has one.
The decision is made while the document is validated (`limits.DocumentGate`): a document that asks
for one thing too many is refused as a whole, before anything is done.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import strawberry
from graphql import OperationType
from strawberry.extensions import FieldExtension
from strawberry.schema_directive import Location
from strawberry.types.base import has_object_definition
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from loyalty_graph.errors import (
    ForbiddenError,
    LoyaltyError,
    NotFoundError,
    UnauthenticatedError,
)
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.ids import owner_of
from loyalty_graph.graphql.inputs import MemberRef, OwnedRef
from loyalty_graph.identity.rules import Scope, Viewer, ViewerKind, require_scope
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import ReferenceKind

FIELD = [Location.FIELD_DEFINITION]


@strawberry.schema_directive(
    locations=FIELD,
    name="needsScope",
    description="The caller's token must carry this scope (or admin).",
)
class NeedsScopeDirective:
    """The scope, where tools that read the schema find it."""

    scope: str


@strawberry.schema_directive(
    locations=FIELD, name="ownedByMember", description="Members may ask too: for what is theirs."
)
class OwnedByMemberDirective:
    """Says that members need no scope."""


@strawberry.schema_directive(
    locations=FIELD, name="needsMember", description="The caller must be signed in as a member."
)
class NeedsMemberDirective:
    """Says that only members may ask."""


@strawberry.schema_directive(
    locations=FIELD, name="everybody", description="Everybody may ask, also without a token."
)
class EverybodyDirective:
    """Says that nobody is refused."""


class Permission(FieldExtension):
    """Who may ask for a field. It takes no part in resolving it."""

    directives: tuple[object, ...] = ()
    sentence = ""

    def apply(self, field: StrawberryField) -> None:
        """Write it into the schema: as directives and at the description's end.

        A field of a base type is shared by the types made of it, and written once.
        """
        if any(isinstance(one, type(self.directives[0])) for one in field.directives):
            return
        field.directives = [*field.directives, *self.directives]
        field.description = f"{field.description or ''} {self.sentence}".strip()

    def check(self, viewer: Viewer) -> None:
        """Do nothing when the viewer may ask.

        Raises:
            UnauthenticatedError: nobody is asking, and that is not enough.
            ForbiddenError: somebody is, who may not.
        """


class Everybody(Permission):
    """Refuses nobody."""

    directives = (EverybodyDirective(),)


class NeedsMember(Permission):
    """Refuses all but members."""

    directives = (NeedsMemberDirective(),)
    sentence = "Needs a member's token."

    def check(self, viewer: Viewer) -> None:
        """Let members pass."""
        if viewer.kind is ViewerKind.NOBODY:
            raise UnauthenticatedError(
                "This needs a member's token: send Authorization: Bearer and the token."
            )
        if viewer.kind is not ViewerKind.MEMBER:
            raise ForbiddenError(None, "This is for members only.")


class NeedsScope(Permission):
    """Refuses viewers without a scope.

    Args:
        scope: What partners and staff need.
        member: "own" lets members ask without a scope. Every `MemberRef` among the arguments must
            then name themselves, and whatever a mutation names be theirs; in queries, nodes of
            others are hidden by `nodes.load`.
        withheld: What members may not give all the same, by its name in Python.
    """

    def __init__(
        self,
        scope: Scope,
        *,
        member: Literal["own"] | None = None,
        withheld: tuple[str, ...] = (),
    ) -> None:
        self.scope = scope
        self.member = member
        self.withheld = withheld
        self.directives = (NeedsScopeDirective(scope=scope.value),)
        self.sentence = f"Needs the scope `{scope.value}`."
        if member:
            self.directives = (*self.directives, OwnedByMemberDirective())
            self.sentence = f"Needs the scope `{scope.value}`, or to be the member's own."
        if withheld:
            names = ", ".join(map(to_camel_case, withheld))
            self.sentence = f"{self.sentence} Members cannot give {names}."

    def check(self, viewer: Viewer) -> None:
        """Let pass who has the scope, and members where they may ask for their own."""
        if viewer.kind is not ViewerKind.MEMBER:
            require_scope(viewer, self.scope)
        elif self.member is None:
            raise ForbiddenError(self.scope.value, "This is not for members.")

    def resolve(
        self, next_: Callable[..., Any], source: object, info: Info, **arguments: object
    ) -> object:
        """Resolve a field that needs no waiting; such a field names no member."""
        assert self.member is None or not arguments, "members' arguments are checked by waiting"
        return next_(source, info, **arguments)

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: object, info: Info, **arguments: object
    ) -> object:
        """Make sure that a member names nobody else, then await the field."""
        if info.context.viewer.kind is ViewerKind.MEMBER:
            given = list(_leaves(arguments))
            self._refuse_withheld(given)
            for name, value in given:
                if isinstance(value, MemberRef):
                    await check_own(info.context, value, field=to_camel_case(name))
                elif info.operation.operation is OperationType.MUTATION:
                    await _check_named(info.context, value, field=to_camel_case(name))
        return await next_(source, info, **arguments)

    def _refuse_withheld(self, given: Iterable[tuple[str, object]]) -> None:
        for name, value in given:
            if name in self.withheld and value is not None:
                told = f"Members cannot give {to_camel_case(name)}."
                raise ForbiddenError(self.scope.value, told)


class NeedsScopeToListen(NeedsScope):
    """The same for a stream, which finds its member itself (`check_own`): it is never awaited."""

    resolve = FieldExtension.resolve
    resolve_async = FieldExtension.resolve_async


async def check_own(context: Context, ref: MemberRef, *, field: str) -> None:
    """Do nothing when a member names himself, in whatever way.

    Raises:
        InvalidInputError: it is nothing of its kind.
        NotFoundError: it is somebody else, or nobody: they cannot be told apart.
    """
    wanted = ref.reference(field=field)
    found: object = wanted.value
    if wanted.kind is not ReferenceKind.ID:
        [found] = await members.resolve(context.program_id, [wanted])
    if str(found) != str(context.viewer.member_id):
        raise NotFoundError("member", wanted.value, field=field)


async def _check_named(context: Context, value: object, *, field: str) -> None:
    """Do nothing when an argument names something of the member who asks, or nothing at all.

    Raises:
        InvalidInputError: it is nothing of its kind.
        NotFoundError: it is somebody else's, or nobody's: they cannot be told apart.
    """
    own = context.viewer.member_id
    if isinstance(value, strawberry.Some):
        value = value.value
    if isinstance(value, OwnedRef):
        try:
            member_id, _ = await value.key(context, field=field)
        except NotFoundError:
            member_id = None
        if member_id != own:
            raise NotFoundError(field, "of yours that this names", field=field)
    elif isinstance(value, str) and (owned := owner_of(value)) and owned[1] != str(own):
        raise NotFoundError(owned[0], value, field=field)


def _leaves(arguments: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield what arguments hold, also inside inputs and lists, by the name it has there."""
    for name, value in arguments.items():
        if isinstance(value, list):
            for one in value:
                yield from _leaves({name: one})
        elif has_object_definition(value) and not isinstance(value, MemberRef | OwnedRef):
            yield from _leaves(vars(value))
        else:
            yield name, value


def refusal(permission: Permission, viewer: Viewer) -> LoyaltyError | None:
    """Return why a viewer may not ask, or None."""
    try:
        permission.check(viewer)
    except (UnauthenticatedError, ForbiddenError) as error:
        return error
    return None
