"""The audit log in the API."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import orjson
import strawberry

from loyalty_graph.graphql.actors import Actor, actor
from loyalty_graph.graphql.connections import After, Connection, First, connection
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.inputs import MemberRef
from loyalty_graph.graphql.nodes import load
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity import audit
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import service as members
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, Cursor, page_of, page_size

if TYPE_CHECKING:
    from loyalty_graph.graphql.members import Member

ENTRIES = Cursor("auditLog", (UUID,))


@strawberry.type(description="Something that the staff, a partner or an operator changed.")
class AuditEntry:
    """An entry of the audit log."""

    member_id: strawberry.Private[UUID | None]
    caller: strawberry.Private[str]
    kind: str = strawberry.field(description="What was done, such as member.updated.")
    at: datetime = strawberry.field(description="When.")
    about: str = strawberry.field(description="What it was done to, if that is no member.")
    before: str | None = strawberry.field(
        description="What was before, as a JSON object; null if nothing, or after erasing."
    )
    after: str | None = strawberry.field(description="What is after, in the same way.")
    reason: str = strawberry.field(description="Why, as far as somebody said.")

    @strawberry.field(description="Who did it.")
    async def actor(self, info: Info) -> Actor:
        return await actor(info, self.caller)

    @strawberry.field(
        description="The member it was done to, as of now.",
        extensions=[NeedsScope(Scope.MEMBERS_READ)],
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        if self.member_id is None:
            return None
        found: Member | None = await load(info, "Member", self.member_id)
        return found


def _entry(row: audit.Entry) -> AuditEntry:
    return AuditEntry(
        member_id=row.member_id,
        caller=row.actor,
        kind=row.kind,
        at=row.at,
        about=row.about,
        before=_json(row.before),
        after=_json(row.after),
        reason=row.reason,
    )


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


async def _page(
    program_id: UUID, wanted: audit.Wanted, size: int, after: str | None
) -> Connection[AuditEntry]:
    [before] = [None] if after is None else ENTRIES.decode(after)
    assert before is None or isinstance(before, UUID), "the list is sorted by ids"
    rows = await audit.page(program_id, wanted, limit=size + 1, before=before)
    return connection(
        page_of(rows, size=size, after=after),
        cursor=ENTRIES,
        key=lambda row: (row.id,),
        node=_entry,
        count=lambda: audit.count(program_id, wanted),
    )


@strawberry.type
class AuditQuery:
    """Queries about the audit log."""

    @strawberry.field(
        description="Who changed what and why, the newest first; entries are never changed.",
        extensions=[NeedsScope(Scope.AUDIT_READ)],
    )
    async def audit_log(  # noqa: PLR0913, PLR0917 - each is an argument of the field
        self,
        info: Info,
        first: First = PAGE_SIZE_DEFAULT,
        after: After = None,
        actor: Annotated[
            str | None,
            strawberry.argument(description="Only by this one: cli, staff:<id> or partner:<id>."),
        ] = None,
        target: Annotated[
            MemberRef | None, strawberry.argument(description="Only what concerns this member.")
        ] = None,
        about: Annotated[
            str | None,
            strawberry.argument(
                description="Only what concerns this, such as token:<id>, or token for all of them."
            ),
        ] = None,
        since: Annotated[
            datetime | None, strawberry.argument(description="Only from this moment on.")
        ] = None,
    ) -> Connection[AuditEntry] | None:
        program_id, size = info.context.program_id, page_size(first)
        member_id = None if target is None else await _member_of(program_id, target)
        actors = None if actor is None else [actor]
        wanted = audit.Wanted(actors, member_id, about, since)
        return await _page(program_id, wanted, size, after)


async def _member_of(program_id: UUID, target: MemberRef) -> UUID:
    return (await members.find(program_id, target.reference(field="target"))).id
