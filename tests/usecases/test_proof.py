import pytest

from loyalty_graph.db import connection, transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identity import audit
from loyalty_graph.ledger import pending, rules, service
from loyalty_graph.ledger.audit import Audit, latest
from loyalty_graph.ledger.models import AccountRow, AuditRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.ledger.terms import PLAIN
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import proof, proof_processes
from tests.conftest import BACKEND
from tests.shop import DAY, NOON, Shop

BOOKS = (AccountRow, TransferRow, LotRow, LotUseRow)


async def sabotage(statement: str) -> None:
    """Drop the triggers, as somebody with the database's own shell would, and run a statement."""
    for table in ("transfer", "lot_use"):
        if BACKEND == "sqlite":
            await connection().execute_script(f'DROP TRIGGER "{table}_refuses_update"')
            await connection().execute_script(f'DROP TRIGGER "{table}_refuses_delete"')
        else:
            await connection().execute_script(f'DROP TRIGGER "{table}_refuses_change" ON "{table}"')
    await connection().execute_script(statement)


async def rows() -> list[list[str]]:
    return [sorted(map(str, await table.all().values_list())) for table in BOOKS]


async def verify(shop: Shop, member: Member | None = None) -> Audit:
    member_id = None if member is None else member.id
    return await proof.verify(shop.program_id, now=shop.now, scope=proof.Scope(member_id))


async def problems(shop: Shop, member: Member) -> list[tuple[int | None, str]]:
    """Audit everything; all findings must be about the member."""
    audit = await verify(shop)
    assert {one.member_id for one in audit.findings} <= {member.id}
    return [(one.sequence, one.problem) for one in audit.findings]


@pytest.fixture
async def busy(shop: Shop, ada: Member) -> Member:
    """A member with 1 EARN 108, 2 EARN 50, 3 REDEEM 60, 4 EARN 30; and bob, who is in order."""
    await shop.buy(ada)
    await shop.buy(ada, (Line("TEA", 1, 5000),))
    await shop.redeem(ada, 60, text="an umbrella")
    await shop.buy(ada, (Line("TEA", 1, 3000),))
    bob = await shop.enrol(external_id="bob")
    await shop.buy(bob)
    return ada


async def test_a_sound_ledger_has_no_findings_and_the_audit_is_kept(shop: Shop, busy: Member):
    audit = await verify(shop)

    assert (audit.accounts, audit.transfers, audit.findings) == (2, 5, [])
    kept = await latest(shop.program_id)
    assert kept is not None
    assert (kept.accounts, kept.transfers, kept.differences, kept.findings) == (2, 5, 0, [])
    assert kept.at == shop.now


async def test_points_that_went_a_way_they_may_not_go_are_found(shop: Shop, busy: Member):
    await sabotage("UPDATE transfer SET debit = 'FEES' WHERE sequence = 4")

    found = await problems(shop, busy)

    assert (4, "EARN moves nothing from FEES to MEMBER") in found


async def test_the_newest_audit_counts(shop: Shop, busy: Member):
    await verify(shop)
    await sabotage("UPDATE account SET balance_points = balance_points + 1 WHERE sequence = 4")
    await proof.verify(shop.program_id, now=shop.now.replace(hour=13))

    kept = await latest(shop.program_id)

    assert kept is not None
    assert kept.differences == 1
    assert [one["member"] for one in kept.findings] == [str(busy.id)]


async def held_and_captured(shop: Shop, ada: Member, *, capture: bool) -> None:
    """Post 1 EARN 108, 2 HOLD 40 and perhaps 3 CAPTURE 40."""

    @transaction
    async def post() -> None:
        found = await service.load_accounts(shop.program_id, [ada.id], whole=[ada.id], terms=PLAIN)
        why = rules.Cause("reward:1", shop.now, shop.now, "till", {})
        rules.hold(found[ada.id], 40, why)
        if capture:
            rules.capture(found[ada.id], 40, why)
        await store(shop.program_id, service.writes(found.values()))

    await shop.buy(ada)
    await post()


async def test_points_that_are_set_aside_are_in_order(shop: Shop, ada: Member):
    await held_and_captured(shop, ada, capture=False)

    assert await problems(shop, ada) == []
    assert await proof.rebuild(shop.program_id, now=NOON) == 0


