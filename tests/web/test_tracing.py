"""A request goes on in the trace of its caller, and so does what it leaves behind."""

from loyalty_graph.outbox import CardMark
from tests.api import Api, receipt
from tests.tracing import CALLER, PARENT, TRACE, collected
from tests.web.conftest import Linked

RECORD = "mutation ($i: RecordPurchaseInput!) { recordPurchase(input: $i) { replayed } }"


def buy(api: Api, ada: Linked, header: str | None = PARENT) -> None:
    api.client.post(
        "/graphql",
        json={"query": RECORD, "variables": {"i": receipt(ada.member)}},
        headers={
            "Authorization": f"Bearer {api.token('admin')}",
            **({} if header is None else {"traceparent": header}),
        },
    )


async def marks() -> list[str | None]:
    return [one.trace for one in await CardMark.all()]


async def no_marks() -> None:
    await CardMark.all().delete()


def test_a_purchase_is_a_span_of_its_callers_trace_and_marks_the_card_with_it(
    api: Api, ada: Linked
):
    api.run(no_marks)

    with collected() as collector:
        buy(api, ada)

    asked, batch = collector.only("POST /graphql"), collector.only("batch of purchases")
    assert (asked.trace, asked.parent) == (TRACE, CALLER)
    [span] = collector.named("POST /graphql")
    assert span.attributes == {
        "graphql.operation": "recordPurchase",
        "graphql.result": "done",
        "http.response.status_code": "200",
    }
    [gathered] = collector.named("batch of purchases")
    assert [link.context.span_id for link in gathered.links] == [int(asked.id, 16)]
    stored = collector.only("transaction _record_gathered")
    assert (stored.trace, stored.parent) == (batch.trace, batch.id)
    assert api.run(marks) == [f"00-{TRACE}-{asked.id}-01"]


def test_without_telemetry_the_mark_holds_what_the_caller_said(api: Api, ada: Linked):
    api.run(no_marks)
    buy(api, ada, None)
    assert api.run(marks) == [None]

    buy(api, ada)
    buy(api, ada, PARENT.replace(TRACE, "1" * 32))

    assert api.run(marks) == [PARENT]
