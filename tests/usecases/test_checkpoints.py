"""Checkpoints: what they cover, and what they give away when somebody changed it afterwards."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty_graph.db import connection
from loyalty_graph.ledger import heads
from loyalty_graph.ledger.audit import Finding
from loyalty_graph.ledger.checkpoint_keys import known_keys, public_part, replace_key, signing_key
from loyalty_graph.ledger.checkpoints import Head, Signed, read, sign
from loyalty_graph.ledger.errors import CheckpointFileError, CheckpointOfOthersError
from loyalty_graph.ledger.merkle import Tree, leaf_hash
from loyalty_graph.ledger.models import AccountRow, CheckpointHeadRow, CheckpointRow
from loyalty_graph.members.models import Member
from loyalty_graph.usecases import checkpoints, proof
from tests.api import OTHER_PROGRAM
from tests.conftest import BACKEND
from tests.shop import DAY, Shop, open_shop

TABLES = ("transfer", "lot_use", "checkpoint", "checkpoint_head")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


async def make(shop: Shop, keys: Path) -> Signed:
    return await checkpoints.make(shop.program_id, now=shop.now, keys=keys)


async def sabotage(statement: str) -> None:
    """Drop the triggers, as somebody with the database's own shell would, and run a statement."""
    for table in TABLES:
        if BACKEND == "sqlite":
            await connection().execute_script(f'DROP TRIGGER "{table}_refuses_update"')
            await connection().execute_script(f'DROP TRIGGER "{table}_refuses_delete"')
        else:
            await connection().execute_script(f'DROP TRIGGER "{table}_refuses_change" ON "{table}"')
    await connection().execute_script(statement)


async def problems(
    shop: Shop, keys: Path, published: Signed | None = None
) -> list[tuple[str, int | None, str]]:
    """Audit everything; return what is about whom."""
    audit = await proof.verify(
        shop.program_id,
        now=shop.now,
        signatures=proof.Signatures(known_keys(keys), published),
    )
    return [
        ("member" if one.member_id else "checkpoint", one.sequence or one.checkpoint, one.problem)
        for one in audit.findings
    ]


async def root_of(shop: Shop) -> bytes:
    """Work out the root over all accounts as they are, in the order of their ids."""
    rows = await AccountRow.filter(program_id=shop.program_id)
    found = sorted((row.member_id, row.sequence, row.head) for row in rows)
    return Tree(leaf_hash(Head(*one).content) for one in found).root


@pytest.fixture
async def busy(shop: Shop, ada: Member, keys: Path) -> Shop:
    """Ada: 1 EARN 108, checkpoint 1, 2 EARN 108, checkpoint 2; bob and carl."""
    await shop.buy(ada)
    await shop.enrol(external_id="bob")
    await make(shop, keys)
    later = shop.later(DAY)
    await later.buy(ada)
    await later.enrol(external_id="carl")
    await make(later, keys)
    return later


async def test_a_checkpoint_signs_where_all_chains_stand(shop: Shop, ada: Member, keys: Path):
    await shop.buy(ada)
    await shop.buy(ada)
    await shop.enrol(external_id="bob")

    signed = await make(shop, keys)

    one = signed.checkpoint
    assert (one.program_id, one.number, one.at) == (shop.program_id, 1, shop.now)
    assert (one.heads, one.transfers, one.previous) == (2, 2, None)
    assert one.root == await root_of(shop)
    assert one.public_key == public_part(signing_key(keys))
    assert signed.is_genuine
    assert await heads.checkpoints(shop.program_id) == [signed]
    assert await problems(shop, keys) == []


async def test_only_what_moved_on_is_stored_again_and_each_is_linked_to_the_last(
    busy: Shop, keys: Path
):
    first, second = (one.checkpoint for one in await heads.checkpoints(busy.program_id))

    assert (second.number, second.heads, second.transfers) == (2, 3, 2)
    assert second.previous == first.digest
    assert second.root == await root_of(busy)
    assert await CheckpointHeadRow.filter(number=1).count() == 2
    assert sorted(await CheckpointHeadRow.filter(number=2).values_list("sequence", flat=True)) == [
        0,
        2,
    ]
    assert await problems(busy, keys) == []


async def test_nothing_moved_on_and_there_is_one_more_all_the_same(busy: Shop, keys: Path):
    signed = await make(busy, keys)

    assert (signed.checkpoint.number, signed.checkpoint.root) == (3, await root_of(busy))
    assert await CheckpointHeadRow.filter(number=3).count() == 0
    assert await problems(busy, keys) == []


