"""Checkpoints as everybody may read and keep them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from loyalty_graph.ledger.checkpoints import Signed, key_id, read
from loyalty_graph.usecases import checkpoints
from tests.api import OTHER_PROGRAM, Api
from tests.shop import DAY, NOON

CHECKPOINTS = """query ($slug: String, $first: Int! = 20, $after: String) {
    ledgerCheckpoints(slug: $slug, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { number at heads transfers root previous
    publicKey keyId signature document } } }"""


@pytest.fixture
def three(api: Api, tmp_path: Path) -> list[Signed]:
    """Three checkpoints, on three days, of a programme whose only member buys each day."""
    ada, made = api.run(api.shop.enrol), []
    for day in range(3):
        api.run(api.shop.later(day * DAY).buy, ada)
        now = NOON + day * DAY + timedelta(hours=1)
        made.append(api.run(checkpoints.make, api.shop.program_id, now=now, keys=tmp_path))
    return made


def asked(api: Api, **variables: Any) -> Any:
    return api.data(CHECKPOINTS, variables, token=None)["ledgerCheckpoints"]


def test_everybody_reads_them_newest_first(api: Api, three: list[Signed]):
    found = asked(api, first=2)
    rest = asked(api, first=2, after=found["pageInfo"]["endCursor"])

    newest = three[2].checkpoint
    assert (found["totalCount"], found["pageInfo"]["hasNextPage"]) == (3, True)
    assert [one["number"] for one in (*found["nodes"], *rest["nodes"])] == [3, 2, 1]
    assert {name: found["nodes"][0][name] for name in ("at", "heads", "transfers")} == {
        "at": "2026-03-04T13:00:00Z",
        "heads": 1,
        "transfers": 3,
    }
    assert found["nodes"][0]["root"] == newest.root.hex()
    assert found["nodes"][0]["previous"] == three[1].checkpoint.digest.hex()
    assert found["nodes"][0]["publicKey"] == newest.public_key.hex()
    assert found["nodes"][0]["keyId"] == key_id(newest.public_key)
    assert found["nodes"][0]["signature"] == three[2].signature.hex()
    assert rest["nodes"][0]["previous"] is None


def test_the_document_is_what_is_published(api: Api, three: list[Signed]):
    documents = [one["document"].encode() for one in asked(api)["nodes"]]

    assert [read(one) for one in documents] == three[::-1]
    assert all(orjson.loads(one)["format"] == "loyalty-graph checkpoint 1" for one in documents)


def test_each_programme_has_its_own(api: Api, three: list[Signed]):
    api.open_shop(OTHER_PROGRAM)

    assert asked(api, slug="tea-club") == {
        "totalCount": 0,
        "pageInfo": {"hasNextPage": False, "endCursor": None},
        "nodes": [],
    }
    assert asked(api, slug="bean-club")["totalCount"] == 3


def test_a_cursor_of_another_list_is_refused(api: Api, three: list[Signed]):
    assert api.error(CHECKPOINTS, {"after": "abc"}, token=None) == "INVALID_INPUT"
