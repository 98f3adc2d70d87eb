"""What tests of other engines did not see, since they made lots of their own, seen by the API."""

from loyalty_graph.ledger.models import LotRow, TransferRow
from loyalty_graph.usecases import activations, expiry, proof, scheduled
from tests.api import Api
from tests.graphql.test_member_states import EVERYTHING_ON, Desk, ref, reverse_taking
from tests.shop import DAY

WALLET = """query ($r: MemberRef!) { member(ref: $r) { wallet {
    balance neverExpiring expirations { points expiresAt } } } }"""


async def left() -> list[int]:
    return [one.remaining_points for one in await LotRow.filter(remaining_points__gt=0)]


async def kinds_of_lots() -> set[str]:
    """Return the kinds of the entries that opened lots."""
    found = set()
    for lot in await LotRow.all():
        entry = await TransferRow.get(member_id=lot.member_id, sequence=lot.sequence)
        found.add(entry.kind)
    return found


def run_jobs(api: Api) -> None:
    """Do what a worker does."""

    async def run() -> None:
        await scheduled.runner(lambda: api.now, api.settings).run_due(api.now, 1000)

    api.run(run)


def test_points_that_came_by_any_door_of_the_api_are_shown_with_their_end_and_end(api: Api):
    """Elsewhere lots of another label never expired, and five files of tests were green."""
    api.shop = api.open_shop(EVERYTHING_ON)
    desk = Desk(api)
    ada, bea = desk.enrol(), desk.enrol()
    desk.buy(ada)
    desk.do("recordActivity", {"member": ref(ada), "kind": "REVIEW", "proof": "one"})
    desk.do("reverseEntry", reverse_taking(desk, ada))
    desk.do("claimPurchase", {"member": ref(ada), "code": desk.claim_code()})
    old = {"key": "a", **ref(ada), "lots": [{"points": 10, "expiresAt": "2026-06-30T12:00:00Z"}]}
    desk.do("importBalances", {"rows": [old]})
    desk.buy(bea)
    desk.do("transferPoints", {"member": ref(ada), "to": ref(bea), "points": 60})
    desk.do("releaseHold", {"holdId": desk.hold(bea)})
    desk.do("mergeMembers", {"from": ref(bea), "into": ref(ada), "reason": "one person"})
    late = api.shop.later(-200 * DAY)
    api.run(late.buy, ada)
    api.run(expiry.run, api.shop.program_id, now=api.now)
    desk.do("reinstateExpired", {"member": ref(ada), "withinDays": 30, "reason": "she was ill"})
    run_jobs(api)
    api.run(activations.run, api.shop.program_id, now=api.now + 15 * DAY)
    wallet = api.data(WALLET, {"r": ref(ada)})["member"]["wallet"]
    ends = [one["expiresAt"] for one in wallet["expirations"]]

    api.run(expiry.run, api.shop.program_id, now=api.now + 190 * DAY)

    assert sum(one["points"] for one in wallet["expirations"]) == wallet["balance"] > 0
    assert (wallet["neverExpiring"], ends) == (0, sorted(ends))
    assert api.run(kinds_of_lots) == {
        *("EARN", "EARN_PENDING", "ADJUST", "MIGRATE", "TRANSFER_IN", "MERGE_IN", "REINSTATE"),
    }
    assert api.run(left) == []
    audit = api.run(proof.verify, api.shop.program_id, now=api.now)
    assert audit.findings == []
