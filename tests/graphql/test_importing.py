"""Bringing balances along through the API: checked at once, written by a worker."""

from datetime import datetime
from typing import Any

import pytest

from loyalty_graph.ledger.models import BalanceImportRow
from loyalty_graph.members.models import Member
from loyalty_graph.usecases import scheduled
from tests.api import OTHER_PROGRAM, Api, member_id
from tests.shop import DAY

FIELDS = "replayed balanceImport { id state done imported newMembers points }"
ERRORS = "rowErrors { line code field message }"
CONTENT = "external_id,points,expires_at,qualifying\nold-1,100,2026-06-30,90\nold-2,50,never,0\n"
SHOWN = """query ($id: ID!) { balanceImport(id: $id) { source state rows done imported known refused
    newMembers points rowErrors { line } begunAt endedAt } }"""
POINTS = """query ($ref: MemberRef!) { member(ref: $ref) { number
    wallet { available qualifying neverExpiring expirations { points expiresAt } }
    entries { nodes { kind points text explanation { summary } } } } }"""


def wish(**changes: Any) -> dict[str, Any]:
    return {"idempotencyKey": "k", "source": "crm", "format": "CSV", "content": CONTENT, **changes}


def run_jobs(api: Api) -> None:
    """Do what a worker does."""

    async def run(now: datetime) -> None:
        await scheduled.runner(lambda: now, api.settings).run_due(now, 1000)

    api.run(run, api.now)


def test_balances_are_written_by_a_worker_and_can_be_followed(api: Api):
    begun = api.do("importBalances", wish(), FIELDS)
    key = {"id": begun["balanceImport"]["id"]}
    waiting = api.data(SHOWN, key)["balanceImport"]

    run_jobs(api)

    assert begun["userErrors"] == []
    assert (waiting["state"], waiting["rows"], waiting["done"]) == ("RUNNING", 2, 0)
    assert api.data(SHOWN, key)["balanceImport"] == {
        "source": "crm",
        "state": "DONE",
        "rows": 2,
        "done": 2,
        "imported": 2,
        "known": 0,
        "refused": 0,
        "newMembers": 2,
        "points": 150,
        "rowErrors": [],
        "begunAt": "2026-03-02T12:00:00Z",
        "endedAt": "2026-03-02T12:00:00Z",
    }
    [one] = api.data("{ balanceImports { id points } }")["balanceImports"]
    assert one == {**key, "points": 150}
    member = api.data(POINTS, {"ref": {"externalId": "old-1"}})["member"]
    assert member["wallet"] == {
        "available": 100,
        "qualifying": 90,
        "neverExpiring": 0,
        "expirations": [{"points": 100, "expiresAt": "2026-06-30T22:00:00Z"}],
    }
    assert [(node["kind"], node["points"]) for node in member["entries"]["nodes"]] == [
        ("MIGRATE", 100)
    ]


def test_rows_can_be_given_one_by_one(api: Api):
    ada = api.run(api.shop.enrol)
    rows = [
        {
            "key": "a",
            "id": member_id(ada),
            "lots": [
                {"points": 10, "expiresAt": "2026-06-30T12:00:00Z"},
                {"points": 20, "neverExpires": True},
            ],
            "qualifying": 5,
            "text": "from before",
        },
        {"email": "new@example.com", "firstName": "New", "birthday": "1990-01-31", "lots": []},
    ]

    begun = api.do("importBalances", wish(content=None, format=None, rows=rows), FIELDS)
    run_jobs(api)

    assert begun["userErrors"] == []
    member = api.data(POINTS, {"ref": {"id": member_id(ada)}})["member"]
    assert (member["wallet"]["available"], member["wallet"]["neverExpiring"]) == (30, 20)
    assert [node["text"] for node in member["entries"]["nodes"]] == ["from before"] * 2
    assert api.data(POINTS, {"ref": {"email": "new@example.com"}})["member"]["wallet"] == {
        "available": 0,
        "qualifying": 0,
        "neverExpiring": 0,
        "expirations": [],
    }


