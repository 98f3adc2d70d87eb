"""What callers write: how they name members and purchases, and texts of bounded length."""

from abc import abstractmethod
from typing import Annotated, TypeAlias, TypeVar
from uuid import UUID

import strawberry

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.context import Context
from loyalty_graph.graphql.ids import decode_id
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.purchases import service as purchases
from loyalty_graph.usecases.undoing import PurchaseKey, ReceiptName

KEY = (
    "Yours, 1 to 255 characters; a retry with the same key counts once. "
    "The request's header Idempotency-Key may hold it instead."
)
REASON_CHARACTERS_MAX = 500
REASON = f"Why; at most {REASON_CHARACTERS_MAX} characters. The member can read it."
USED_WITH = (
    "The member's receipt it is used with, recorded already or not: what comes back of that "
    "purchase then brings this back too."
)
Given = TypeVar("Given")
Input: TypeAlias = Annotated[Given, strawberry.argument(name="input", description="What exactly.")]


@strawberry.input(one_of=True, description="What you know of a member; give exactly one.")
class MemberRef:
    """One of the ways to name a member."""

    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The member's id in this API."
    )
    number: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The twelve digits of the card; spaces and hyphens do not matter.",
    )
    email: str | None = strawberry.field(
        default=strawberry.UNSET, description="The e-mail address, in any spelling."
    )
    phone: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The phone number in international form, such as +4915112345678.",
    )
    external_id: str | None = strawberry.field(
        default=strawberry.UNSET, description="The member's id in your own system."
    )

    def reference(self, *, field: str) -> Reference:
        """Return the reference in its one spelling.

        Raises:
            InvalidInputError: it is nothing of its kind; names the part of `field`.
        """
        if isinstance(self.id, str):
            given_id = decode_id(self.id, expected="Member", field=f"{field}.id")
            return Reference(ReferenceKind.ID, str(given_id.uuid(field=f"{field}.id")))
        given = (
            ("number", ReferenceKind.NUMBER, self.number),
            ("email", ReferenceKind.EMAIL, self.email),
            ("phone", ReferenceKind.PHONE, self.phone),
            ("externalId", ReferenceKind.EXTERNAL_ID, self.external_id),
        )
        name, kind, text = next(one for one in given if isinstance(one[2], str))
        try:
            return members.reference(kind, str(text))
        except InvalidInputError as error:
            raise InvalidInputError(error.message, field=f"{field}.{name}") from error


class OwnedRef:
    """A way to name something that belongs to a member."""

    @abstractmethod
    async def key(self, context: Context, *, field: str) -> tuple[UUID, UUID]:
        """Return the member's id and the thing's.

        Raises:
            InvalidInputError: it is nothing of its kind; names the part of `field`.
            NotFoundError: this programme has no such thing.
        """


@strawberry.input(description="A receipt, as the system that wrote it names it.")
class ReceiptRef:
    """The source and its own id of a purchase."""

    source: str = strawberry.field(description="The system that wrote it, such as till or shop.")
    external_id: str = strawberry.field(description="The id that system gave it.")

    @property
    def names(self) -> tuple[str, str]:
        """Return (source, external id), without spaces around them."""
        return self.source.strip(), self.external_id.strip()


@strawberry.input(one_of=True, description="What you know of a purchase; give exactly one.")
class PurchaseRef(OwnedRef):
    """One of the ways to name a purchase."""

    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The purchase's id in this API."
    )
    receipt: ReceiptRef | None = strawberry.field(
        default=strawberry.UNSET, description="The receipt it was recorded from."
    )

    async def key(self, context: Context, *, field: str) -> tuple[UUID, UUID]:
        """Return the (member id, purchase id).

        Raises:
            InvalidInputError: it is no id of a purchase.
            NotFoundError: the receipt was never recorded.
        """
        named = self.named(field=field)
        if isinstance(named, ReceiptName):
            return await purchases.find(context.program_id, *named)
        return named

    def named(self, *, field: str) -> PurchaseKey | ReceiptName:
        """Return what is given, without looking it up.

        Raises:
            InvalidInputError: it is no id of a purchase.
        """
        if self.receipt:
            return ReceiptName(*self.receipt.names)
        given = decode_id(self.id or "", expected="Purchase", field=f"{field}.id")
        return PurchaseKey(*given.pair(field=f"{field}.id"))


def bounded(text: str | None, most: int, *, field: str) -> str | None:
    """Return a text without surrounding spaces, or None when it is empty.

    Raises:
        InvalidInputError: it is longer than `most` characters; names `field`.
    """
    value = (text or "").strip()
    if len(value) > most:
        raise InvalidInputError(f"At most {most} characters.", field=field)
    return value or None
