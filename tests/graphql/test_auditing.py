"""The audit log through the API: who changed what, from what to what, and why."""

from typing import Any

import orjson
import pytest
from tortoise.exceptions import IntegrityError

from loyalty_graph.graphql.ids import decode_id
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.models import AuditEntry
from loyalty_graph.identity.rules import Role
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.usecases import members
from loyalty_graph.worker.numbering import Numbering
from tests.api import OTHER_PROGRAM, Api, member_id, receipt
from tests.shop import DAY, by_id, program
from tests.tiers.shop import with_tiers

LOG = """query ($first: Int! = 100, $after: String, $actor: String, $target: MemberRef,
    $about: String, $since: DateTime) {
    auditLog(first: $first, after: $after, actor: $actor, target: $target, about: $about,
        since: $since) {
    nodes { kind actor { kind name } about before after reason member { id } }
    totalCount pageInfo { hasNextPage endCursor } } }"""

JOINED = ("member.enrolled", None, {"status": "ACTIVE"}, "")


@pytest.fixture
def mona(api: Api) -> str:
    return api.staff("Mona")


def number(api: Api) -> None:
    """Let facts get their numbers, as a worker does."""

    async def step() -> None:
        numbering = Numbering(clock=lambda: api.now)
        await numbering.step()
        await numbering.close()

    api.run(step)


def log(api: Api, **asked: Any) -> list[tuple[str, Any, Any, str]]:
    """Return (kind, before, after, reason) of the entries about members, newest first."""
    number(api)
    nodes = api.data(LOG, asked)["auditLog"]["nodes"]
    return [
        (one["kind"], _read(one["before"]), _read(one["after"]), one["reason"])
        for one in nodes
        if one["member"]
    ]


