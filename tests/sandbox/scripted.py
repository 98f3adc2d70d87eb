"""A shop and a chance that a test decides, for what the demo's members do."""

from datetime import date

from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Line
from loyalty_graph.sandbox.baskets import Basket
from loyalty_graph.sandbox.baskets import Line as BasketLine
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.redeeming import Visit
from tests.shop import Shop

HOUSEHOLD = 0
STORE = 7


class Decided(Chance):
    """Falls where a test says so: a purpose's number is 1 unless another one is given."""

    numbers: dict[str, int]

    def __init__(self, **numbers: int) -> None:
        super().__init__(seed=0)
        object.__setattr__(self, "numbers", numbers)

    def number(self, purpose: str, *about: object) -> int:
        del about
        return self.numbers.get(purpose, 1)


async def visited(
    shop: Shop, *, member: Member | None = None, cents: int = 10_000, row: int = 0
) -> Visit:
    """Let a household buy mugs for so much, of 5 points to the euro; return its visit."""
    member = member or await shop.enrol()
    bought = await shop.buy(member, (Line("MUG", 1, cents),))
    line = BasketLine("MUG", cents, 1, 0, 0)
    basket = Basket(HOUSEHOLD, date(2026, 3, 2), 600, STORE, row, (line,))
    return Visit(member.id, basket, bought.balance_points)
