"""What Google's answers mean, told by their bodies."""

from typing import Any

import pytest

from loyalty_graph.wallet.google.answers import Outcome, read_answer

PERMISSION = {
    "error": {
        "code": 403,
        "message": "Permission denied. No quota for you.",
        "status": "PERMISSION_DENIED",
        "errors": [{"domain": "global", "reason": "permissionDenied", "message": "quota"}],
    }
}
OLD_QUOTA = {"error": {"code": 403, "errors": [{"reason": "quotaExceeded"}]}}
NEW_QUOTA = {
    "error": {
        "code": 403,
        "status": "PERMISSION_DENIED",
        "details": [{"@type": "google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"}],
    }
}


@pytest.mark.parametrize(
    ("status", "body", "expected", "because"),
    [
        (403, PERMISSION, Outcome.FORBIDDEN, "403 PERMISSION_DENIED permissionDenied"),
        (403, OLD_QUOTA, Outcome.QUOTA, "403 quotaExceeded"),
        (403, NEW_QUOTA, Outcome.QUOTA, "403 PERMISSION_DENIED RATE_LIMIT_EXCEEDED"),
        (403, None, Outcome.FORBIDDEN, "403"),
        (429, None, Outcome.QUOTA, "429"),
        (401, {"error": {"status": "UNAUTHENTICATED"}}, Outcome.FORBIDDEN, "401 UNAUTHENTICATED"),
        (400, {"error": "invalid_grant"}, Outcome.REFUSED, "400 invalid_grant"),
        (404, {"error": {"errors": "odd", "details": [7]}}, Outcome.ABSENT, "404"),
        (409, {"error": {"status": "key: a secret"}}, Outcome.EXISTS, "409"),
        (408, None, Outcome.LATER, "408"),
        (503, ["odd"], Outcome.LATER, "503"),
        (302, None, Outcome.LATER, "302"),
        (200, None, Outcome.LATER, "200 with something else than JSON"),
        (200, {"id": "7"}, Outcome.DONE, ""),
    ],
)
def test_wrong_permission_is_not_reported_as_quota_nor_quota_as_permission(
    status: int, body: Any, expected: Outcome, because: str
):
    answer = read_answer(status, body)

    assert (answer.outcome, answer.because) == (expected, because)


def test_what_a_server_may_have_done_all_the_same_is_marked():
    assert read_answer(500, None).heard
    assert read_answer(200, None).heard
    assert not read_answer(429, None).heard
    assert not read_answer(403, OLD_QUOTA).heard


@pytest.mark.parametrize(
    ("text", "wait_s"), [("7", 7.0), ("99999", 600.0), (None, 0.0), ("soon", 0.0), ("-1", 0.0)]
)
def test_the_wait_google_asks_for_is_bounded(text: str | None, wait_s: float):
    assert read_answer(503, None, retry_after=text).wait_s == wait_s
