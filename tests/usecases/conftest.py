import pytest

from loyalty_graph.members.models import Member
from tests.shop import Shop, open_shop


@pytest.fixture
async def shop(database: object) -> Shop:
    """The test programme, open at noon."""
    return await open_shop()


@pytest.fixture
async def ada(shop: Shop) -> Member:
    """A member without points."""
    return await shop.enrol(email="Ada@Example.com", first_name="Ada", last_name="Lovelace")