async def test_points_said_to_be_set_aside_are_worked_out_and_mended(shop: Shop, ada: Member):
    await held_and_captured(shop, ada, capture=False)
    await sabotage("UPDATE account SET held_points = 41")

    found = await problems(shop, ada)
    mended = await proof.rebuild(shop.program_id, now=NOON)

    assert found == [(None, "the account's held is 41, the transfers' 40")]
    assert (mended, await problems(shop, ada)) == (1, [])


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("reference = 'reward:2'", "it ends a hold that is not open, or more than the whole of it"),
        ("points = 41", "it ends a hold that is not open, or more than the whole of it"),
        ("points = 39", "it ends a hold in part, and the rest of it stays set aside"),
    ],
)
async def test_an_end_without_its_hold_is_found(
    shop: Shop, ada: Member, statement: str, problem: str
):
    await held_and_captured(shop, ada, capture=True)
    await sabotage(f"UPDATE transfer SET {statement} WHERE sequence = 3")  # noqa: S608 - our own

    found = await problems(shop, ada)

    assert (3, problem) in found


async def waiting(shop: Shop, ada: Member) -> None:
    """Post 1 EARN_PENDING 40 and 2 EARN_PENDING 30, then 3 ACTIVATE of the first."""

    @transaction
    async def post() -> None:
        found = await service.load_accounts(shop.program_id, [ada.id], whole=[ada.id], terms=PLAIN)
        for points, days in ((40, 7), (30, 14)):
            pending.earn_pending(
                found[ada.id],
                points,
                rules.Cause(f"receipt/{days}", shop.now, shop.now, "till", {}),
                activates_at=shop.now + days * DAY,
                expires_at=shop.now + 90 * DAY,
            )
        pending.activate_due(found[ada.id], now=shop.now + 7 * DAY)
        await store(shop.program_id, service.writes(found.values()))

    await post()


async def test_points_that_wait_are_in_order(shop: Shop, ada: Member):
    await waiting(shop, ada)

    assert await problems(shop, ada) == []
    assert await proof.rebuild(shop.program_id, now=NOON) == 0


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE account SET pending_points = 31",
            [(None, "the account's pending is 31, the transfers' 30")],
        ),
        (
            "UPDATE lot SET is_pending = TRUE WHERE sequence = 1",
            [(1, "the lot says it is pending, which the transfers deny")],
        ),
        (
            "UPDATE lot SET is_pending = FALSE WHERE sequence = 2",
            [(2, "the lot says it is not pending, which the transfers deny")],
        ),
    ],
)
async def test_what_is_said_to_wait_is_worked_out_and_mended(
    shop: Shop, ada: Member, statement: str, found: list[tuple[int | None, str]]
):
    await waiting(shop, ada)
    await sabotage(statement)

    told = await problems(shop, ada)
    mended = await proof.rebuild(shop.program_id, now=NOON)

    assert told == found
    assert (mended, await problems(shop, ada)) == (1, [])


async def test_an_earlier_end_of_waiting_is_found(shop: Shop, ada: Member):
    await waiting(shop, ada)
    await sabotage("UPDATE lot SET activates_at = expires_at WHERE sequence = 2")

    assert await problems(shop, ada) == [(2, CHANGED)]


async def test_points_that_were_activated_by_nothing_are_found(shop: Shop, ada: Member):
    await waiting(shop, ada)
    await sabotage("UPDATE transfer SET reference = 'lot:2' WHERE sequence = 3")

    found = await problems(shop, ada)

    assert (None, "lots hold 30 points, transfers add up to 40") in found
    assert (None, "lots hold 40 pending points, transfers add up to 30") in found


async def test_no_audit_yet(shop: Shop):
    assert await latest(shop.program_id) is None


async def test_the_audit_of_one_member_is_not_kept(shop: Shop, busy: Member):
    audit = await verify(shop, busy)

    assert (audit.accounts, audit.transfers) == (1, 4)
    assert await AuditRow.all().count() == 0


async def test_since_a_moment_only_who_has_entries_since_is_audited(shop: Shop, busy: Member):
    await sabotage("UPDATE account SET lifetime_points = 1 WHERE sequence = 4")
    later = shop.later(DAY)
    carl = await later.enrol(external_id="carl")
    await later.buy(carl)

    audit = await proof.verify(
        shop.program_id, now=later.now, scope=proof.Scope(since=shop.now + DAY / 2)
    )
    everything = await proof.verify(
        shop.program_id, now=later.now, scope=proof.Scope(since=shop.now)
    )

    assert (audit.accounts, audit.transfers, audit.findings) == (1, 1, [])
    assert (everything.accounts, everything.transfers) == (3, 6)
    assert [one.member_id for one in everything.findings] == [busy.id]
    assert await AuditRow.all().count() == 0


