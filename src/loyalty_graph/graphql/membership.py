"""Joining, changing what is known of a member, what he allows, and leaving."""

from datetime import date
from typing import Any

import strawberry

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import Payload, RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef, bounded
from loyalty_graph.graphql.member_payload import MemberPayload
from loyalty_graph.graphql.members import Member, member_of
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope, ViewerKind
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import ConsentPurpose
from loyalty_graph.usecases import members as enrolling
from loyalty_graph.usecases import membership

LOCALE_CHARACTERS_MAX = 20
SOURCE_CHARACTERS_MAX = 40
REMOVES = "Left out: stays as it is; null: is removed."


@strawberry.input(description="A new member; give what you know, everything else may come later.")
class EnrolMemberInput:
    """The input of enrolMember."""

    idempotency_key: str | None = strawberry.field(
        default=None, description=f"{KEY} Without one, a retry may enrol somebody twice."
    )
    external_id: str | None = strawberry.field(
        default=None, description="The member's id in your own system; at most 100 characters."
    )
    email: str | None = strawberry.field(default=None, description="An e-mail address.")
    phone: str | None = strawberry.field(
        default=None, description="A phone number in international form, such as +4915112345678."
    )
    first_name: str | None = strawberry.field(default=None, description="The first name.")
    last_name: str | None = strawberry.field(default=None, description="The last name.")
    birthday: date | None = strawberry.field(default=None, description="The day of birth.")
    locale: str = strawberry.field(
        default="en", description="The language to use, such as en or de-AT."
    )
    consents: list[ConsentPurpose] = strawberry.field(
        default_factory=list, description="What the member allowed on joining."
    )
    source: str = strawberry.field(
        default="api", description="Where the consents were given, such as till or app."
    )

    def enrolment(self) -> enrolling.Enrolment:
        """Return the use case's input.

        Raises:
            InvalidInputError: a text is too long.
        """
        profile = members.Profile(
            external_id=self.external_id,
            email=self.email,
            phone=self.phone,
            first_name=self.first_name,
            last_name=self.last_name,
            birthday=self.birthday,
            locale=bounded(self.locale, LOCALE_CHARACTERS_MAX, field="locale") or "en",
        )
        source = bounded(self.source, SOURCE_CHARACTERS_MAX, field="source") or "api"
        return enrolling.Enrolment(profile, tuple(dict.fromkeys(self.consents)), source)


@strawberry.type(description="What enrolMember did.")
class EnrolMemberPayload(Payload):
    """The answer of enrolMember."""

    member: Member | None = strawberry.field(default=None, description="The new member.")
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )


async def _enrol(context: Context, given: EnrolMemberInput) -> EnrolMemberPayload:
    wanted = given.enrolment()
    key = context.idempotency_key_if_any(given.idempotency_key)
    if key is None:
        [row] = await enrolling.enrol(
            context.program_id, [wanted], now=context.now, by=context.caller
        )
        return EnrolMemberPayload(member=member_of(row))
    once = wanted.claim(context.caller, key)
    row, replayed = await enrolling.enrol_once(context.program_id, once, wanted, now=context.now)
    return EnrolMemberPayload(member=member_of(row), replayed=replayed)


@strawberry.input(
    description="What is to change of a member; what is left out stays, null removes it."
)
class UpdateMemberInput:
    """The input of updateMember."""

    member: MemberRef = strawberry.field(description="Who; by what is known before the change.")
    external_id: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description=f"The id in your own system; at most 100 characters. {REMOVES}",
    )
    email: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description=f"An e-mail address. {REMOVES}"
    )
    phone: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description=f"A phone number in international form. {REMOVES}"
    )
    first_name: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description=f"The first name. {REMOVES}"
    )
    last_name: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description=f"The last name. {REMOVES}"
    )
    birthday: strawberry.Maybe[date | None] = strawberry.field(
        default=None, description=f"The day of birth; members give it once. {REMOVES}"
    )
    locale: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The language to use, such as de-AT. Left out: stays; it cannot be removed.",
    )

    def changes(self) -> dict[str, Any]:
        """Return what was given, null included, under the names of a profile's fields.

        Raises:
            InvalidInputError: the language is to be removed.
        """
        if self.locale is not None and self.locale.value is None:
            raise InvalidInputError("A language can be changed, not removed.", field="locale")
        given = {
            "external_id": self.external_id,
            "email": self.email,
            "phone": self.phone,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "birthday": self.birthday,
            "locale": self.locale,
        }
        return {name: one.value for name, one in given.items() if one is not None}


