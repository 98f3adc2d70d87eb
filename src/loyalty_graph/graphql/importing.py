"""Balances of another system: bringing them along, and how far that has come."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import orjson
import strawberry

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.connections import First
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.error_codes import ErrorCode
from loyalty_graph.graphql.errors import Payload, RefusalsAsData, user_errors
from loyalty_graph.graphql.ids import decode_id, encode_id
from loyalty_graph.graphql.inputs import KEY, Input
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points, serialize_instant
from loyalty_graph.identity.rules import Scope
from loyalty_graph.ledger.errors import BalanceFileError
from loyalty_graph.ledger.migrating import Progress, imports, newest
from loyalty_graph.paging import page_size
from loyalty_graph.usecases import balances
from loyalty_graph.usecases.balance_checks import BalanceCheck
from loyalty_graph.usecases.balance_rows import LOTS_MAX, NEVER_WORD, BalanceFormat, RowFault

ROWS_MAX = 1000
FAULTS_SHOWN_MAX = 100
IMPORTS_SHOWN = 10


class BalanceImportState(StrEnum):
    """How far an import is."""

    RUNNING = "RUNNING"
    DONE = "DONE"


describe_enum(
    BalanceFormat,
    "How a file of balances is written.",
    {
        BalanceFormat.CSV: "Comma-separated values; the first line names the columns.",
        BalanceFormat.JSONL: "A JSON object in each line.",
    },
)
describe_enum(
    BalanceImportState,
    "How far an import is.",
    {
        BalanceImportState.RUNNING: "Some rows are still to be written.",
        BalanceImportState.DONE: "Every row is written, known or refused.",
    },
)


@strawberry.type(description="What is wrong with a row of an import.")
class BalanceRowError:
    """A fault of a row."""

    line: int = strawberry.field(
        description="The line of the content, or the place among the rows; both count from 1."
    )
    code: ErrorCode = strawberry.field(description="What kind of refusal it is.")
    field: str | None = strawberry.field(description="The column it is about, if it is about one.")
    message: str = strawberry.field(description="What is wrong and what would do, in a sentence.")


def _row_errors(faults: Iterable[RowFault]) -> list[BalanceRowError]:
    return [
        BalanceRowError(
            line=one.line, code=ErrorCode(one.code), field=one.field, message=one.message
        )
        for one in list(faults)[:FAULTS_SHOWN_MAX]
    ]


@strawberry.type(description="Balances of another system on their way into the ledger.")
class BalanceImport:
    """An import."""

    id: strawberry.ID = strawberry.field(description="Finds it again; see `balanceImport`.")
    source: str = strawberry.field(description="The system the balances come from.")
    state: BalanceImportState = strawberry.field(description="How far it is.")
    rows: int = strawberry.field(description="How many rows there are.")
    done: int = strawberry.field(description="How many of them are behind it.")
    imported: int = strawberry.field(description="How many of those were written.")
    known: int = strawberry.field(description="How many were in the ledger before.")
    refused: int = strawberry.field(
        description="How many were sound when it began, and could not be written any more."
    )
    new_members: int = strawberry.field(description="How many members joined with their rows.")
    points: Points = strawberry.field(description="The points that came along so far.")
    row_errors: list[BalanceRowError] = strawberry.field(
        description="Why rows were refused; the first 100."
    )
    begun_at: datetime = strawberry.field(description="When it was asked for.")
    ended_at: datetime | None = strawberry.field(description="When the last row was written.")


def import_of(one: Progress) -> BalanceImport:
    """Return an import as the API shows it."""
    is_over = one.ended_at is not None
    return BalanceImport(
        id=encode_id("BalanceImport", one.id),
        source=one.source,
        state=BalanceImportState.DONE if is_over else BalanceImportState.RUNNING,
        rows=one.rows,
        done=one.done,
        imported=one.imported,
        known=one.known,
        refused=one.refused,
        new_members=one.joined,
        points=Points(one.points),
        row_errors=_row_errors(RowFault(**fault) for fault in one.faults),
        begun_at=one.begun_at,
        ended_at=one.ended_at,
    )


@strawberry.type(description="What an import would do.")
class BalanceImportCheck:
    """The outcome of checking an import."""

    rows: int = strawberry.field(description="How many rows there are.")
    known: int = strawberry.field(description="How many of them are in the ledger already.")
    faulty: int = strawberry.field(description="How many cannot be used; see `rowErrors`.")
    new_members: int = strawberry.field(description="How many members would join.")
    points: Points = strawberry.field(description="The points that would come along.")

    @classmethod
    def of(cls, found: BalanceCheck) -> Self:
        """Return a check as the API shows it."""
        return cls(
            rows=found.rows,
            known=found.known,
            faulty=found.faulty,
            new_members=found.joining,
            points=Points(found.points),
        )


@strawberry.input(description="Points that expire together.")
class BalanceLotInput:
    """A lot that comes along."""

    points: Points = strawberry.field(description="How many, from 0.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="When they expire; if not given, like points earned now."
    )
    never_expires: bool = strawberry.field(default=False, description="They never do.")

    def said(self, place: str) -> dict[str, Any]:
        """Return the lot as a file says it.

        Raises:
            InvalidInputError: it expires and never expires.
        """
        if self.never_expires and self.expires_at is not None:
            raise InvalidInputError("Give expiresAt or neverExpires, not both.", field=place)
        at = None if self.expires_at is None else serialize_instant(self.expires_at)
        return {
            "points": str(self.points),
            "expires_at": NEVER_WORD if self.never_expires else at,
        }


@strawberry.input(
    description=(
        "What a member brings along. All that names the member must lead to one member, or, but "
        "for id and number, to nobody yet: then he joins."
    )
)
class BalanceRowInput:
    """A row of an import."""

    key: str | None = strawberry.field(
        default=None,
        description=(
            "The row's own name in its source, 1 to 100 characters: with it the row counts once, "
            "for good. Its place, if not given."
        ),
    )
    id: strawberry.ID | None = strawberry.field(
        default=None, description="The member's id in this API."
    )
    number: str | None = strawberry.field(default=None, description="The number of the card.")
    external_id: str | None = strawberry.field(
        default=None, description="The member's id in your own system."
    )
    email: str | None = strawberry.field(default=None, description="The e-mail address.")
    phone: str | None = strawberry.field(
        default=None, description="The phone number in international form."
    )
    first_name: str | None = strawberry.field(default=None, description="Of a new member.")
    last_name: str | None = strawberry.field(default=None, description="Of a new member.")
    birthday: date | None = strawberry.field(default=None, description="Of a new member.")
    locale: str | None = strawberry.field(
        default=None, description="Of a new member, such as de-DE; en, if not given."
    )
    lots: list[BalanceLotInput] = strawberry.field(
        default_factory=list, description=f"The points, by when they expire; at most {LOTS_MAX}."
    )
    qualifying: Points | None = strawberry.field(
        default=None, description="What counts for a tier from now on; 0, if not given."
    )
    tier: str | None = strawberry.field(
        default=None, description="The code of a tier that is given by hand, as overrideTier does."
    )
    tier_ends_at: datetime | None = strawberry.field(default=None, description="Until when.")
    text: str | None = strawberry.field(
        default=None, description="Stands on the entry; at most 500 characters."
    )

    def said(self, place: int) -> dict[str, Any]:
        """Return the row as a file says it.

        Raises:
            InvalidInputError: the id is none, or a lot expires and never expires.
        """
        where = f"rows[{place}]"
        plain = ("key", "number", "external_id", "email", "phone", "locale", "tier", "text")
        said: dict[str, Any] = {name: getattr(self, name) for name in plain}
        said |= {"first_name": self.first_name, "last_name": self.last_name}
        if self.id is not None:
            given = decode_id(self.id, expected="Member", field=f"{where}.id")
            said["id"] = str(given.uuid(field=f"{where}.id"))
        said["birthday"] = None if self.birthday is None else self.birthday.isoformat()
        said["qualifying"] = None if self.qualifying is None else str(self.qualifying)
        until = self.tier_ends_at
        said["tier_until"] = None if until is None else serialize_instant(until)
        lots = [one.said(f"{where}.lots[{n}]") for n, one in enumerate(self.lots)]
        return {**said, "lots": lots}


@strawberry.input(description="Balances of another system.")
class ImportBalancesInput:
    """The input of importBalances."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    source: str = strawberry.field(
        default=balances.SOURCE_DEFAULT,
        description=(
            "The system they come from: small letters, digits and hyphens. A row counts once by "
            "its source and key."
        ),
    )
    format: BalanceFormat | None = strawberry.field(
        default=None, description="How the content is written."
    )
    content: str | None = strawberry.field(
        default=None, description="A file as docs/importing.md describes it; or give rows."
    )
    rows: list[BalanceRowInput] | None = strawberry.field(
        default=None, description=f"Instead of a content: 1 to {ROWS_MAX} rows."
    )
    dry_run: bool = strawberry.field(
        default=False, description="Only check: nothing is stored, and no key is used up."
    )

    def text(self) -> tuple[BalanceFormat, str]:
        """Return how the balances are written, and their text.

        Raises:
            InvalidInputError: there are two or none, too many rows, or a row names no such id.
        """
        if (self.content is None) == (self.rows is None):
            raise InvalidInputError("Give content or rows.", field="content")
        if self.content is not None:
            if self.format is None:
                raise InvalidInputError("Say how the content is written.", field="format")
            return self.format, self.content
        assert self.rows is not None, "one of the two is given"
        if not 0 < len(self.rows) <= ROWS_MAX:
            raise InvalidInputError(f"Give 1 to {ROWS_MAX} rows.", field="rows")
        said: Sequence[Mapping[str, Any]] = [one.said(n) for n, one in enumerate(self.rows)]
        return BalanceFormat.JSONL, "\n".join(orjson.dumps(one).decode() for one in said)

    async def begin(self, context: Context) -> "ImportBalancesPayload":
        """Begin the import, or only check it.

        Raises:
            InvalidInputError: the input cannot be used.
            IdempotencyMismatchError: the key was used with other input.
        """
        form, content = self.text()
        if self.dry_run:
            file = balances.file_of(content, source=self.source, form=form)
            found = await balances.try_file(context.program_id, file, now=context.now)
            return ImportBalancesPayload(
                check=BalanceImportCheck.of(found), row_errors=_row_errors(found.faults)
            )
        key = context.idempotency_key(self.idempotency_key)
        command = balances.ImportBalances(context.caller, key, self.source, form, content)
        try:
            begun, replayed = await balances.begin(context.program_id, command, now=context.now)
        except BalanceFileError as error:
            return ImportBalancesPayload(
                user_errors=user_errors(error), row_errors=_row_errors(error.faults)
            )
        return ImportBalancesPayload(balance_import=import_of(begun), replayed=replayed)


