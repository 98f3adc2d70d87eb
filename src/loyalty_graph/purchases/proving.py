"""Proving refunds: of a purchase no more is due back than it had earned."""

from dataclasses import dataclass
from uuid import UUID

from loyalty_graph.db.statements import read

_WRONG = """
select p.member_id::text, p.id::text, p.points, sum(r.due_points)::text
from purchase p join refund r
  on r.program_id = p.program_id and r.member_id = p.member_id and r.purchase_id = p.id
where p.program_id = $1
group by p.member_id, p.id, p.points
having sum(r.due_points) > p.points
order by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Overdrawn:
    """A purchase whose refunds do not fit it."""

    member_id: UUID
    purchase_id: UUID
    points: int
    due: int

    @property
    def problem(self) -> str:
        """Return what is wrong with it."""
        of_it = f"of purchase {self.purchase_id} {self.due} points were due back"
        return f"{of_it}, it earned {self.points}"


async def overdrawn(program_id: UUID) -> list[Overdrawn]:
    """Return the purchases of which more points were due back than they earned.

    That these were taken or forgiven is a constraint of the table.
    """
    return [
        Overdrawn(UUID(member), UUID(purchase), int(points), int(due))
        for member, purchase, points, due in await read(_WRONG, program_id)
    ]
