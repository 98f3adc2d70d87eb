"""What the fake Google still knows after it was stopped and started again."""

from pathlib import Path

import pytest

from loyalty_graph.sandbox import google_keeping
from loyalty_graph.sandbox.google_accounts import ServiceAccount
from loyalty_graph.sandbox.google_store import Store
from tests.sandbox.googling import CARD, CLASS, ISSUER, OBJECT_ID


def test_classes_objects_and_holders_are_there_again(tmp_path: Path):
    before, after = Store(ISSUER), Store(ISSUER)
    before.insert_class(CLASS)
    before.insert_object(CARD)
    before.save(OBJECT_ID, "ada")

    google_keeping.write(before, tmp_path / "google.json")
    google_keeping.read(after, tmp_path / "google.json")

    assert after == before
    assert after.objects[OBJECT_ID]["hasUsers"]
    assert (tmp_path / "google.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, "", "[]", '{"classes": 3}'])
def test_a_file_that_is_missing_or_damaged_leaves_it_empty(tmp_path: Path, content: str | None):
    path, store = tmp_path / "google.json", Store(ISSUER)
    if content is not None:
        path.write_text(content)

    google_keeping.read(store, path)

    assert store == Store(ISSUER)


def test_the_account_stays_the_same_at_another_address(tmp_path: Path):
    first = ServiceAccount("http://one.test/token")
    first.write(tmp_path / "account.json")

    again = ServiceAccount.kept(tmp_path / "account.json", "http://two.test/token")

    assert again.token_url == "http://two.test/token"
    assert again.key_id == first.key_id
    assert again.key.private_numbers() == first.key.private_numbers()


@pytest.mark.parametrize("content", [None, "{", "{}", '{"private_key": "no key"}'])
def test_an_account_that_cannot_be_read_is_a_new_one(tmp_path: Path, content: str | None):
    path = tmp_path / "account.json"
    if content is not None:
        path.write_text(content)

    assert ServiceAccount.kept(path, "http://one.test/token").key.key_size == 2048