@strawberry.type(description="What importBalances did.")
class ImportBalancesPayload(Payload):
    """The answer of importBalances."""

    balance_import: BalanceImport | None = strawberry.field(
        default=None,
        description="The import, which a worker carries out; null when nothing was begun.",
    )
    check: BalanceImportCheck | None = strawberry.field(
        default=None, description="With `dryRun`: what an import would do."
    )
    row_errors: list[BalanceRowError] = strawberry.field(
        default_factory=list, description="What is wrong with which rows; the first 100."
    )
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )


@strawberry.type
class ImportQuery:
    """Queries about imports."""

    @strawberry.field(
        description="How far an import of balances is; null when there is no such import.",
        extensions=[NeedsScope(Scope.ADMIN)],
    )
    async def balance_import(
        self,
        info: Info,
        import_id: Annotated[
            strawberry.ID, strawberry.argument(name="id", description="As importBalances told it.")
        ],
    ) -> BalanceImport | None:
        wanted = decode_id(import_id, expected="BalanceImport").uuid()
        found = await imports(info.context.program_id, [wanted])
        return import_of(found[wanted]) if wanted in found else None

    @strawberry.field(
        description="The imports of balances, the newest first.",
        extensions=[NeedsScope(Scope.ADMIN)],
    )
    async def balance_imports(
        self, info: Info, first: First = IMPORTS_SHOWN
    ) -> list[BalanceImport]:
        found = await newest(info.context.program_id, limit=page_size(first))
        return [import_of(one) for one in found]


@strawberry.type
class ImportMutation:
    """Mutations that bring things along from other systems."""

    @strawberry.mutation(
        description=(
            "Brings balances along from another system, with their lots and dates. The whole "
            "content is checked first; when a row is wrong, nothing of it is imported. A worker "
            "writes it then: ask for `balanceImport`."
        ),
        extensions=[NeedsScope(Scope.ADMIN), RefusalsAsData(ImportBalancesPayload)],
    )
    async def import_balances(
        self, info: Info, given: Input[ImportBalancesInput]
    ) -> ImportBalancesPayload | None:
        return await given.begin(info.context)
