"""Roll-outs of a change of the cards' look, as the programme's owner watches and stops them."""

from typing import Any

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.wallet import rollouts, service
from tests.api import OTHER_PROGRAM, Api
from tests.shop import DAY

SHOWN = "rollout { id state members marked endedAt }"
ROLLOUTS = """query ($first: Int! = 20) { cardRollouts(first: $first) {
    id reason state members marked begunAt endedAt } }"""


def begin(api: Api, reason: str = "branding") -> str:
    """Begin a roll-out to two members; return its id."""

    async def work() -> str:
        members = [await api.shop.enrol() for _ in range(2)]
        await service.issue(api.shop.program_id, [one.id for one in members], now=api.now)
        return str((await rollouts.start(api.shop.program_id, reason, now=api.now)).id)

    return encode_id("CardRollout", api.run(work))


def shown(api: Api, **variables: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.data(ROLLOUTS, variables)["cardRollouts"]
    return found


def test_the_newest_roll_out_comes_first_and_ends_the_one_before(api: Api):
    first = begin(api)
    api.now += DAY
    second = begin(api, "template store-card")

    newest, before = shown(api)

    assert newest == {
        "id": second,
        "reason": "template store-card",
        "state": "RUNNING",
        "members": 4,
        "marked": 0,
        "begunAt": "2026-03-03T12:00:00Z",
        "endedAt": None,
    }
    assert (before["id"], before["state"]) == (first, "SUPERSEDED")
    assert before["endedAt"] == "2026-03-03T12:00:00Z"
    assert [one["id"] for one in shown(api, first=1)] == [second]


def test_a_roll_out_rests_and_goes_on(api: Api):
    rollout = {"rolloutId": begin(api)}

    answers = [
        api.do(mutation, rollout, SHOWN)
        for mutation in ("pauseRollout", "pauseRollout", "resumeRollout", "resumeRollout")
    ]

    assert [one["rollout"]["state"] for one in answers] == [
        *("PAUSED", "PAUSED", "RUNNING", "RUNNING")
    ]
    assert answers[-1]["rollout"] == {
        "id": rollout["rolloutId"],
        "state": "RUNNING",
        "members": 2,
        "marked": 0,
        "endedAt": None,
    }


def test_a_roll_out_that_is_over_is_left_as_it_is(api: Api):
    over = {"rolloutId": begin(api)}
    begin(api)
    before = shown(api)

    for mutation in ("pauseRollout", "resumeRollout"):
        assert api.refusal(mutation, over) == ("NOT_FOUND", "rolloutId")
        assert api.refusal(mutation, {"rolloutId": "x"}) == ("INVALID_INPUT", "rolloutId")

    assert shown(api) == before


def test_a_roll_out_of_another_programme_is_not_found(api: Api):
    rollout = {"rolloutId": begin(api)}
    stranger = api.token("admin", shop=api.open_shop(OTHER_PROGRAM))

    assert api.refusal("pauseRollout", rollout, token=stranger) == ("NOT_FOUND", "rolloutId")
    assert api.data(ROLLOUTS, token=stranger) == {"cardRollouts": []}
    assert [one["state"] for one in shown(api)] == ["RUNNING"]


def test_a_list_of_none_or_far_too_many_is_refused(api: Api):
    for first in (0, 101):
        assert api.error(ROLLOUTS, {"first": first}) == "INVALID_INPUT"
