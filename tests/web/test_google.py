"""The door that Google calls: what it answers, and that wrong calls leave nothing but a line."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from loyalty_graph.sandbox.google_callbacks import CallbackFault
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.web.google import BODY_BYTES_MAX
from tests.api import Api, application
from tests.shop import NOON
from tests.wallet.google.stage import Stage
from tests.wallet.google.test_callbacks import signed
from tests.web.conftest import Linked

PATH = "/google/callback"


@pytest.fixture
def stage(api: Api) -> Stage:
    stage = Stage(api.shop)
    state = application(api.client).state
    state.desk = replace(state.desk, google=stage.desk)
    return stage


@pytest.fixture
def card(api: Api, stage: Stage, ada: Linked) -> str:
    return api.run(stage.card, ada.member)


def installed(api: Api) -> bool:
    return bool(api.run(PassRow.filter(installed_at=NOON).exists))


def test_a_save_is_taken_once_however_often_it_is_told(api: Api, stage: Stage, card: str):
    body = signed(stage, card)

    answers = [api.client.post(PATH, content=body) for _ in range(2)]

    assert [(one.status_code, one.text) for one in answers] == [
        (200, "applied"),
        (200, "seen before"),
    ]
    assert installed(api)


@pytest.mark.parametrize(
    ("case", "status", "line"),
    [
        ("expired", 403, "expired"),
        ("wrong issuer", 401, "not signed by Google for this issuer"),
        ("garbage", 400, "not a callback"),
        ("unknown", 404, "of a pass that is not here"),
        ("oversized", 413, "it is too large"),
    ],
)
def test_a_wrong_callback_is_refused_with_one_line_that_tells_nothing_of_it(  # noqa: PLR0913, PLR0917 - fixtures
    api: Api,
    stage: Stage,
    card: str,
    case: str,
    status: int,
    line: str,
    caplog: pytest.LogCaptureFixture,
):
    makers: dict[str, Callable[[], bytes]] = {
        "expired": lambda: signed(stage, card, fault=CallbackFault.EXPIRED),
        "wrong issuer": lambda: signed(stage, card, fault=CallbackFault.WRONG_ISSUER),
        "garbage": lambda: b"\xff{",
        "unknown": lambda: signed(stage, "c7"),
        "oversized": lambda: b" " * (BODY_BYTES_MAX + 1),
    }

    answer = api.client.post(PATH, content=makers[case]())

    assert answer.status_code == status
    lines = [one.message for one in caplog.records if one.name.startswith("loyalty_graph")]
    assert lines == [f"A callback of Google's was refused: {line}"]
    assert not installed(api)


def test_without_an_account_there_is_no_door(api: Api):
    client: TestClient = api.client

    assert client.post(PATH, content=b"{}").status_code == 404
    assert client.get(PATH).status_code == 405
