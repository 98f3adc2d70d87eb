"""Spans that a test can look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from loyalty_graph import traces
from loyalty_graph.telemetry import Telemetry

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"


@dataclass(frozen=True)
class Ended:
    """A span that has ended: its trace, itself, and what it is below."""

    name: str
    trace: str
    id: str
    parent: str | None

    @classmethod
    def of(cls, span: ReadableSpan) -> "Ended":
        context = span.get_span_context()
        assert context is not None
        parent = None if span.parent is None else format_span_id(span.parent.span_id)
        trace, itself = format_trace_id(context.trace_id), format_span_id(context.span_id)
        return cls(span.name, trace, itself, parent)


class Collector(InMemorySpanExporter):
    """Keeps what it is sent."""

    def named(self, name: str) -> list[ReadableSpan]:
        return [one for one in self.get_finished_spans() if one.name == name]

    def only(self, name: str) -> Ended:
        [found] = self.named(name)
        return Ended.of(found)


@contextmanager
def collected() -> Iterator[Collector]:
    """Let this process tell of its spans until the block ends."""
    collector = Collector()
    with traces.told_by(Telemetry(SimpleSpanProcessor(collector))):
        yield collector
