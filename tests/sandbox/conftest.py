"""Chains are made once: their keys take a moment."""

import pytest

from loyalty_graph.wallet.apple.development_ca import IDENTITY, Chain, make_chain
from tests.wallet.making import NOW


@pytest.fixture(scope="session")
def chain() -> Chain:
    return make_chain(IDENTITY, now=NOW)
