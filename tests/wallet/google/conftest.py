"""The key of a service account is made once: that takes a moment."""

import pytest

from loyalty_graph.wallet.google.account import ServiceAccount, read_account
from tests.wallet.google.making import account_file, write_account


@pytest.fixture(scope="session")
def account_text() -> str:
    return account_file(token_url="http://127.0.0.1:9/token")


@pytest.fixture(scope="session")
def account(account_text: str, tmp_path_factory: pytest.TempPathFactory) -> ServiceAccount:
    return read_account(write_account(tmp_path_factory.mktemp("account"), account_text))
