"""The whole application at noon, with a member whose card somebody may look at."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import Api, card_link, open_api
from tests.shop import Shop


@dataclass(frozen=True)
class Linked:
    """A member, and the path of a link to the card."""

    api: Api
    member: Member
    id: str
    path: str

    @property
    def shop(self) -> Shop:
        return self.api.shop.at(self.api.now)

    def revoke(self) -> None:
        self.api.do("revokeCardLink", {"linkId": self.id}, "")


@pytest.fixture
def api(database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with open_api(database_url, data_dir, monkeypatch) as api:
        yield api


def link_to(api: Api, **profile: Any) -> Linked:
    """Enrol a member and make a link."""
    member = api.run(api.shop.at(api.now).enrol, **profile)
    link = api.do("createCardLink", card_link(member), "link { id url }")["link"]
    return Linked(api, member, link["id"], "/" + link["url"].split("/", 3)[3])


@pytest.fixture
def ada(api: Api) -> Linked:
    return link_to(api, first_name="Ada", last_name="Lovelace")
