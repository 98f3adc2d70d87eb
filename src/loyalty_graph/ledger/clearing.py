"""Proving CLEARING: it holds what members have given each other and nobody has yet, no more."""

from dataclasses import dataclass
from uuid import UUID

from loyalty_graph.db.statements import read

# The reference of every part of a move begins with the id of the move, a UUID of 36 characters.
_WRONG = """
select coalesce(max(giver), max(other)), origin,
  sum(held)::text, sum(under_way)::text, sum(sent)::text, sum(known)::text
from (
  select member_id::text as giver, null as other, id::text as origin, 0 as held,
    case when state = 'SENT' then points else 0 end as under_way, 0 as sent, points as known
  from points_transfer where program_id = $1
  union all
  select case when kind = 'TRANSFER_OUT' then member_id::text end, member_id::text,
    substr(reference, 1, 36), case when credit = 'CLEARING' then points else -points end, 0,
    case when kind = 'TRANSFER_OUT' then points else 0 end, 0
  from transfer where program_id = $1 and (debit = 'CLEARING' or credit = 'CLEARING')
) moved
group by origin
having sum(held) <> sum(under_way) or sum(sent) <> sum(known)
order by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Stray:
    """What a member gave another one, or brought to who lives on, and is not where it must be.

    So many points of it are `held` in CLEARING and so many should be, since they are under way; so
    many were `sent` by the member's entries, and so many are `known` of the transfer.
    """

    member_id: UUID
    move: str
    held: int
    under_way: int
    sent: int
    known: int

    @property
    def problem(self) -> str:
        """Return what is wrong with it."""
        if self.sent != self.known:
            return f"of transfer {self.move} {self.known} points are known, {self.sent} were sent"
        clearing = f"of transfer {self.move} CLEARING holds {self.held} points"
        return f"{clearing}, {self.under_way} are under way"


async def strays(program_id: UUID) -> list[Stray]:
    """Return what CLEARING holds and should not, or should hold and does not.

    What a crash left half-way is under way, which is in order. One statement reads all, so that
    transfers meanwhile do not matter.
    """
    return [
        Stray(UUID(member), move, *map(int, numbers))
        for member, move, *numbers in await read(_WRONG, program_id)
    ]
