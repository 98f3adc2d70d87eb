"""Who asks: an API token or a member's token becomes a viewer, and stays one while it is good."""

from datetime import datetime
from uuid import UUID

from loyalty_graph.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.member_tokens import MemberClaims, MemberTokens
from loyalty_graph.identity.rules import Viewer, ViewerKind
from loyalty_graph.identity.service import LookUpToken
from loyalty_graph.members import service as members
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus, ReferenceKind
from loyalty_graph.programs import service as programs

JWT_DOTS = 2
SUBJECTS = {"id": ReferenceKind.ID, "external_id": ReferenceKind.EXTERNAL_ID}
WELCOME = {MemberStatus.PROSPECT, MemberStatus.ACTIVE, MemberStatus.SUSPENDED}
"""Who may look at what is theirs; what a suspended member may do, the use cases say."""


class Login:
    """Finds who asks. Nothing it finds outlives the request, so a revocation works at once.

    Args:
        member_tokens: Reads members' tokens.
        look_up: Finds an API token by its hash, perhaps together with those of other requests.
    """

    def __init__(
        self, member_tokens: MemberTokens, *, look_up: LookUpToken = identity.known_token
    ) -> None:
        self._member_tokens = member_tokens
        self._look_up = look_up

    async def viewer_for(self, text: str, now: datetime) -> Viewer:
        """Return who sent a token.

        Args:
            text: An API token or a JWT, as the caller sent it.
            now: The moment of the request.

        Raises:
            UnauthenticatedError: the token is not good, or its member is gone.
        """
        if text.count(".") != JWT_DOTS:
            return await identity.viewer_for(text, now, look_up=self._look_up)
        claims = await self._member_tokens.claims(text, now=now)
        member = await _member(claims)
        return Viewer(
            ViewerKind.MEMBER,
            program_id=member.program_id,
            member_id=member.id,
            expires_at=claims.expires_at,
        )


async def refuse_ended(viewer: Viewer, *, now: datetime) -> None:
    """Do nothing while a viewer may go on asking; streams ask this again and again.

    Raises:
        UnauthenticatedError: what the viewer sent has expired or was revoked, or the member left.
    """
    if viewer.expires_at is not None and viewer.expires_at <= now:
        raise UnauthenticatedError("This token has expired.")
    if viewer.token_id is not None:
        await identity.refuse_revoked(viewer.token_id, now=now)
    elif viewer.member_id is not None:
        _refuse_gone(await Member.get_or_none(program_id=viewer.program_id, id=viewer.member_id))


async def _member(claims: MemberClaims) -> Member:
    try:
        program_id = await _program(claims.program)
        wanted = members.reference(SUBJECTS[claims.subject_kind], claims.subject)
        member = await members.find(program_id, wanted)
    except (InvalidInputError, NotFoundError) as error:
        raise UnauthenticatedError("This token names nobody who is a member here.") from error
    return _refuse_gone(member)


async def _program(slug: str | None) -> UUID:
    return await (programs.only_program() if slug is None else programs.find(slug))


def _refuse_gone(member: Member | None) -> Member:
    if member is None or member.status not in WELCOME:
        raise UnauthenticatedError("This member has left the programme.")
    return member
