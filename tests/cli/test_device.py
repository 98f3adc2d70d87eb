"""The simulated phone at the command line, with a server that really serves cards."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.usecases import card_links
from loyalty_graph.usecases.card_links import CreateCardLink
from loyalty_graph.wallet import links, tags
from loyalty_graph.wallet.desk import PassDesk
from tests.cli.conftest import CommandLine
from tests.served import Served, served
from tests.shop import by_id

PROGRAM = Path(sys.executable).with_name("loyalty-graph")


@pytest.fixture
def shop(database_url: str, data_dir: Path) -> Iterator[Served]:
    data_dir.mkdir()
    with served(database_url, data_dir) as running:
        yield running


@pytest.fixture
def ada(shop: Served) -> Member:
    return shop.run(shop.shop.enrol(first_name="Ada", last_name="Lovelace"))


@pytest.fixture
def link(shop: Served, ada: Member) -> str:
    desk: PassDesk = shop.app.state.desk
    return shop.run(desk.issue(shop.shop.program_id, ada.id, now=shop.shop.now))


def buy(shop: Served, ada: Member) -> None:
    """Let her buy, and wait until cards know of it."""

    async def bought_and_numbered() -> None:
        await shop.shop.buy(ada)
        async with asyncio.timeout(30):
            while await tags.waiting():  # noqa: ASYNC110 - the worker signals it no other way
                await asyncio.sleep(0.01)

    shop.run(bought_and_numbered())


def card_page(shop: Served, ada: Member) -> str:
    """Return the address of her card page."""
    desk: PassDesk = shop.app.state.desk
    command = CreateCardLink("partner:till", "link", by_id(ada))
    made = shop.run(
        card_links.create(shop.shop.program_id, command, key=desk.link_key, now=shop.shop.now)
    )
    token = links.token_of(shop.shop.program_id, made.link_id, key=desk.link_key)
    return f"{shop.address}/c/{token}"


def test_a_card_is_added_follows_the_balance_and_is_removed(
    call: CommandLine, shop: Served, ada: Member, link: str, data_dir: Path
):
    added = call("device", "add", link)
    buy(shop, ada)
    polled = call("device", "poll")
    again = call("device", "poll")
    shown = call("device", "show")
    removed = call("device", "remove")
    empty = call("device", "show")

    assert [one.code for one in (added, polled, again, shown, removed, empty)] == [0] * 6
    assert "Bean Club" in added.out
    assert "You now have 108 beans." in polled.out
    assert "BEANS" in shown.out
    assert "108" in shown.out
    assert "version 2" in shown.out
    assert again.out == "Nothing has changed.\n"
    assert removed.out.startswith("✓ removed Bean Club, ")
    assert "It holds no pass." in empty.err
    assert (data_dir / "device.json").stat().st_mode & 0o777 == 0o600


def test_the_card_page_is_as_good_as_the_link_of_the_pass(
    call: CommandLine, shop: Served, ada: Member
):
    added = call("device", "add", card_page(shop, ada), "--json")

    assert added.code == 0
    [held] = json.loads(added.out)
    assert held["card"]["logoText"] == "Bean Club"
    assert "token" not in held


def test_watching_tells_each_change_as_it_comes(
    call: CommandLine, shop: Served, ada: Member, link: str
):
    call("device", "add", link)
    process = subprocess.Popen(
        [PROGRAM, "device", "watch", "--changes", "1", "--every", "0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        while "Watching" not in process.stdout.readline():
            assert process.poll() is None
        buy(shop, ada)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()

    assert (process.returncode, err) == (0, "")
    assert "You now have 108 beans." in out
    assert re.search(r", version \d, ", out)


@pytest.mark.parametrize(
    ("case", "words", "message"),
    [
        ("a link that is forged", ["add", "{server}/passes/x"], "403, This link is not genuine"),
        ("a page that is gone", ["add", "{server}/c/x"], "the server said 404"),
        ("a page without a pass", ["add", "{server}/"], "This page offers no pass"),
        ("no address", ["add", "card.pkpass"], "is no address of a pass"),
        ("no such root", ["add", "{link}", "--root", "nowhere.pem"], "nowhere.pem"),
        ("nothing to watch", ["watch"], "It holds no pass to watch"),
        ("nothing to remove", ["remove"], "Which pass? It holds none"),
        ("not that one", ["remove", "x"], "This device holds no pass x. It holds none"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    call: CommandLine, shop: Served, link: str, case: str, words: list[str], message: str
):
    done = call("device", *(one.format(server=shop.address, link=link) for one in words))

    assert done.code == 1
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_damaged_memory_is_told_and_left_alone(call: CommandLine, data_dir: Path):
    data_dir.mkdir()
    memory = data_dir / "device.json"
    memory.write_text("{")

    done = call("device", "show")

    assert done.code == 1
    assert "device.json is damaged; remove it, and the device begins anew." in done.err
    assert memory.read_text() == "{"
