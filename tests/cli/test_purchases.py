"""Recording a purchase from the command line, and the open card page that shows it."""

import json
import subprocess
import urllib.request
from collections.abc import Iterable

import pytest

from loyalty_graph.members.models import Member
from tests.cli.conftest import PRESET, CommandLine
from tests.cli.test_serving import PROGRAM, Start, address_in, lines_up_to, start

__all__ = ["start"]

ENROL = 'mutation { enrolMember(input: {externalId: "ada"}) { member { number } } }'
LINK = """mutation { createCardLink(input: {idempotencyKey: "k", member: {externalId: "ada"}}) {
  link { url } } }"""


def test_it_says_what_was_earned(call: CommandLine, ada: Member):
    done = call("purchase", ada.number, "12.50")
    as_json = call("purchase", ada.number, "1", "--type", "COFFEE", "--json")

    assert done.out == "✓ +12 beans for 12.50 of TEA; the balance is 228.\n"
    assert {**as_json.json, "purchase": ""} == {
        "purchase": "",
        "product_type": "COFFEE",
        "points": 2,
        "balance": 230,
        "unit": "beans",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody", "1"), "NOT_FOUND There is no member nobody"),
        (("{ada}", "1.234"), "INVALID_INPUT 1.234 has more than the 2 decimals of EUR."),
        (("{ada}", "dear"), "INVALID_INPUT 'dear' is not a decimal amount such as 12.50."),
        (("{ada}", "1", "--type", "ROCKET"), "UNKNOWN_PRODUCT_TYPE "),
    ],
)
def test_what_cannot_be_bought_is_refused(
    call: CommandLine, ada: Member, words: tuple[str, ...], said: str
):
    done = call("purchase", *(word.format(ada=ada.number) for word in words))

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(said)
    assert call("member", "show", ada.number, "--json").json["balance"] == 216


def ask(address: str, token: str, query: str) -> dict[str, dict[str, dict[str, str]]]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, headers)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server's
        data: dict[str, dict[str, dict[str, str]]] = json.load(answer)["data"]
        return data


def next_state(stream: Iterable[bytes]) -> str:
    """Return the next state that a card's stream names."""
    for line in stream:
        text: str = line.decode().strip()
        if text.startswith("data: "):
            return text.removeprefix("data: ")
    raise AssertionError("the stream ended")


def test_an_open_page_hears_of_a_purchase_in_another_process(
    start: Start, call: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOYALTY_DATABASE_URL", database_url)
    assert call("program", "apply", PRESET).code == 0
    token = call("token", "create", "App", "--scope", "admin").out.strip()
    process = start("serve", "--port", "0")
    address = address_in(lines_up_to(process, "Ctrl-C stops"))
    ask(address, token, ENROL)
    url = ask(address, token, LINK)["createCardLink"]["link"]["url"]

    with urllib.request.urlopen(f"{url}/live", timeout=60) as stream:  # noqa: S310 - our own
        before = next_state(stream)
        subprocess.run([PROGRAM, "purchase", "ada", "84.20"], check=True, capture_output=True)
        after = next_state(stream)
        process.terminate()
        rest = stream.read()

    assert before != after
    assert b"data:" not in rest
    assert process.wait(timeout=30) == 0
