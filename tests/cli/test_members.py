"""Looking at a member, and changing where he stands."""

import pytest

from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine


def test_a_member_is_shown_with_his_newest_entries(call: CommandLine, ada: Member):
    done = call("member", "show", ada.number)

    first, *entries = done.out.splitlines()
    assert (done.code, first) == (0, f"{ada.number}  active  216 points to spend")
    assert [line.split()[0::3] for line in entries] == [["2", "EARN"], ["1", "EARN"]]
    assert [line.split()[-2:] for line in entries] == [["+108", "216"], ["+108", "108"]]


def test_a_member_is_found_by_id_too(call: CommandLine, ada: Member):
    shown = call("member", "show", ada.id, "--json").json

    assert (shown["number"], shown["available"], shown["balance"]) == (ada.number, 216, 216)
    assert [entry["points"] for entry in shown["entries"]] == [108, 108]


def test_a_member_is_suspended_and_brought_back(call: CommandLine, ada: Member):
    suspended = call("member", "status", ada.number, "SUSPENDED")
    shown = call("member", "show", ada.number, "--json").json
    back = call("member", "status", ada.number, "ACTIVE")

    assert suspended.out == f"✓ Member {ada.number} is suspended.\n"
    assert (shown["status"], back.code) == ("SUSPENDED", 0)


@pytest.mark.parametrize(
    ("case", "text", "message"),
    [
        ("number", "482109375517", "no member number"),
        ("e-mail", "nobody@example.com", "no member nobody@example.com"),
        ("phone", "+4915112345678", "no member +4915112345678"),
        ("external id", "nobody", "no member nobody"),
    ],
)
def test_who_is_not_there_is_told_by_what_was_asked(
    call: CommandLine, ada: Member, case: str, text: str, message: str
):
    done = call("member", "show", text)

    assert (done.code, done.out) == (1, "")
    assert message in done.err


def test_a_status_that_cannot_follow_is_refused(call: CommandLine, ada: Member):
    closed = call("member", "status", ada.number, "CLOSED")
    assert closed.out == f"✓ Member {ada.number} is closed; 216 points forfeited.\n"

    done = call("member", "status", ada.number, "ACTIVE")

    assert done.code == 1
    assert "A member who is CLOSED may become nothing else" in done.err