@strawberry.type(description="What updateMember did.")
class UpdateMemberPayload(MemberPayload):
    """The answer of updateMember."""


@strawberry.input(description="One answer of a member.")
class ConsentInput:
    """A purpose and what was answered."""

    purpose: ConsentPurpose = strawberry.field(description="What was asked.")
    granted: bool = strawberry.field(description="Allowed or refused.")


@strawberry.input(description="What a member was asked, and answered.")
class SetConsentInput:
    """The input of setConsent."""

    member: MemberRef = strawberry.field(description="Who was asked.")
    consents: list[ConsentInput] = strawberry.field(
        description="At least one; each purpose once. Purposes left out keep their answer."
    )
    source: str = strawberry.field(
        default="api", description="Where, such as till or app; at most 40 characters."
    )

    def answers(self) -> dict[ConsentPurpose, bool]:
        """Return the answer to each purpose.

        Raises:
            InvalidInputError: none is given, or one purpose twice.
        """
        answers = {one.purpose: one.granted for one in self.consents}
        if not answers or len(answers) < len(self.consents):
            raise InvalidInputError(
                "Give at least one answer, and one for each purpose.", field="consents"
            )
        return answers


@strawberry.type(description="What setConsent did.")
class SetConsentPayload(MemberPayload):
    """The answer of setConsent."""


@strawberry.input(description="Whose membership ends.")
class CloseMemberInput:
    """The input of closeMember."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who leaves.")


@strawberry.type(description="What closeMember did.")
class CloseMemberPayload(MemberPayload):
    """The answer of closeMember."""

    forfeited: Points | None = strawberry.field(
        default=None, description="The points that were left and are gone."
    )
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )


@strawberry.type
class MembershipMutation:
    """Mutations of members."""

    @strawberry.mutation(
        description="Makes somebody a member, with a number and an empty wallet.",
        extensions=[NeedsScope(Scope.MEMBERS_WRITE), RefusalsAsData(EnrolMemberPayload)],
    )
    async def enrol_member(
        self, info: Info, given: Input[EnrolMemberInput]
    ) -> EnrolMemberPayload | None:
        return await _enrol(info.context, given)

    @strawberry.mutation(
        description=(
            "Changes what is known of a member. To free an address of somebody who left, remove it."
        ),
        extensions=[
            NeedsScope(Scope.MEMBERS_WRITE, member="own", withheld=("external_id",)),
            RefusalsAsData(UpdateMemberPayload),
        ],
    )
    async def update_member(
        self, info: Info, given: Input[UpdateMemberInput]
    ) -> UpdateMemberPayload | None:
        wanted = given.member.reference(field="member")
        changes, context = given.changes(), info.context
        by_member = context.viewer.kind is ViewerKind.MEMBER
        row = await membership.update(
            context.program_id,
            wanted,
            changes,
            now=context.now,
            by_member=by_member,
            by=context.caller,
        )
        return UpdateMemberPayload(key=row.id)

    @strawberry.mutation(
        description="Keeps what a member allowed or refused. Earlier answers are kept as a proof.",
        extensions=[
            NeedsScope(Scope.MEMBERS_WRITE, member="own"),
            RefusalsAsData(SetConsentPayload),
        ],
    )
    async def set_consent(
        self, info: Info, given: Input[SetConsentInput]
    ) -> SetConsentPayload | None:
        wanted, answers = given.member.reference(field="member"), given.answers()
        source = bounded(given.source, SOURCE_CHARACTERS_MAX, field="source") or "api"
        row = await membership.set_consents(
            info.context.program_id,
            wanted,
            answers,
            source=source,
            now=info.context.now,
            by=info.context.caller,
        )
        return SetConsentPayload(key=row.id)

    @strawberry.mutation(
        description=(
            "Ends a membership for good, and with it the subscription, codes that were not used "
            "and vouchers. Points that are left are forfeited; whoever left can neither earn nor "
            "spend. Doing it again changes nothing."
        ),
        extensions=[NeedsScope(Scope.MEMBERS_WRITE), RefusalsAsData(CloseMemberPayload)],
    )
    async def close_member(
        self, info: Info, given: Input[CloseMemberInput]
    ) -> CloseMemberPayload | None:
        context, wanted = info.context, given.member.reference(field="member")
        command = membership.CloseMember(
            context.caller, context.idempotency_key(given.idempotency_key), wanted
        )
        done = await membership.close(context.program_id, command, now=context.now)
        return CloseMemberPayload(
            key=done.member_id, forfeited=Points(done.forfeited_points), replayed=done.replayed
        )