def _read(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def given(member: Member, key: str, **changes: Any) -> dict[str, Any]:
    return {"idempotencyKey": key, "member": {"id": member_id(member)}, **changes}


def test_a_change_stands_there_with_what_was_and_what_is(api: Api, ada: Member, mona: str):
    who = {"member": {"id": member_id(ada)}}
    api.do("updateMember", {**who, "email": "ada@example.org"}, "", token=mona)
    consent = {"purpose": "TERMS", "granted": True}
    api.do("setConsent", {**who, "consents": [consent]}, "", token=mona)
    api.do("adjustPoints", given(ada, "a", points=5, reason="a cup"), "", token=mona)
    api.do("lockMember", given(ada, "l", reason="odd", mayEarn=True), "", token=mona)
    api.do("closeMember", given(ada, "c"), "", token=mona)

    found = log(api, target={"id": member_id(ada)})

    suspended = {"status": "SUSPENDED"}
    assert found == [
        ("member.closed", suspended, {"status": "CLOSED", "forfeited": 5}, ""),
        (
            "member.status_changed",
            {"status": "ACTIVE", "mayEarn": True},
            {"status": "SUSPENDED", "mayEarn": True},
            "odd",
        ),
        ("points.adjusted", {"balance": 0}, {"balance": 5, "points": 5, "entry": 1}, "a cup"),
        ("consent.changed", {"TERMS": None}, {"TERMS": True}, ""),
        ("member.updated", {"email": "ada@example.com"}, {"email": "ada@example.org"}, ""),
        JOINED,
    ]
    [node, *_] = api.data(LOG, {"target": {"id": member_id(ada)}})["auditLog"]["nodes"]
    assert node["actor"] == {"kind": "STAFF", "name": "Mona"}
    assert node["member"] == {"id": member_id(ada)}


def test_a_merge_stands_there_with_the_points_that_left(api: Api, ada: Member, mona: str):
    bea = api.run(api.shop.enrol, email="bea@example.com")
    api.do("adjustPoints", given(ada, "a", points=5, reason="a cup"), "", token=mona)
    both = {"from": {"id": member_id(ada)}, "into": {"id": member_id(bea)}}
    api.do("mergeMembers", {"idempotencyKey": "m", **both, "reason": "one person"}, "", token=mona)

    newest = log(api)[0]

    after = {"into": str(bea.id), "balance": 0}
    assert newest == ("member.merged", {"balance": 5}, after, "one person")


def test_a_tier_by_hand_and_an_approval_stand_there(api: Api, ada: Member, mona: str):
    settings = {**with_tiers(), "program": program(approval_above=500)["program"]}
    api.open_shop(settings)
    until = "2026-04-01T00:00:00Z"
    tier = given(ada, "t", tier="GOLD", until=until, reason="status match")
    api.do("overrideTier", tier, "", token=mona)
    ask = given(ada, "a", points=501, reason="a kettle")
    asked = api.do("adjustPoints", ask, "approval { id }", token=api.staff("Alan", Role.AGENT))
    approval = asked["approval"]["id"]
    decision = {"idempotencyKey": "d", "approvalId": approval, "note": "seen"}
    api.do("approveAdjustment", decision, "", token=mona)

    kinds = [(kind, reason) for kind, _, _, reason in log(api)]

    assert kinds == [
        ("approval.approved", "seen"),
        ("points.adjusted", "a kettle"),
        ("approval.asked", "a kettle"),
        ("member.tier_overridden", "status match"),
        ("member.enrolled", ""),
    ]
    about = api.data(LOG)["auditLog"]["nodes"][0]["about"]
    named = decode_id(approval, expected="Approval", field="id").pair(field="id")
    assert about == f"approval:{named[1]}"


def test_what_members_do_for_themselves_and_what_is_sold_does_not(
    api: Api, ada: Member, ada_asks: str
):
    mine = {"member": {"id": member_id(ada)}, "firstName": "Ada"}
    api.do("updateMember", mine, "", token=ada_asks)
    api.do("recordPurchase", receipt(ada), "")

    assert log(api) == [JOINED]


def test_operators_stand_there_with_their_tokens(api: Api, ada: Member):
    api.run(
        members.set_status, api.shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=api.now
    )
    text = api.token("members:read")
    viewer = api.run(identity.viewer_for, text, api.now)
    api.run(identity.revoke_token, api.shop.program_id, viewer.token_id, now=api.now)
    api.run(identity.revoke_token, api.shop.program_id, viewer.token_id, now=api.now)
    number(api)

    nodes = api.data(LOG, {"actor": "cli"})["auditLog"]["nodes"]

    about = f"token:{viewer.token_id}"
    assert [one["kind"] for one in nodes if one["about"] == about] == [
        "token.revoked",
        "token.created",
    ]
    assert {one["actor"]["kind"] for one in nodes} == {"CLI"}
    assert nodes[-1]["after"] is None or "lg_live" not in str(nodes)


def test_a_change_stands_there_once_however_often_facts_are_numbered(api: Api, ada: Member):
    api.do("adjustPoints", given(ada, "a", points=5, reason="a cup"), "")

    assert len(log(api)) == len(log(api)) == 2


def test_entries_can_neither_be_changed_nor_removed(api: Api, ada: Member):
    api.do("adjustPoints", given(ada, "a", points=5, reason="a cup"), "")
    number(api)

    with pytest.raises(IntegrityError, match="append-only"):
        api.run(lambda: AuditEntry.all().update(actor="cli"))
    with pytest.raises(IntegrityError, match="append-only"):
        api.run(lambda: AuditEntry.all().delete())


def test_after_erasing_it_stays_known_who_did_what_but_not_what_it_was(api: Api, ada: Member):
    who = {"member": {"id": member_id(ada)}}
    api.do("updateMember", {**who, "email": "ada@example.org"}, "")
    api.do("eraseMember", given(ada, "e"), "")

    assert log(api) == [
        ("member.erased", {"status": "ACTIVE"}, {"status": "ERASED"}, ""),
        ("member.closed", {"status": "ACTIVE"}, {"status": "CLOSED", "forfeited": 0}, ""),
        ("member.updated", None, None, ""),
        ("member.enrolled", None, None, ""),
    ]


def test_the_log_comes_in_pages_and_of_one_programme(api: Api, ada: Member):
    for points in (1, 2, 3):
        api.do("adjustPoints", given(ada, f"{points}", points=points, reason="x"), "")
    number(api)
    asked = {"target": {"id": member_id(ada)}, "first": 2}

    newest = api.data(LOG, asked)["auditLog"]
    rest = api.data(LOG, {**asked, "after": newest["pageInfo"]["endCursor"]})["auditLog"]
    stranger = api.token("admin", shop=api.open_shop(OTHER_PROGRAM))
    theirs = api.data(LOG, token=stranger)["auditLog"]["nodes"]

    assert (newest["totalCount"], newest["pageInfo"]["hasNextPage"]) == (4, True)
    assert (len(newest["nodes"]), len(rest["nodes"])) == (2, 2)
    assert [one for one in theirs if one["member"]] == []


def test_it_is_asked_for_one_thing_for_all_of_a_kind_and_since_a_moment(api: Api, ada: Member):
    api.run(identity.partner_named, api.shop.program_id, "Kiosk", now=api.now)
    api.now += DAY
    api.do("adjustPoints", given(ada, "a", points=5, reason="a cup"), "")
    number(api)

    def kinds(**asked: Any) -> list[str]:
        return [one["kind"] for one in api.data(LOG, asked)["auditLog"]["nodes"]]

    made = api.data(LOG, {"about": "partner"})["auditLog"]["nodes"]
    assert [one["kind"] for one in made] == ["partner.created", "partner.created"]
    assert kinds(about=made[0]["about"]) == ["partner.created"]
    assert kinds(about="part") == []
    assert kinds(since=api.now.isoformat())[0] == "points.adjusted"
    assert kinds(since=(api.now + DAY).isoformat()) == []


def test_auditors_read_it_and_agents_do_not(api: Api, ada: Member):
    query = "{ auditLog { totalCount } }"

    assert api.data(query, token=api.staff("Au", Role.AUDITOR))
    assert api.error(query, token=api.staff("Alan", Role.AGENT)) == "FORBIDDEN"
