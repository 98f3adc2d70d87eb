"""Balances of another system: checked as a whole, then imported lot by lot, each row once."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from loyalty_graph.errors import IdempotencyMismatchError, InvalidInputError, NotFoundError
from loyalty_graph.identifiers import new_id
from loyalty_graph.jobs.models import JobRow
from loyalty_graph.ledger import migrating
from loyalty_graph.ledger.errors import BalanceFileError
from loyalty_graph.ledger.migrating import Progress
from loyalty_graph.ledger.models import AccountRow, BalanceImportRow, LotRow, TransferRow
from loyalty_graph.members.models import Member, MemberReference
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.models import Activity
from loyalty_graph.tiers.models import TierChange, TierStanding
from loyalty_graph.tiers.reads import tiers_of
from loyalty_graph.usecases import balances, erasing, proof
from loyalty_graph.usecases.balance_checks import BalanceCheck
from loyalty_graph.usecases.balance_rows import BalanceFormat
from tests.shop import DAY, NOON, PROGRAM, Shop, by_id, open_shop, program

TABLES = (
    AccountRow,
    BalanceImportRow,
    CardMark,
    FactRow,
    JobRow,
    LotRow,
    Member,
    MemberReference,
    TierChange,
    TierStanding,
    TransferRow,
)
FILE = """key,external_id,points,expires_at,qualifying,text
a,1,100,2026-06-30,90,from the old card
b,1,40,never,,
c,2,70,,0,
d,3,0,,,
"""
TIERS = {
    "basis": "QUALIFYING_POINTS",
    "window": "CALENDAR_YEAR",
    "levels": [
        {"code": "BASE", "name": "Base", "entry": 0},
        {"code": "SILVER", "name": "Silver", "entry": 80},
        {"code": "GOLD", "name": "Gold", "entry": 500},
    ],
}


async def rows() -> list[object]:
    return [sorted(map(str, await table.all().values_list())) for table in TABLES]


def file(text: str = FILE, *, source: str = "old", form: str = "CSV") -> balances.BalanceFile:
    return balances.file_of(text, source=source, form=BalanceFormat(form))


async def bring(shop: Shop, text: str = FILE, **named: str) -> Progress:
    done = await balances.import_file(
        shop.program_id, file(text, **named), caller="cli", now=shop.now
    )
    assert isinstance(done, Progress), done
    return done


async def faults(shop: Shop, text: str, **named: str) -> list[tuple[int, str, str | None, str]]:
    """Return what is wrong with a file, of which nothing is imported."""
    before = await rows()
    found = await balances.import_file(
        shop.program_id, file(text, **named), caller="cli", now=shop.now
    )
    assert isinstance(found, BalanceCheck)
    assert found.faulty == len(found.faults)
    assert await rows() == before
    return [(one.line, one.code, one.field, one.message) for one in found.faults]


async def member_of(external_id: str) -> Member:
    return await Member.get(external_id=external_id)


async def test_balances_come_along_lot_by_lot_with_their_dates(shop: Shop):
    done = await bring(shop)

    assert (done.rows, done.done, done.imported, done.joined) == (4, 4, 4, 3)
    assert (done.points, done.known, done.refused, done.ended_at) == (210, 0, 0, NOON)
    first, second = await member_of("1"), await member_of("2")
    transfers = await TransferRow.filter(member_id=first.id).order_by("sequence")
    assert [
        (one.kind, one.debit, one.credit, one.points, one.qualifying_points, one.reference)
        for one in transfers
    ] == [
        ("MIGRATE", "MIGRATED", "MEMBER", 100, 90, migrating.reference("old", "a")),
        ("MIGRATE", "MIGRATED", "MEMBER", 40, 0, migrating.reference("old", "b")),
    ]
    assert (transfers[0].text, transfers[0].actor) == ("from the old card", "cli")
    assert transfers[0].explanation == {"source": "old", "row": "a", "points": 100}
    lots = await LotRow.filter(member_id=first.id).order_by("sequence")
    assert [(one.remaining_points, one.expires_at.isoformat()) for one in lots] == [
        (100, "2026-06-30T22:00:00+00:00"),
        (40, "9999-01-01T00:00:00+00:00"),
    ]
    account = await AccountRow.get(member_id=first.id)
    assert (account.balance_points, account.qualifying_points) == (140, 90)
    [lot] = await LotRow.filter(member_id=second.id)
    assert lot.expires_at == datetime(2026, 9, 2, 22, tzinfo=UTC)
    assert await AccountRow.filter(balance_points=0).count() == 1
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []


async def test_members_who_come_along_keep_what_is_known_of_them_and_earn_nothing_for_joining(
    database: object,
):
    rule = {"code": "JOIN", "name": "Welcome", "on": "SIGN_UP", "points": 50}
    earning = {**PROGRAM["earning"], "rules": [rule]}
    shop = await open_shop({**PROGRAM, "earning": earning})

    await bring(shop, "email,first_name,birthday,locale\nAda@Example.com,Ada,1990-12-10,de\n")
    await shop.enrol(external_id="joins himself")

    ada = await Member.get(email="ada@example.com")
    assert (ada.first_name, ada.locale, str(ada.birthday)) == ("Ada", "de", "1990-12-10")
    assert ada.status == "ACTIVE"
    assert await TransferRow.filter(member_id=ada.id).count() == 0
    assert await Activity.all().count() == 1


async def test_points_come_to_members_who_are_there_already(shop: Shop, ada: Member):
    text = f"number,email,id,points\n{ada.number},,,5\n,ada@example.com,,6\n,,{ada.id},7\n"

    done = await bring(shop, text)

    assert (done.imported, done.joined) == (3, 0)
    assert await shop.balance(ada) == 18
    assert {one.kind: one.payload for one in await FactRow.filter(member_id=ada.id)}[
        "points.migrated"
    ] == {"entry": 3, "points": 7, "balance": 18, "source": "old"}


async def test_debt_is_paid_first(database: object):
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada = await shop.enrol(external_id="1")
    bought = await shop.buy(ada)
    await shop.redeem(ada, 100)
    await shop.bring_back(bought, None)

    await bring(shop, "external_id,points\n1,130\n")

    assert await shop.balance(ada) == 30
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []


async def test_a_row_counts_once_however_late_it_comes_again(shop: Shop):
    await bring(shop)
    before = await AccountRow.all().order_by("member_id").values_list("balance_points", flat=True)

    again = await bring(shop.later(90 * DAY), FILE.replace("2026-06-30", "2026-07-30"))
    more = await bring(shop.later(90 * DAY), FILE.replace("2026-06-30", "never") + "e,2,5,,,\n")

    # The member without points has no entry; he is there already.
    assert (again.imported, again.known, again.joined, again.points) == (1, 3, 0, 0)
    assert (more.imported, more.known, more.joined, more.points) == (2, 3, 0, 5)
    after = await AccountRow.all().order_by("member_id").values_list("balance_points", flat=True)
    assert sum(map(int, after)) == sum(map(int, before)) + 5


async def test_a_row_counts_once_even_when_its_points_have_expired_since(shop: Shop):
    await bring(shop)
    before = await TransferRow.all().count()

    again = await bring(shop.later(200 * DAY))

    assert (again.imported, again.known, again.refused) == (1, 3, 0)
    assert await TransferRow.all().count() == before


async def test_a_row_whose_member_was_erased_does_not_come_again(shop: Shop):
    await bring(shop, "key,external_id,points\nada-7,1,100\n")
    ada = await member_of("1")
    wanted = erasing.EraseMember("staff:eve", "forget", by_id(ada), b"k" * 32)
    await erasing.erase(shop.program_id, wanted, now=NOON)

    [fault] = await faults(shop, "key,external_id,points\nada-7,1,100\n")

    assert fault[:3] == (2, "INVALID_INPUT", "key")
    assert not [one for one in map(str, await rows()) if "ada-7" in one]
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []


async def test_rows_of_another_source_are_other_rows(shop: Shop):
    await bring(shop)

    done = await bring(shop, FILE, source="older")

    assert (done.imported, done.known) == (4, 0)


async def test_every_bad_row_is_named_and_nothing_is_written(shop: Shop, ada: Member):
    bob = await shop.enrol(external_id="bob", phone="+4915112345678")
    await Member.filter(id=bob.id).update(status="SUSPENDED")
    await bring(shop, "key,external_id,points\nknown,9,5\nother,9,5\n")

    found = await faults(
        shop,
        "key,id,number,external_id,email,phone,points,expires_at,tier,tier_until\n"
        "a,,,1,,,5,2026-13-01,,\n"
        "b,,,bob,,,5,,,\n"
        "c,,,bob,ada@example.com,,5,,,\n"
        "d,,,2,ada@example.com,,5,,,\n"
        f"e,,,,,,5,,,\nf,{new_id(NOON)},,,,,5,,,\n"
        "g,,900000000001,,,,5,,,\n"
        "g,,,3,,,5,,,\n"
        "known,,,9,,,6,,,\n"
        "other,,,4,,,5,,,\n"
        "h,,,5,,,5,,GOLD,2027-01-01\n"
        "i,,,6,new@example.com,,5,,,\n"
        "j,,,6,other@example.com,,5,,,\n"
        "k,,,7,,,-1,,,\n",
    )

    assert [(line, code, field) for line, code, field, _ in found] == [
        (2, "INVALID_INPUT", "expires_at"),
        (3, "MEMBER_NOT_ACTIVE", "member"),
        (4, "INVALID_INPUT", None),
        (5, "INVALID_INPUT", None),
        (6, "INVALID_INPUT", None),
        (7, "NOT_FOUND", "id"),
        (8, "NOT_FOUND", "number"),
        (9, "INVALID_INPUT", "key"),
        (10, "INVALID_INPUT", "key"),
        (11, "INVALID_INPUT", "key"),
        (12, "NOT_FOUND", "tier"),
        (14, "INVALID_INPUT", None),
        (15, "INVALID_INPUT", "points"),
    ]
    messages = [message for *_, message in found]
    assert messages[2] == "The external_id and email belong to different members."
    assert messages[3].startswith("The email belongs to a member, but the external_id is not known")
    assert messages[7] == "The key g stands in line 8 too."
    assert messages[8].startswith("The key known was imported before, with 5 points instead of 6")
    assert messages[9] == "The key other was imported before, for another member."
    assert messages[11].startswith(
        "The external_id belongs to a member, but the email is not known"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bad", "last"),
    [(7_001, 10_000), pytest.param(70_001, 100_000, marks=pytest.mark.soak)],
)
async def test_a_bad_date_deep_in_a_long_file_is_said_exactly(shop: Shop, bad: int, last: int):
    lines = ["external_id,points,expires_at"]
    lines += [
        f"m{line},5,{'2026-02-30' if line == bad else 'never'}" for line in range(2, last + 1)
    ]

    assert await faults(shop, "\n".join(lines)) == [
        (
            bad,
            "INVALID_INPUT",
            "expires_at",
            "2026-02-30 is no day; write one such as 2026-11-22.",
        )
    ]


async def test_so_many_faults_are_kept_and_all_are_counted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.usecases.balance_checks.FAULTS_KEPT_MAX", 3)

    found = await balances.try_file(
        shop.program_id, file("external_id,points\n" + "x,-1\n" * 9), now=NOON
    )

    assert (found.rows, found.faulty, [one.line for one in found.faults]) == (9, 9, [2, 3, 4])


async def test_a_trial_says_what_an_import_would_do_and_writes_nothing(shop: Shop):
    await bring(shop, "key,external_id,points\na,1,100\n")
    before = await rows()

    found = await balances.try_file(shop.program_id, file(), now=NOON)

    assert found == BalanceCheck(rows=4, known=1, joining=2, points=110)
    assert await rows() == before


@pytest.mark.parametrize(
    ("case", "text", "source", "message"),
    [
        ("no name", FILE, "Old CRM", "A source has 1 to 30 small letters"),
        ("a long name", FILE, "o" * 31, "A source has"),
        ("too many rows", FILE, "old", "At most 3 rows at once"),
    ],
)
async def test_a_file_that_cannot_be_taken_is_refused(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    text: str,
    source: str,
    message: str,
):
    monkeypatch.setattr("loyalty_graph.usecases.balance_checks.ROWS_MAX", 3)
    before = await rows()

    with pytest.raises(InvalidInputError, match=message):
        await balances.import_file(
            shop.program_id, file(text, source=source), caller="cli", now=NOON
        )

    assert await rows() == before


@pytest.fixture
async def tiered(database: object) -> Shop:
    return await open_shop({**PROGRAM, "tiers": TIERS})


async def test_what_counts_for_a_tier_comes_along_and_counts(tiered: Shop):
    await bring(tiered, "external_id,points,qualifying\n1,10,90\n2,10,10\n3,0,80\n")

    found = [await member_of(one) for one in "123"]
    standing = await tiers_of(tiered.program_id, [one.id for one in found], now=NOON)
    assert [standing[one.id] for one in found] == ["SILVER", "BASE", "SILVER"]
    [entry] = await TransferRow.filter(member_id=found[2].id)
    assert (entry.points, entry.qualifying_points) == (0, 80)
    assert (await proof.verify(tiered.program_id, now=NOON)).findings == []


async def test_a_tier_is_kept_until_its_end(tiered: Shop):
    await bring(
        tiered,
        "external_id,points,tier,tier_until\n1,10,GOLD,2026-12-31\n2,0,SILVER,2027-01-01T00:00:00Z\n",
    )

    gold, silver = await member_of("1"), await member_of("2")
    now, later = NOON, datetime(2026, 12, 31, 23, tzinfo=UTC)
    for at, expected in ((now, ["GOLD", "SILVER"]), (later, ["BASE", "SILVER"])):
        found = await tiers_of(tiered.program_id, [gold.id, silver.id], now=at)
        assert [found[one.id] for one in (gold, silver)] == expected
    changes = await TierChange.filter(member_id=gold.id)
    assert [(one.kind, one.actor, one.reason) for one in changes] == [
        ("OVERRIDDEN", "cli", "brought along from old")
    ]


@pytest.mark.parametrize(
    ("case", "tier", "until", "code", "field"),
    [
        ("no such tier", "PLATINUM", "2026-12-31", "NOT_FOUND", "tier"),
        ("an end that has passed", "GOLD", "2026-03-01", "INVALID_INPUT", "tier_until"),
    ],
)
async def test_a_tier_that_cannot_be_given_is_told(
    tiered: Shop, case: str, tier: str, until: str, code: str, field: str
):
    [found] = await faults(tiered, f"external_id,tier,tier_until\n1,{tier},{until}\n")

    assert found[:3] == (2, code, field)


class Killed(BaseException):
    """Nothing catches this."""


async def killed_at(shop: Shop, batch: int, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import until the process dies as it begins a batch, counted from 1."""
    write = balances.write_page
    begun = 0

    async def die(*given: object, **named: object) -> Progress:
        nonlocal begun
        begun += 1
        if begun == batch:
            raise Killed
        return await write(*given, **named)  # type: ignore[arg-type] # passed on as it is

    with monkeypatch.context() as patch:
        patch.setattr("loyalty_graph.usecases.balances.write_page", die)
        with pytest.raises(Killed):
            await bring(shop, text)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two rows."""
    monkeypatch.setattr(balances.in_pages, "__defaults__", (2,))
    monkeypatch.setattr("loyalty_graph.usecases.balance_writing.ROWS_AT_ONCE", 2)


@pytest.mark.parametrize("batch", [1, 2, 3])
async def test_an_import_that_was_killed_goes_on_where_it_was(
    shop: Shop, small_batches: None, monkeypatch: pytest.MonkeyPatch, batch: int
):
    await killed_at(shop, batch, FILE, monkeypatch)
    [left] = await BalanceImportRow.all()

    done = await bring(shop.later(DAY))

    assert (left.done, left.ended_at) == (2 * (batch - 1), None)
    assert (done.id, done.begun_at, done.ended_at) == (left.id, NOON, NOON + DAY)
    assert (done.done, done.imported, done.known, done.joined) == (4, 4, 0, 3)
    assert await TransferRow.filter(kind="MIGRATE").count() == 3
    assert await TransferRow.filter(at=NOON).count() == 3
    [lot] = await LotRow.filter(points=70)
    assert lot.expires_at == datetime(2026, 9, 2, 22, tzinfo=UTC)
    assert (await proof.verify(shop.program_id, now=NOON + DAY)).findings == []


async def test_what_has_become_wrong_meanwhile_is_noted_and_the_rest_is_written(
    shop: Shop, small_batches: None, monkeypatch: pytest.MonkeyPatch
):
    ada, bob = await shop.enrol(external_id="1"), await shop.enrol(external_id="2")
    text = (
        f"id,external_id,email,points\n,new,,5\n,1,,6\n{bob.id},,,7\n,3,,8\n,5,eve@example.com,9\n"
    )
    await killed_at(shop, 2, text, monkeypatch)
    await shop.close(bob)
    await MemberReference.create(
        program_id=shop.program_id, kind="EXTERNAL_ID", value="3", member_id=bob.id
    )

    await shop.enrol(email="eve@example.com")

    done = await bring(shop, text)

    assert (done.imported, done.refused, done.points) == (2, 3, 11)
    assert [(one["line"], one["code"]) for one in done.faults] == [
        (4, "MEMBER_NOT_ACTIVE"),
        (5, "MEMBER_NOT_ACTIVE"),
        (6, "INVALID_INPUT"),
    ]
    assert await shop.balance(ada) == 6


async def test_rows_that_another_process_has_written_are_left_alone(
    shop: Shop, small_batches: None, monkeypatch: pytest.MonkeyPatch
):
    write = balances.write_page
    begun = 0

    async def be_late(
        program_id: object, progress: Progress, *rest: object, **named: object
    ) -> Progress:
        nonlocal begun
        begun += 1
        if begun == 1:
            await write(program_id, replace(progress), *rest, **named)  # type: ignore[arg-type] # passed on
        return await write(program_id, progress, *rest, **named)  # type: ignore[arg-type] # passed on

    monkeypatch.setattr("loyalty_graph.usecases.balances.write_page", be_late)
    done = await bring(shop)

    assert (done.done, done.imported, done.known) == (4, 4, 0)
    assert await TransferRow.filter(kind="MIGRATE").count() == 3


def wish(text: str = FILE, **changes: str) -> balances.ImportBalances:
    command = balances.ImportBalances("partner:crm", "k", "old", BalanceFormat.CSV, text)
    return replace(command, **changes)


async def begun(shop: Shop, command: balances.ImportBalances) -> tuple[Progress, bool]:
    return await balances.begin(shop.program_id, command, now=shop.now)


async def test_an_import_that_was_asked_for_is_carried_out_by_a_worker(shop: Shop):
    progress, replayed = await begun(shop, wish())
    [job] = await JobRow.filter(kind=balances.JOB)
    waiting = await balances.progress_of(shop.program_id, progress.id)

    ran = await balances.run(shop.program_id, now=NOON + DAY)

    assert (replayed, waiting.done, job.due_at) == (False, 0, NOON)
    done = await balances.progress_of(shop.program_id, progress.id)
    assert (ran, done.imported, done.ended_at) == (1, 4, NOON + DAY)
    assert await balances.run(shop.program_id, now=NOON + DAY) == 0
    [row] = await BalanceImportRow.all()
    assert row.content is None


async def test_a_retry_begins_nothing_again(shop: Shop):
    first, _ = await begun(shop, wish())
    before = await rows()

    again, replayed = await begun(shop, wish())

    assert (again, replayed) == (first, True)
    assert await rows() == before


async def test_what_cannot_be_begun_changes_nothing(shop: Shop):
    await begun(shop, wish())
    before = await rows()

    with pytest.raises(IdempotencyMismatchError):
        await begun(shop, wish(FILE + "e,4,5,,,\n"))
    with pytest.raises(BalanceFileError, match="1 of 4 rows cannot be used; nothing") as refused:
        await begun(shop, wish(FILE.replace(",100,", ",-100,"), idempotency_key="other"))
    with pytest.raises(InvalidInputError, match="A source has"):
        await begun(shop, wish(source="Old", idempotency_key="other"))
    with pytest.raises(NotFoundError, match="There is no import"):
        await balances.progress_of(shop.program_id, new_id(NOON))

    assert [one.line for one in refused.value.faults] == [2]
    assert await rows() == before
