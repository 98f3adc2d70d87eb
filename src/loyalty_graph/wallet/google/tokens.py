"""Access tokens: an assertion signed by the service account, exchanged for a token that is kept.

Source: RFC 7523 (JWT bearer grant), and Google's "Using OAuth 2.0 for server to server".
"""

import asyncio
from datetime import datetime, timedelta

import jwt

from loyalty_graph.wallet.google.account import ServiceAccount
from loyalty_graph.wallet.google.answers import Answer, Outcome
from loyalty_graph.wallet.google.http import Request, Requests

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ALGORITHM = "RS256"
ASSERTION_LIFE = timedelta(minutes=55)
# A clock ahead of Google's would sign in the future, which is refused.
CLOCK_SKEW = timedelta(minutes=1)
RENEWED_BEFORE = timedelta(minutes=5)
TOKEN_LIFE_MAX = timedelta(hours=1)
ASKED_AGAIN_AFTER = timedelta(seconds=1)


class AccessTokens:
    """The token of one service account, asked for when there is none or it is about to end."""

    def __init__(self, account: ServiceAccount, requests: Requests) -> None:
        self._account, self._requests = account, requests
        self._asking = asyncio.Lock()
        self._token: str | None = None
        self._ends_at: datetime | None = None
        self._refused: tuple[Answer, datetime] | None = None

    async def token(self, *, now: datetime) -> str | Answer:
        """Return a token that works for some minutes, or why there is none.

        Whoever waits while another asks gets the same; a refusal stands for a second, so that a
        Google that is down is asked once for many requests.
        """
        async with self._asking:
            if self._token and self._ends_at and now < self._ends_at:
                return self._token
            if self._refused and timedelta(0) <= now - self._refused[1] < ASKED_AGAIN_AFTER:
                return self._refused[0]
            answer = await self._requests.send(self._request(now))
            if answer.outcome is Outcome.DONE:
                answer = self._keep(answer, now=now)
            if answer.outcome is Outcome.DONE:
                assert self._token is not None, "it was kept a moment ago"
                return self._token
            refusal = _refusal(answer)
            self._refused = (refusal, now)
            return refusal

    def forget(self, token: str) -> None:
        """Ask for another one next time, since Google does not know this one any more."""
        if self._token == token:
            self._token = None

    def _keep(self, answer: Answer, *, now: datetime) -> Answer:
        token, life_s = answer.body.get("access_token"), answer.body.get("expires_in")
        if not isinstance(token, str) or not token.isascii() or not isinstance(life_s, int):
            return Answer(Outcome.LATER, "it cannot be used")
        life = min(timedelta(seconds=min(max(life_s, 0), 86_400)), TOKEN_LIFE_MAX)
        # A short one is used for half its life, so that no request is without.
        self._token, self._ends_at = token, now + max(life - RENEWED_BEFORE, life / 2)
        return answer

    def _request(self, now: datetime) -> Request:
        issued_at = now - CLOCK_SKEW
        claims = {
            "iss": self._account.email,
            "scope": SCOPE,
            "aud": self._account.token_url,
            "iat": int(issued_at.timestamp()),
            "exp": int((issued_at + ASSERTION_LIFE).timestamp()),
        }
        headers = {"kid": self._account.key_id}
        assertion = jwt.encode(claims, self._account.key, algorithm=ALGORITHM, headers=headers)
        form = {"grant_type": GRANT, "assertion": assertion}
        return Request("POST", self._account.token_url, form=form)


def _refusal(answer: Answer) -> Answer:
    """Return what having no token means for a request: that it was not even sent."""
    waits = answer.outcome in {Outcome.LATER, Outcome.QUOTA}
    outcome = answer.outcome if waits else Outcome.FORBIDDEN
    return Answer(outcome, f"no token: {answer.because}", wait_s=answer.wait_s)