def test_a_trial_says_what_would_come_and_what_is_wrong(api: Api):
    api.token("admin")
    before = api.everything()

    done = api.do(
        "importBalances",
        {"content": CONTENT + "old-3,-1,,\n", "format": "CSV", "dryRun": True},
        f"check {{ rows known faulty newMembers points }} balanceImport {{ id }} {ERRORS}",
    )

    assert done["userErrors"] == []
    assert done["check"] == {
        "rows": 3,
        "known": 0,
        "faulty": 1,
        "newMembers": 2,
        "points": 150,
    }
    assert done["balanceImport"] is None
    assert [(one["line"], one["code"]) for one in done["rowErrors"]] == [(4, "INVALID_INPUT")]
    assert api.everything() == before


def test_when_a_row_is_wrong_nothing_is_begun(api: Api, ada: Member):
    content = CONTENT + "old-3,5,2026-02-30,\n"

    refused = api.do("importBalances", wish(content=content), ERRORS + FIELDS)

    assert api.refusal("importBalances", wish(content=content)) == ("BALANCE_FILE", "content")
    assert refused["userErrors"][0]["message"] == (
        "1 of 3 rows cannot be used; nothing was imported."
    )
    assert refused["rowErrors"] == [
        {
            "line": 4,
            "code": "INVALID_INPUT",
            "field": "expires_at",
            "message": "2026-02-30 is no day; write one such as 2026-11-22.",
        }
    ]
    assert api.data("{ balanceImports { id } }") == {"balanceImports": []}


def test_a_retry_gets_the_same_import_and_another_content_is_refused(api: Api):
    first = api.do("importBalances", wish(), FIELDS)
    run_jobs(api)

    again = api.do("importBalances", wish(), FIELDS)
    run_jobs(api)

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["balanceImport"] == {
        **first["balanceImport"],
        "state": "DONE",
        "done": 2,
        "imported": 2,
        "newMembers": 2,
        "points": 150,
    }
    assert api.refusal("importBalances", wish(content=CONTENT + "old-3,5,,\n")) == (
        "IDEMPOTENCY_MISMATCH",
        "idempotencyKey",
    )


@pytest.mark.parametrize(
    ("case", "changes", "field"),
    [
        ("nothing", {"content": None}, "content"),
        ("both", {"rows": []}, "content"),
        ("no format", {"format": None}, "format"),
        ("no rows", {"content": None, "rows": []}, "rows"),
        ("too many rows", {"content": None, "rows": [{"email": "a@example.com"}] * 1001}, "rows"),
        ("no id", {"content": None, "rows": [{"id": "x"}]}, "rows[0].id"),
        (
            "a lot that expires and never does",
            {
                "content": None,
                "rows": [
                    {
                        "email": "a@example.com",
                        "lots": [
                            {
                                "points": 1,
                                "neverExpires": True,
                                "expiresAt": "2027-01-01T00:00:00Z",
                            }
                        ],
                    }
                ],
            },
            "rows[0].lots[0]",
        ),
        ("no source", {"source": "Old CRM"}, "source"),
        ("no key", {"idempotencyKey": None}, "idempotencyKey"),
    ],
)
def test_an_input_that_cannot_be_used_is_refused(
    api: Api, case: str, changes: dict[str, Any], field: str
):
    assert api.refusal("importBalances", wish(**changes)) == ("INVALID_INPUT", field)


def test_imports_of_another_programme_are_not_seen(api: Api):
    begun = api.do("importBalances", wish(), FIELDS)["balanceImport"]
    stranger = api.token("admin", shop=api.open_shop(OTHER_PROGRAM))

    assert api.data(SHOWN, {"id": begun["id"]}, token=stranger) == {"balanceImport": None}
    assert api.data("{ balanceImports { id } }", token=stranger) == {"balanceImports": []}
    assert api.error(SHOWN, {"id": "x"}) == "INVALID_INPUT"


def test_what_could_not_be_written_any_more_is_told(api: Api):
    bob = api.run(api.shop.enrol, external_id="old-1")
    begun = api.do("importBalances", wish(), FIELDS)["balanceImport"]
    api.run(api.shop.close, bob)
    api.now += DAY

    run_jobs(api)

    shown = api.data(SHOWN, {"id": begun["id"]})["balanceImport"]
    assert (shown["imported"], shown["refused"], shown["rowErrors"]) == (1, 1, [{"line": 2}])
    [row] = api.run(all_imports)
    assert row.content is None


async def all_imports() -> list[BalanceImportRow]:
    return await BalanceImportRow.all()
