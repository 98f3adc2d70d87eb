"""Links to passes are signed with the newest key, and those of before work for their week."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from loyalty_graph.config import Settings
from loyalty_graph.errors import UnauthenticatedError
from loyalty_graph.signing import sign_link
from loyalty_graph.wallet.key_rings import add_key
from loyalty_graph.wallet.link_keys import FOLDER, PURPOSE, LinkKeys
from tests.shop import DAY, NOON

SECRET = "s" * 32


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, secret_key=SECRET)  # type: ignore[arg-type] # pydantic reads it


def rotated(settings: Settings, at: datetime) -> None:
    path = add_key(settings.data_dir / FOLDER).path
    os.utime(path, (at.timestamp(), at.timestamp()))


def test_a_link_of_before_works_for_its_week_and_no_longer(settings: Settings):
    server, other = LinkKeys(settings), LinkKeys(settings)
    old = server.sign("club/1", now=NOON)
    rotated(settings, NOON + timedelta(hours=1))

    new = server.sign("club/2", now=NOON + DAY)

    assert other.read(new, now=NOON + DAY) == "club/2", "a server takes a new key up by itself"
    assert server.read(old, now=NOON + 6 * DAY) == "club/1"
    with pytest.raises(UnauthenticatedError, match="expired"):
        server.read(old, now=NOON + 7 * DAY)


def test_an_old_key_signs_nothing_that_is_believed(settings: Settings):
    rotated(settings, NOON)
    until = NOON + 9 * DAY
    forged = sign_link(PURPOSE, "club/1", key=SECRET.encode(), expires_at=until)

    with pytest.raises(UnauthenticatedError):
        LinkKeys(settings).read(forged, now=NOON + 8 * DAY)


def test_a_key_rotated_twice_within_a_week_is_still_good(settings: Settings):
    server = LinkKeys(settings)
    links = [server.sign("club/1", now=NOON)]
    for day in (1, 2):
        rotated(settings, NOON + day * DAY)
        links.append(server.sign("club/1", now=NOON + day * DAY))

    assert {server.read(one, now=NOON + 3 * DAY) for one in links} == {"club/1"}
