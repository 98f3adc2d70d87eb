"""What the demo asks phones and the fake Google in the end, and keeps between two starts."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.sandbox.apns_plan import Push
from loyalty_graph.sandbox.device import DeviceState
from loyalty_graph.sandbox.google import FakeGoogle
from loyalty_graph.sandbox.wallets import Holder, Wallets
from loyalty_graph.wallet.apple.development_ca import Chain
from loyalty_graph.wallet.looks import Stamps
from tests.sandbox.googling import CARD, CLASS, OBJECT_ID
from tests.sandbox.phoning import PASS_URL, SERIAL, Phoning, card, phoning
from tests.shop import NOON, Shop, open_shop
from tests.wallet.making import NOW


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop(now=NOW)


def google_with(points: int, **shown: Any) -> FakeGoogle:
    google = FakeGoogle("http://google.test", clock=lambda: NOON)
    google.store.insert_class({**CLASS, "callbackOptions": None})
    google.store.insert_object({**CARD, "loyaltyPoints": {"balance": {"int": points}}, **shown})
    return google


async def wallets_of(member: Member, one: Phoning, google: FakeGoogle) -> Wallets:
    """Return wallets with one member's cards, as if they had been handed out."""
    await one.phone.add(PASS_URL)
    holder = Holder(member_id=member.id, device=one.phone.state, serial=SERIAL, object_id=OBJECT_ID)
    wallets = Wallets(google, one.phone.client, one.phone.root(), one.phone.clock)
    wallets._keep([holder])
    return wallets


def pushed_to(device: DeviceState) -> Push:
    return Push(NOON, device.push_token, "pass.test", b"{}", 200, 1)


async def test_cards_that_show_the_balance_of_the_ledger_are_fresh(shop: Shop, chain: Chain):
    ada = await shop.enrol()
    await shop.buy(ada)
    one = phoning(chain)
    one.server.card = card(balance="108")

    wallets = await wallets_of(ada, one, google_with(108))

    assert await wallets.stale(shop.program_id, [ada.id]) == 0


@pytest.mark.parametrize(
    ("case", "on_phone", "at_google", "stale"),
    [
        ("the phone is behind", "1,108", 108, 1),
        ("Google is behind", "108", 0, 1),
        ("both are behind", "", 40, 2),
    ],
)
async def test_cards_that_show_anything_else_are_stale(
    shop: Shop, chain: Chain, case: str, on_phone: str, at_google: int, stale: int
):
    ada = await shop.enrol()
    await shop.buy(ada)
    one = phoning(chain)
    one.server.card = card(balance=on_phone or "none")

    wallets = await wallets_of(ada, one, google_with(at_google))

    assert await wallets.stale(shop.program_id, [ada.id]) == stale


async def test_where_money_comes_first_the_points_beside_it_count(shop: Shop, chain: Chain):
    ada = await shop.enrol()
    await shop.buy(ada)
    one = phoning(chain)
    one.server.card = card(balance="20.00 EUR")
    [money] = one.server.card["storeCard"]["primaryFields"]
    [*_, tier] = one.server.card["storeCard"]["headerFields"]
    money["key"], tier["key"], tier["value"] = "value", "balance", "108"
    micros = {"money": {"micros": "20000000", "currencyCode": "EUR"}}
    google = google_with(
        0,
        loyaltyPoints={"balance": micros},
        secondaryLoyaltyPoints={"balance": {"int": 108}},
    )

    wallets = await wallets_of(ada, one, google)

    assert await wallets.stale(shop.program_id, [ada.id]) == 0


@pytest.mark.parametrize(("filled", "stale"), [("9", 0), ("8", 2)])
async def test_a_stamp_card_shows_stamps(shop: Shop, chain: Chain, filled: str, stale: int):
    ada = await shop.enrol()
    await shop.buy(ada)
    one = phoning(chain)
    one.server.card = card(balance=f"{filled} / 11")
    one.server.card["storeCard"]["primaryFields"][0]["key"] = "stamps"
    google = google_with(
        0,
        loyaltyPoints={"balance": {"string": f"{filled} / 11"}},
        secondaryLoyaltyPoints={"balance": {"int": 9}},
    )

    wallets = await wallets_of(ada, one, google)

    # 108 points at 12 for each stamp are nine.
    stamps = Stamps(of=11, points=12)
    assert await wallets.stale(shop.program_id, [ada.id], stamps=stamps) == stale


async def test_a_member_without_cards_has_two_stale_ones(shop: Shop, chain: Chain):
    ada, bob = await shop.enrol(), await shop.enrol()
    one = phoning(chain)
    one.server.card = card(balance="0")

    wallets = await wallets_of(ada, one, google_with(0))

    assert await wallets.stale(shop.program_id, [ada.id, bob.id]) == 2


async def test_a_push_makes_its_phone_fetch_and_one_that_changes_nothing_is_not_counted(
    shop: Shop, chain: Chain
):
    one = phoning(chain)
    wallets = await wallets_of(await shop.enrol(), one, google_with(0))
    one.server.changes(card(balance="54"))

    wallets.hear(pushed_to(DeviceState()))
    await wallets.settle()
    before = wallets.updated()
    wallets.hear(pushed_to(one.phone.state))
    await wallets.settle()

    one.server.changes(card(balance="54"))
    wallets.hear(pushed_to(one.phone.state))
    await wallets.settle()

    assert before == {"apple": 0, "google": 0}
    assert one.phone.state.passes[SERIAL].changes == []
    assert wallets.updated() == {"apple": 1, "google": 0}


async def test_a_phone_whose_server_is_gone_keeps_its_old_card(shop: Shop, chain: Chain):
    one = phoning(chain)
    wallets = await wallets_of(await shop.enrol(), one, google_with(0))
    one.server.failures = [httpx2.Response(401)]

    wallets.hear(pushed_to(one.phone.state))
    await wallets.settle()

    assert one.phone.state.passes[SERIAL].versions == 1


async def test_phones_and_google_go_on_where_they_were_at_another_address(
    shop: Shop, chain: Chain, tmp_path: Path
):
    one = phoning(chain)
    before = await wallets_of(await shop.enrol(), one, google_with(54))
    before.google.store.save(OBJECT_ID, "ada")

    before.write(tmp_path / "kept.json")
    after = Wallets(
        FakeGoogle("http://google.test", clock=lambda: NOON),
        one.phone.client,
        one.phone.root(),
        one.phone.clock,
    )
    after.read(tmp_path / "kept.json", service_url="https://new.example/apple")

    [holder] = after.holders
    assert (tmp_path / "kept.json").stat().st_mode & 0o777 == 0o600
    assert holder.device.push_token == one.phone.state.push_token
    assert holder.device.passes[SERIAL].service_url == "https://new.example/apple"
    assert after.google.store.objects == before.google.store.objects
    assert after.google.store.holders == {OBJECT_ID: {"ada"}}


@pytest.mark.parametrize("damage", [None, "", "[]", '{"holders": 5}'])
async def test_without_a_file_that_can_be_read_there_is_nobody(
    chain: Chain, tmp_path: Path, damage: str | None
):
    if damage is not None:
        (tmp_path / "kept.json").write_text(damage)
    wallets = Wallets(google_with(0), httpx2.AsyncClient(), chain.root, lambda: NOON)

    wallets.read(tmp_path / "kept.json", service_url="https://new.example/apple")

    assert wallets.holders == []