async def test_an_empty_programme_has_checkpoints_too(shop: Shop, keys: Path):
    signed = await make(shop, keys)

    assert (signed.checkpoint.heads, signed.checkpoint.root) == (0, Tree().root)
    assert await problems(shop, keys) == []


async def test_a_member_whose_id_comes_before_the_others_is_covered_too(
    busy: Shop, keys: Path, shop: Shop
):
    early = await replace(shop, now=shop.now - 9 * DAY).enrol(external_id="early")

    signed = await make(busy, keys)

    assert (signed.checkpoint.heads, signed.checkpoint.root) == (4, await root_of(busy))
    assert min(row.member_id for row in await AccountRow.all()) == early.id
    assert await problems(busy, keys) == []


async def test_the_job_makes_one_a_day(shop: Shop, keys: Path):
    moments = [0 * DAY, DAY / 4, DAY, DAY + timedelta(hours=1)]

    made = [
        await checkpoints.run(shop.program_id, now=shop.now + after, keys=keys) for after in moments
    ]

    assert [one is not None for one in made] == [True, False, True, False]
    assert await CheckpointRow.all().count() == 2


async def test_of_two_that_sign_at_once_one_is_kept_and_both_get_it(
    shop: Shop, ada: Member, keys: Path, monkeypatch: pytest.MonkeyPatch
):
    await shop.buy(ada)
    grown, others = heads.grown, []

    async def overtaken(program_id: object) -> list[Head]:
        found = await grown(shop.program_id)
        if not others:
            others.append(None)
            others.append(await make(shop, keys))
        return found

    monkeypatch.setattr(heads, "grown", overtaken)

    signed = await make(shop.later(DAY), keys)

    assert [signed] == others[1:] == await heads.checkpoints(shop.program_id)
    assert await problems(shop, keys) == []


async def test_each_programme_has_its_own(busy: Shop, keys: Path):
    other = await open_shop(OTHER_PROGRAM)

    signed = await make(other, keys)

    assert (signed.checkpoint.number, signed.checkpoint.heads) == (1, 0)
    with pytest.raises(CheckpointOfOthersError):
        await problems(busy, keys, signed)


async def test_what_an_older_key_signed_stays_genuine(busy: Shop, keys: Path):
    replace_key(keys)
    await make(busy, keys)

    assert await problems(busy, keys) == []


async def test_a_stranger_who_signs_is_found(busy: Shop, keys: Path, tmp_path: Path):
    await make(busy, tmp_path / "strange")

    [(about, number, problem)] = await problems(busy, keys)

    assert (about, number) == ("checkpoint", 3)
    assert problem.endswith(", which signed it, is none of ours")


async def test_where_no_key_is_known_any_may_have_signed(busy: Shop, tmp_path: Path):
    assert await problems(busy, tmp_path / "none") == []


UNROOTED = "the heads it covers are not those that are stored"
UNSIGNED = "its signature does not fit it"
LED_AWAY = "the chain does not lead through what checkpoint {} covers"
AGAIN = """
DELETE FROM transfer WHERE sequence = 2; DELETE FROM lot WHERE sequence = 2;
UPDATE account SET sequence = 1, balance_points = 108, qualifying_points = 108,
    lifetime_points = 108, head = hash
    FROM (SELECT hash FROM checkpoint_head WHERE sequence = 1) AS h WHERE sequence = 2
"""
BACK = """
UPDATE checkpoint_head SET number = 3 WHERE sequence = 1;
UPDATE checkpoint_head SET number = 1 WHERE sequence = 2;
UPDATE checkpoint_head SET number = 2 WHERE sequence = 1
"""
FORGET = """
DELETE FROM checkpoint;
DELETE FROM checkpoint_head
"""


