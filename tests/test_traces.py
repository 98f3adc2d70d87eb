"""Which trace work belongs to, with OpenTelemetry and without."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.trace import StatusCode

from loyalty_graph import traces
from loyalty_graph.cli.tracing import traced
from loyalty_graph.config import Settings
from loyalty_graph.errors import SettingsError
from tests.tracing import CALLER, PARENT, TRACE, collected


@pytest.fixture(autouse=True)
def no_trace_before_and_after() -> Iterator[None]:
    traces.belong_to("")
    yield
    traces.belong_to("")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00-x",
        PARENT.upper(),
        PARENT + "-00",
        PARENT.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_a_header_that_names_no_trace_is_none(header: str):
    traces.belong_to(PARENT)

    traces.belong_to(header)

    assert traces.present() is None


def test_without_telemetry_the_callers_header_is_passed_on_and_nothing_is_told():
    traces.belong_to(PARENT)

    with traces.span("work"):
        assert traces.present() == PARENT
    traces.ended("work", 1.0)

    assert not traces.describe(kind="work")
    assert traces.trace_id(PARENT) == TRACE


def test_a_span_is_below_the_caller_or_the_one_that_is_named_or_this_moments():
    traces.belong_to(PARENT)

    with collected() as collector:
        with traces.span("first"):
            present = traces.present()
            assert present is not None
            with traces.span("inner"):
                assert traces.describe(name="renamed", kind="inner")
            traces.ended("measured", 2.0, result="well")
        traces.belong_to("")
        with traces.span("elsewhere", links=[PARENT, None]):
            pass
        with traces.span("named", parent=PARENT):
            pass
        traces.ended("told", 0.0)
        with traces.span("nobody's", begins=False):
            assert traces.present() is None

    first, inner = collector.only("first"), collector.only("renamed")
    assert (first.trace, first.parent) == (TRACE, CALLER)
    assert present == f"00-{TRACE}-{first.id}-01"
    assert (inner.trace, inner.parent) == (TRACE, first.id)
    assert collector.only("measured").parent == first.id
    assert collector.only("named").parent == CALLER
    assert (collector.only("elsewhere").parent, collector.only("told").parent) == (None, None)
    assert collector.only("elsewhere").trace != TRACE
    assert collector.named("nobody's") == []
    [elsewhere], [measured] = collector.named("elsewhere"), collector.named("measured")
    assert [link.context.trace_id for link in elsewhere.links] == [int(TRACE, 16)]
    assert measured.end_time is not None
    assert measured.start_time is not None
    assert measured.end_time - measured.start_time == 2_000_000_000


def test_a_failure_is_told_by_its_kind_and_never_with_what_it_says():
    with collected() as collector, pytest.raises(LookupError), traces.span("fails"):
        raise LookupError("ada@example.com")

    [failed] = collector.named("fails")
    assert (failed.status.status_code, failed.status.description) == (
        StatusCode.ERROR,
        "LookupError",
    )
    assert "ada@example.com" not in failed.to_json()


def test_it_is_off_unless_it_is_asked_for_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, "loyalty_graph.telemetry", None)

    with traced(Settings()):
        assert not traces.describe()
    with (
        pytest.raises(SettingsError, match=r"pip install 'loyalty-graph\[otel\]'"),
        traced(Settings(traces=True)),
    ):
        pass


def test_it_sends_to_where_the_environment_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")

    with traced(Settings(traces=True)):
        assert traces.present() is None

    assert not traces.describe()


def test_nothing_of_it_is_imported_unless_it_is_asked_for():
    program = (
        "import sys, loyalty_graph.app, loyalty_graph.cli; print('opentelemetry' in sys.modules)"
    )

    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert told.stdout == "False\n"
