"""The key of a service account is made once: that takes a moment."""

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.wallet.google.account import ServiceAccount, read_account
from tests.shop import open_shop
from tests.wallet.google.making import account_file, write_account
from tests.wallet.google.stage import Stage


@pytest.fixture(scope="session")
def account_text() -> str:
    return account_file(token_url="http://127.0.0.1:9/token")


@pytest.fixture(scope="session")
def account(account_text: str, tmp_path_factory: pytest.TempPathFactory) -> ServiceAccount:
    return read_account(write_account(tmp_path_factory.mktemp("account"), account_text))


@pytest.fixture
async def stage(database: object) -> Stage:
    return Stage(await open_shop())


@pytest.fixture
async def ada(stage: Stage) -> Member:
    return await stage.shop.enrol(first_name="Ada")


@pytest.fixture
async def card(stage: Stage, ada: Member) -> str:
    """A card that Google has, at a balance of 0."""
    serial = await stage.card(ada)
    await stage.brought(serial)
    stage.take_asked()
    return serial