@pytest.mark.parametrize(
    ("case", "statement", "found"),
    [
        (
            "an entry taken away with all that follows from it",
            AGAIN,
            [("member", 2, LED_AWAY.format(2))],
        ),
        (
            "a head that is gone",
            "DELETE FROM checkpoint_head WHERE sequence = 1",
            [
                (
                    "checkpoint",
                    1,
                    "it covers 2 accounts and 1 transfers, stored are 1 and 0",
                ),
                ("checkpoint", 1, UNROOTED),
            ],
        ),
        (
            "a head that was changed",
            "UPDATE checkpoint_head SET hash = substr(hash, 2) WHERE sequence = 2",
            [("checkpoint", 2, UNROOTED), ("member", 2, LED_AWAY.format(2))],
        ),
        (
            "a head that goes back",
            BACK,
            [
                ("checkpoint", 1, "it covers 2 accounts and 1 transfers, stored are 2 and 2"),
                ("checkpoint", 1, UNROOTED),
                ("checkpoint", 2, "it covers 3 accounts and 2 transfers, stored are 3 and 1"),
                ("checkpoint", 2, UNROOTED),
                ("member", 1, "checkpoint 2 covers no more than the one before it"),
            ],
        ),
        (
            "a date",
            "UPDATE checkpoint SET at = '2026-01-01 00:00:00+00:00' WHERE number = 2",
            [("checkpoint", 2, UNSIGNED)],
        ),
        (
            "a signature",
            "UPDATE checkpoint SET signature = substr(signature, 2) WHERE number = 2",
            [("checkpoint", 2, UNSIGNED)],
        ),
        (
            "a checkpoint in the middle",
            "DELETE FROM checkpoint WHERE number = 1",
            [("checkpoint", 1, "it is missing")],
        ),
        (
            "a link",
            "UPDATE checkpoint SET previous = root WHERE number = 2",
            [
                ("checkpoint", 2, UNSIGNED),
                ("checkpoint", 2, "it is not linked to the checkpoint before it"),
            ],
        ),
    ],
)
async def test_a_change_of_what_was_signed_is_found(
    busy: Shop, keys: Path, case: str, statement: str, found: list[tuple[str, int, str]]
):
    await sabotage(statement)

    assert await problems(busy, keys) == found


async def test_what_was_published_holds_as_long_as_nothing_before_it_is_changed(
    busy: Shop, ada: Member, keys: Path
):
    published = read((await heads.checkpoints(busy.program_id))[0].document)
    await busy.buy(ada)
    await make(busy, keys)

    assert await problems(busy, keys, published) == []


async def test_who_signs_everything_anew_is_found_by_what_was_published(
    busy: Shop, ada: Member, keys: Path
):
    published = (await heads.checkpoints(busy.program_id))[0]
    await sabotage(f"{AGAIN};{FORGET}")
    await busy.buy(ada)
    await make(busy, keys)
    await make(busy, keys)

    assert await problems(busy, keys) == []
    assert await problems(busy, keys, published) == [
        ("checkpoint", 1, "the one that was published is not among those stored")
    ]


async def test_a_published_one_that_is_forged_is_found(busy: Shop, keys: Path):
    real = (await heads.checkpoints(busy.program_id))[0].checkpoint
    stranger = Ed25519PrivateKey.generate()
    forged = replace(real, public_key=public_part(stranger))

    by_a_stranger = await problems(busy, keys, sign(forged, stranger))
    by_nobody = await problems(busy, keys, Signed(real, bytes(64)))

    assert len(by_a_stranger) == 2
    assert by_a_stranger[0][2].endswith(", which signed it, is none of ours")
    assert by_nobody == [("checkpoint", 1, f"as published: {UNSIGNED}")]


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("not JSON", lambda _: b"hello"),
        ("a list", lambda _: b"[]"),
        ("cut off", lambda text: text[:-2]),
        ("another form", lambda text: text.replace(b"checkpoint 1", b"checkpoint 2")),
        ("a text for a number", lambda text: text.replace(b'"number":1', b'"number":"1"')),
        ("a field too many", lambda text: text[:-1] + b',"note":""}'),
        ("no time", lambda text: text.replace(b'"at":"2026', b'"at":"x')),
        ("no hexadecimal", lambda text: text.replace(b'"root":"', b'"root":"x')),
    ],
)
async def test_what_is_no_checkpoint_is_refused(busy: Shop, case: str, change: object):
    text = (await heads.checkpoints(busy.program_id))[0].document

    with pytest.raises(CheckpointFileError):
        read(change(text))  # type: ignore[operator] # each case is a function


async def test_a_member_alone_is_held_against_the_checkpoints_that_cover_him(
    busy: Shop, ada: Member, keys: Path
):
    await sabotage("UPDATE checkpoint_head SET hash = substr(hash, 2) WHERE sequence = 2")

    audit = await proof.verify(busy.program_id, now=busy.now, scope=proof.Scope(ada.id))

    assert audit.findings == [Finding(ada.id, 2, LED_AWAY.format(2))]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM checkpoint",
        "UPDATE checkpoint SET number = 9",
        "DELETE FROM checkpoint_head",
        "UPDATE checkpoint_head SET number = 9",
    ],
)
async def test_the_database_refuses_to_change_checkpoints(busy: Shop, keys: Path, statement: str):
    with pytest.raises(Exception, match="append-only"):
        await connection().execute_script(statement)

    assert await problems(busy, keys) == []