async def test_a_fast_audit_takes_texts_on_trust_and_nothing_else(shop: Shop, busy: Member):
    await sabotage(
        "UPDATE transfer SET text = 'a hat' WHERE sequence = 3;"
        "UPDATE transfer SET rule_version = 9 WHERE sequence = 4"
    )

    fast = await proof.verify(shop.program_id, now=shop.now, scope=proof.Scope(fast=True))

    assert [(one.sequence, one.problem) for one in fast.findings] == [(4, CHANGED)]
    assert (3, DETAILS) in await problems(shop, busy)
    assert await AuditRow.all().count() == 1


async def test_several_processes_find_what_one_does(
    shop: Shop, busy: Member, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(proof, "MEMBERS_AT_ONCE", 1)
    monkeypatch.setattr(proof_processes, "MEMBERS_AT_ONCE", 2)
    monkeypatch.setattr(proof_processes, "AHEAD", 1)
    for name in ("carl", "dora", "emil"):
        await shop.buy(await shop.enrol(external_id=name))
    await sabotage(
        "UPDATE account SET lifetime_points = 1; UPDATE transfer SET rule_version = 9"
        " WHERE sequence = 4"
    )
    told: list[int] = []

    alone = await verify(shop)
    shared = await proof.verify(
        shop.program_id,
        now=shop.now,
        progress=told.append,
        helpers=proof_processes.Processes(database_url, 2),
    )

    assert shared == alone
    assert (shared.accounts, shared.transfers, len(shared.findings)) == (5, 8, 6)
    assert told[-1] == 5
    assert await AuditRow.all().count() == 2


async def test_progress_counts_accounts(shop: Shop, busy: Member, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(proof, "MEMBERS_AT_ONCE", 1)
    told: list[int] = []
    rebuilt: list[int] = []

    await proof.verify(shop.program_id, now=shop.now, progress=told.append)
    await proof.rebuild(shop.program_id, now=NOON, progress=rebuilt.append)

    assert told == rebuilt == [1, 2]


CHANGED = "the transfer was changed, or the one before it"
SWAPPED = """
UPDATE transfer SET sequence = 9 WHERE sequence = 3;
UPDATE transfer SET sequence = 3 WHERE sequence = 4;
UPDATE transfer SET sequence = 4 WHERE sequence = 9
"""
DETAILS = "text, actor or explanation was changed"


@pytest.mark.parametrize(
    ("case", "statement", "found"),
    [
        (
            "an amount",
            "UPDATE transfer SET points = 61 WHERE sequence = 3",
            [
                (3, CHANGED),
                (3, "the balance after it is 98, not 97"),
                (None, "lots hold 128 points, transfers add up to 127"),
                (None, "the account's balance is 128, the transfers' 127"),
            ],
        ),
        (
            "a balance after",
            "UPDATE transfer SET balance_after = 99 WHERE sequence = 3",
            [(3, "the balance after it is 99, not 98")],
        ),
        ("a text", "UPDATE transfer SET text = 'a hat' WHERE sequence = 3", [(3, DETAILS)]),
        ("an actor", "UPDATE transfer SET actor = 'eve' WHERE sequence = 3", [(3, DETAILS)]),
        (
            "an explanation",
            'UPDATE transfer SET explanation = \'{"by": "eve"}\' WHERE sequence = 3',
            [(3, DETAILS)],
        ),
        (
            "a text under the cloak of an erasure",
            "UPDATE transfer SET explanation = NULL, text = 'a hat' WHERE sequence = 3",
            [(3, DETAILS)],
        ),
        (
            "a kind",
            "UPDATE transfer SET kind = 'ADJUST' WHERE sequence = 3",
            [(3, CHANGED), (3, "ADJUST moves nothing from MEMBER to REDEEMED")],
        ),
        (
            "a hash",
            "UPDATE transfer SET hash = details_hash WHERE sequence = 3",
            [(3, CHANGED), (4, CHANGED)],
        ),
        (
            "a lot's points left",
            "UPDATE lot SET remaining_points = 50 WHERE remaining_points = 48",
            [(1, "the lot says 50 points left, its uses 48")],
        ),
        (
            "a lot's points",
            "UPDATE lot SET points = 31 WHERE sequence = 4",
            [
                (4, CHANGED),
                (4, "the lot says 30 points left, its uses 31"),
                (None, "lots hold 129 points, transfers add up to 128"),
            ],
        ),
        (
            "a lot that is gone",
            "DELETE FROM lot WHERE remaining_points = 48",
            [(1, CHANGED), (None, "lots hold 80 points, transfers add up to 128")],
        ),
        (
            "a lot's date",
            "UPDATE lot SET expires_at = '2036-01-01 00:00:00+00:00' WHERE sequence = 4",
            [(4, CHANGED)],
        ),
        (
            "a lot use",
            "UPDATE lot_use SET points = 59 WHERE sequence = 3",
            [
                (3, CHANGED),
                (1, "the lot says 48 points left, its uses 49"),
                (None, "lots hold 129 points, transfers add up to 128"),
            ],
        ),
        (
            "a lot use too many",
            "UPDATE lot_use SET points = 109 WHERE sequence = 3",
            [
                (3, CHANGED),
                (1, "the lot says 48 points left, its uses -1"),
                (None, "lots hold 79 points, transfers add up to 128"),
                (3, "it leaves -1 points in lot 1"),
            ],
        ),
        (
            "a lot use from nowhere",
            "UPDATE lot_use SET sequence = 9 WHERE sequence = 3",
            [(3, CHANGED), (9, "a lot use names a transfer that does not exist")],
        ),
        (
            "a lot from nowhere",
            "UPDATE lot SET sequence = 9 WHERE sequence = 4",
            [(4, CHANGED), (9, "a lot has no transfer")],
        ),
        (
            "a balance",
            "UPDATE account SET balance_points = 1000 WHERE sequence = 4",
            [(None, "the account's balance is 1000, the transfers' 128")],
        ),
        (
            "counters",
            "UPDATE account SET qualifying_points = 1, lifetime_points = 2 WHERE sequence = 4",
            [
                (None, "the account's qualifying is 1, the transfers' 188"),
                (None, "the account's lifetime is 2, the transfers' 188"),
            ],
        ),
        (
            "a deletion at the end",
            "DELETE FROM transfer WHERE sequence = 4; DELETE FROM lot WHERE sequence = 4",
            [
                (4, "transfer 4 is missing"),
                (None, "the account's balance is 128, the transfers' 98"),
                (None, "the account's qualifying is 188, the transfers' 158"),
                (None, "the account's lifetime is 188, the transfers' 158"),
                (None, "the account's sequence is 4, the transfers' 3"),
                (None, "the account's hash is not that of the last transfer"),
            ],
        ),
        (
            "a deletion in the middle",
            "DELETE FROM transfer WHERE sequence = 3",
            [
                (4, "transfer 3 is missing"),
                (4, "the balance after it is 128, not 188"),
                (3, "a lot use names a transfer that does not exist"),
                (None, "lots hold 128 points, transfers add up to 188"),
                (None, "the account's balance is 128, the transfers' 188"),
            ],
        ),
        (
            "two that changed places",
            SWAPPED,
            [
                (3, CHANGED),
                (4, CHANGED),
                (3, "the balance after it is 128, not 188"),
                (None, "the account's hash is not that of the last transfer"),
            ],
        ),
        (
            "the chain's head",
            "UPDATE account SET head = (SELECT min(details_hash) FROM transfer) WHERE sequence = 4",
            [(None, "the account's hash is not that of the last transfer")],
        ),
    ],
)
async def test_a_change_is_found_and_named(
    shop: Shop, busy: Member, case: str, statement: str, found: list[tuple[int | None, str]]
):
    await sabotage(statement)

    assert await problems(shop, busy) == found


async def test_a_use_of_a_lot_that_was_not_yet_open_is_found(shop: Shop, busy: Member):
    await sabotage("UPDATE lot_use SET lot_sequence = 4, points = 30 WHERE sequence = 3")

    assert (3, "it uses lot 4, which was not yet open") in await problems(shop, busy)


async def test_more_that_comes_back_than_was_taken_is_found(shop: Shop, ada: Member):
    await shop.buy(ada)
    taken = await shop.redeem(ada, 40)
    await shop.give_back(taken)
    sound = await problems(shop, ada)
    await sabotage("UPDATE transfer SET points = 41 WHERE sequence = 3")

    found = await problems(shop, ada)

    assert sound == []
    assert (3, "more comes back of a redemption than it took") in found


async def test_more_that_is_due_back_than_a_purchase_earned_is_found(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await shop.bring_back(bought, {1: 1})
    await shop.bring_back(bought, None)
    sound = await problems(shop, ada)
    await connection().execute_script(
        "UPDATE refund SET due_points = due_points + 1, clawed_back_points = clawed_back_points + 1"
        " WHERE due_points = (SELECT max(due_points) FROM refund)"
    )

    found = await problems(shop, ada)

    assert sound == []
    assert found == [
        (None, f"of purchase {bought.purchase_id} 109 points were due back, it earned 108")
    ]


async def test_a_missing_account_is_found_though_nothing_else_names_it(shop: Shop, busy: Member):
    carl = await shop.enrol(external_id="carl")
    await sabotage("DELETE FROM account WHERE sequence IN (0, 4)")

    audit = await verify(shop)

    assert audit.accounts == 3
    assert {(one.member_id, one.sequence, one.problem) for one in audit.findings} == {
        (busy.id, None, "the account is missing"),
        (carl.id, None, "the account is missing"),
    }


async def test_a_wrong_beginning_is_found_before_the_first_transfer(shop: Shop, ada: Member):
    await sabotage("UPDATE account SET head = substr(head, 2)")

    assert await problems(shop, ada) == [
        (None, "the account's hash is not that of the last transfer")
    ]


async def test_no_book_of_another_member_fits(shop: Shop, ada: Member):
    bob = await shop.enrol(external_id="bob")
    await shop.buy(ada)
    await sabotage(
        "UPDATE transfer SET member_id = (SELECT member_id FROM account WHERE sequence = 0);"
        "UPDATE lot SET member_id = (SELECT member_id FROM account WHERE sequence = 0);"
        "DELETE FROM account WHERE sequence = 0;"
        "UPDATE account SET member_id = (SELECT member_id FROM transfer)"
    )

    audit = await verify(shop, bob)

    assert [(one.sequence, one.problem) for one in audit.findings] == [(1, CHANGED)]


async def test_an_erased_person_leaves_a_chain_that_holds(shop: Shop, busy: Member):
    await sabotage(
        "UPDATE transfer SET text = '', actor = '', explanation = NULL, salt = substr(salt, 1, 0)"
    )

    assert await problems(shop, busy) == []


async def told(shop: Shop) -> list[tuple[str, object]]:
    """What the audit log says of rebuilding: who, and what it did."""
    await audit.keep_all()
    found = await audit.page(shop.program_id, audit.Wanted(about="ledger"), limit=9)
    return [(one.actor, one.after) for one in found]


async def test_rebuild_mends_what_follows_from_the_transfers(shop: Shop, busy: Member):
    sound = await rows()
    await sabotage(
        "UPDATE account SET balance_points = 0, lifetime_points = 7, head = details"
        " FROM (SELECT min(details_hash) AS details FROM transfer) AS t WHERE sequence = 4;"
        "UPDATE lot SET remaining_points = 0 WHERE sequence = 1"
    )

    changed = await proof.rebuild(shop.program_id, now=NOON)

    assert changed == 3
    assert await rows() == sound
    assert await problems(shop, busy) == []
    assert await told(shop) == [("cli", {"rows": 3})]


async def test_rebuild_opens_a_missing_account_again(shop: Shop, busy: Member):
    sound = await rows()
    await sabotage("DELETE FROM account")

    changed = await proof.rebuild(shop.program_id, now=NOON)

    assert changed == 2
    assert await rows() == sound


async def test_rebuild_invents_no_account_for_a_member_nobody_knows(shop: Shop, busy: Member):
    await sabotage("DELETE FROM account; DELETE FROM member")

    changed = await proof.rebuild(shop.program_id, now=NOON)

    assert changed == 0
    assert await AccountRow.all().count() == 0


async def test_rebuild_leaves_a_sound_ledger_as_it_is(shop: Shop, busy: Member):
    sound = await rows()

    changed = await proof.rebuild(shop.program_id, now=NOON)

    assert changed == 0
    assert await rows() == sound
    assert await told(shop) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transfer SET points = 1",
        "DELETE FROM transfer",
        "UPDATE lot_use SET points = 1",
        "DELETE FROM lot_use",
    ],
)
async def test_the_database_refuses_to_change_the_books(shop: Shop, busy: Member, statement: str):
    before = await rows()

    with pytest.raises(Exception, match="append-only"):
        await connection().execute_script(statement)

    assert await rows() == before
