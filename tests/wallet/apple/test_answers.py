from datetime import UTC, datetime

import pytest

from loyalty_graph.wallet.apple.answers import (
    DELIVERED,
    Answer,
    BadToken,
    Later,
    Refused,
    Unregistered,
    answer_of,
)


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, b"", DELIVERED),
        (200, b"whatever", DELIVERED),
        (400, b'{"reason":"BadDeviceToken"}', BadToken("BadDeviceToken")),
        (400, b'{"reason":"DeviceTokenNotForTopic"}', BadToken("DeviceTokenNotForTopic")),
        (400, b'{"reason":"TopicDisallowed"}', Refused("TopicDisallowed")),
        (400, b'{"reason":"IdleTimeout"}', Later("IdleTimeout")),
        (400, b'{"reason":"BadMessageId"}', Later("BadMessageId")),
        (403, b'{"reason":"BadCertificate"}', Refused("BadCertificate")),
        (403, b'{"reason":"BadCertificateEnvironment"}', Refused("BadCertificateEnvironment")),
        (403, b"", Refused("status 403")),
        (404, b'{"reason":"BadPath"}', Later("BadPath")),
        (429, b'{"reason":"TooManyRequests"}', Later("TooManyRequests")),
        (500, b'{"reason":"InternalServerError"}', Later("InternalServerError")),
        (503, b'{"reason":"Shutdown"}', Later("Shutdown")),
        (0, b"", Later("status 0")),
        (418, b"\xff\x00", Later("status 418")),
        (400, b'["BadDeviceToken"]', Later("status 400")),
        (500, b"[" * 4096, Later("status 500")),
        (500, b'{"reason":"a\\nb"}', Later("status 500")),
        (500, b'{"reason":12}', Later("status 500")),
    ],
)
def test_each_answer_has_one_meaning(status: int, body: bytes, meaning: Answer):
    assert answer_of(status, body) == meaning


@pytest.mark.parametrize(
    ("timestamp", "since"),
    [
        (b"1454402113000", datetime(2016, 2, 2, 8, 35, 13, tzinfo=UTC)),
        (b"0", datetime(1970, 1, 1, tzinfo=UTC)),
        (b'"yesterday"', None),
        (b"true", None),
        (b"1e308", None),
        (b"NaN", None),
        (b"null", None),
    ],
)
def test_a_device_that_is_gone_has_a_time_if_apple_says_one(
    timestamp: bytes, since: datetime | None
):
    body = b'{"reason":"Unregistered","timestamp":' + timestamp + b"}"

    assert answer_of(410, body) == Unregistered(since)


@pytest.mark.parametrize(
    ("header", "pause_s"),
    [(b"", 0), (b"17", 17), (b"999999", 3600), (b"9" * 400, 3600), (b"soon", 0), (b"-1", 0)],
)
def test_a_pause_that_is_asked_for_is_kept_within_reason(header: bytes, pause_s: float):
    assert answer_of(429, b"", retry_after=header) == Later("status 429", pause_s)
