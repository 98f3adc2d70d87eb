"""Members' tokens: what is good, and every way to be refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty_graph.config import MemberAlgorithm, MemberIssuer
from loyalty_graph.errors import UnauthenticatedError
from loyalty_graph.identity.member_tokens import MemberClaims, MemberTokens
from tests.identity.signers import ED, ES, RS, Signer, jwks, unsigned

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = 3600
WEAK = Signer.of("RS256", "weak", bits=1024)
STRANGER = Signer.of("EdDSA", "ed")
CLAIMS = {
    "iss": "https://login.example",
    "aud": "loyalty",
    "sub": "crm-7",
    "exp": int(NOON.timestamp()) + HOUR,
}


def issuer(**changes: Any) -> MemberIssuer:
    return MemberIssuer(
        **{"issuer": "https://login.example", "audience": "loyalty", "jwks": "keys", **changes}
    )


async def fetch(source: str) -> bytes:
    return jwks(*({"keys": (ED, RS, ES, WEAK), "others": (STRANGER,)}[source]))


def claims(**changes: Any) -> dict[str, Any]:
    """Return good claims with changes; None takes one away."""
    return {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}


def tampered(**changes: Any) -> str:
    """Return a token whose claims were changed after it was signed."""
    head, _, signature = ED.sign(claims()).split(".")
    return f"{head}.{unsigned(claims(**changes), {}).split('.')[1]}.{signature}"


async def read(text: str, *issuers: MemberIssuer, now: datetime = NOON) -> MemberClaims:
    return await MemberTokens(issuers or (issuer(),), fetch=fetch).claims(text, now=now)


@pytest.mark.parametrize("signer", [ED, RS, ES], ids=lambda signer: signer.algorithm)
async def test_a_good_token_says_who_and_until_when(signer: Signer):
    found = await read(signer.sign(claims()))

    until = NOON + timedelta(seconds=HOUR + 30)
    assert found == MemberClaims(None, "external_id", "crm-7", until)


async def test_the_issuer_or_the_token_says_which_programme():
    text = ED.sign(claims(program="bean-club"))

    assert (await read(text)).program == "bean-club"
    assert (await read(text, issuer(program="tea-club"))).program == "tea-club"


async def test_an_audience_may_be_one_of_several():
    assert (await read(ED.sign(claims(aud=["shop", "loyalty"])))).subject == "crm-7"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("no token", "a.b.c", "not a member's token"),
        ("too long", ED.sign(claims(pad="x" * 9000)), "not a member's token"),
        ("cut off", ED.sign(claims())[:-8], "not a member's token|not genuine"),
        ("tampered", tampered(sub="crm-8"), "not genuine"),
        ("another key of that name", STRANGER.sign(claims()), "not genuine"),
        ("a key nobody named", Signer.of("EdDSA", "x").sign(claims()), "does not name"),
        ("no algorithm", unsigned(claims(), {"alg": "none"}), "must be signed with"),
        ("no algorithm, spelled oddly", unsigned(claims(), {"alg": "nOnE"}), "must be signed with"),
        ("no header at all", unsigned(claims(), {}), "must be signed with"),
        (
            "the public key as a secret",
            unsigned(claims(), {"alg": "HS256", "kid": "rs"}, secret=RS.public_pem()),
            "must be signed with",
        ),
        (
            "the public key as a secret, under the right name",
            unsigned(claims(), {"alg": "RS256", "kid": "rs"}, secret=RS.public_pem()),
            "not genuine",
        ),
        (
            "another algorithm than its key's",
            unsigned(claims(), {"alg": "ES256", "kid": "rs"}, secret=b"x"),
            "does not name",
        ),
        ("a short key", WEAK.sign(claims()), "not genuine"),
        ("an unknown critical header", ED.sign(claims(), crit=["b65"]), "not"),
        ("another issuer", ED.sign(claims(iss="https://evil.example")), "not trusted here"),
        ("no issuer", ED.sign(claims(iss=None)), "not trusted here"),
        ("another audience", ED.sign(claims(aud="shop")), "another audience"),
        ("no audience", ED.sign(claims(aud=None)), "lacks the claim aud"),
        ("no end", ED.sign(claims(exp=None)), "lacks the claim exp"),
        ("nobody", ED.sign(claims(sub=None)), "lacks the claim sub"),
        ("an empty name", ED.sign(claims(sub="")), "names nobody"),
        ("a long name", ED.sign(claims(sub="x" * 201)), "names nobody"),
        ("a programme that is no text", ED.sign(claims(program=7)), "names no programme"),
        ("over", ED.sign(claims(exp=int(NOON.timestamp()) - 30)), "has expired"),
        ("an end that is no time", ED.sign(claims(exp="soon")), "exp is no time"),
        ("an end that is true", ED.sign(claims(exp=True)), "exp is no time"),
        ("not yet", ED.sign(claims(nbf=int(NOON.timestamp()) + 31)), "not good yet"),
        ("from the future", ED.sign(claims(iat=int(NOON.timestamp()) + 31)), "not good yet"),
    ],
)
async def test_what_is_not_good_is_refused_and_says_why(name: str, text: str, message: str):
    with pytest.raises(UnauthenticatedError, match=message) as refusal:
        await read(text)

    assert text not in refusal.value.message


async def test_the_leeway_covers_clocks_that_differ():
    second = int(NOON.timestamp())

    assert await read(ED.sign(claims(exp=second - 29)))
    assert await read(ED.sign(claims(nbf=second + 30, iat=second + 30)))
    with pytest.raises(UnauthenticatedError, match="has expired"):
        await read(ED.sign(claims(exp=second)), issuer(leeway_s=0))


async def test_an_end_beyond_all_dates_is_a_year_ahead():
    found = await read(ED.sign(claims(exp=1e300)))

    assert found.expires_at == NOON + timedelta(days=366, seconds=30)


@pytest.mark.parametrize(("signer", "pinned"), [(RS, "ES256"), (ED, "RS256")])
async def test_algorithms_are_pinned_for_each_issuer(signer: Signer, pinned: MemberAlgorithm):
    with pytest.raises(UnauthenticatedError, match=f"must be signed with {pinned}"):
        await read(signer.sign(claims()), issuer(algorithms=(pinned,)))


async def test_one_issuer_cannot_speak_for_another():
    other = issuer(issuer="https://other.example", jwks="others")

    assert await read(STRANGER.sign(claims(iss="https://other.example")), issuer(), other)
    with pytest.raises(UnauthenticatedError, match="not genuine"):
        await read(STRANGER.sign(claims()), issuer(), other)


async def test_nobody_is_trusted_by_default():
    with pytest.raises(UnauthenticatedError, match="not trusted here"):
        await MemberTokens(()).claims(ED.sign(claims()), now=NOON)
