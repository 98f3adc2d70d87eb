import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from loyalty_graph.errors import UnauthenticatedError
from loyalty_graph.signing import read_link, sign_link

KEY = b"k" * 32
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=10)


def link() -> str:
    return sign_link("pass", "member-1", key=KEY, expires_at=LATER)


def test_a_link_opens_its_subject_until_it_expires():
    last_moment = LATER - timedelta(microseconds=1)

    assert read_link(link(), purpose="pass", key=KEY, now=NOON) == "member-1"
    assert read_link(link(), purpose="pass", key=KEY, now=last_moment) == "member-1"


def test_the_same_link_is_made_again():
    assert link() == link()


def test_an_expired_link_says_so():
    with pytest.raises(UnauthenticatedError, match="expired"):
        read_link(link(), purpose="pass", key=KEY, now=LATER)


def test_a_link_for_another_purpose_opens_nothing():
    with pytest.raises(UnauthenticatedError, match="made for something else"):
        read_link(link(), purpose="card-page", key=KEY, now=NOON)


def unsigned(claims: dict[str, object]) -> str:
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in parts) + "."


CLAIMS = {"aud": "pass", "sub": "member-1", "exp": int(LATER.timestamp())}


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="no token at all"),
        pytest.param("ü.ü.ü", id="not ASCII"),
        pytest.param(unsigned(CLAIMS), id="algorithm none"),
        pytest.param(jwt.encode(CLAIMS, b"x" * 32, algorithm="HS256"), id="another key"),
        pytest.param(jwt.encode(CLAIMS, b"k" * 64, algorithm="HS512"), id="another algorithm"),
        pytest.param(jwt.encode({**CLAIMS, "sub": None}, KEY), id="no subject"),
        pytest.param(jwt.encode({"aud": "pass", "sub": "m"}, KEY), id="never expires"),
        pytest.param(jwt.encode({"sub": "m", "exp": 1}, KEY), id="no purpose"),
    ],
)
def test_a_link_that_is_not_ours_is_not_genuine(token: str):
    with pytest.raises(UnauthenticatedError, match=r"^This link is not genuine\.$"):
        read_link(token, purpose="pass", key=KEY, now=NOON)


def test_a_changed_link_is_not_genuine():
    head, body, signature = link().split(".")
    changed = body[:-2] + ("A" if body[-2] != "A" else "B") + body[-1]

    with pytest.raises(UnauthenticatedError, match="not genuine"):
        read_link(f"{head}.{changed}.{signature}", purpose="pass", key=KEY, now=NOON)
