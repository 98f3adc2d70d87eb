"""Spans by OpenTelemetry, for who installed the extra `otel`; nothing else imports that.

What an error says is not put into a span, since it may hold a secret: only of which kind it is.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import time_ns

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from loyalty_graph import __version__

SERVICE = "loyalty-graph"
HEADER = "traceparent"
BILLION = 1_000_000_000

_propagator = TraceContextTextMapPropagator()


class Telemetry:
    """Makes spans, and tells to which one work belongs.

    Args:
        processor: Who is given the spans that ended.
    """

    def __init__(self, processor: SpanProcessor) -> None:
        described = {"service.name": SERVICE, "service.version": __version__}
        self._provider = TracerProvider(resource=Resource.create(described))
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(SERVICE, __version__)

    @classmethod
    def exporting(cls) -> "Telemetry":
        """Return what sends spans by OTLP over HTTP, to where OTEL_EXPORTER_OTLP_ENDPOINT says."""
        return cls(BatchSpanProcessor(OTLPSpanExporter()))

    def close(self) -> None:
        """Send what has ended, and end."""
        self._provider.shutdown()

    @contextmanager
    def span(self, name: str, parent: str | None, links: Iterable[str]) -> Iterator[None]:
        """Let what the block does be a span: below `parent`, or below the present one."""
        with self._tracer.start_as_current_span(
            name,
            context=None if parent is None else _context(parent),
            links=[Link(_span_of(one).get_span_context()) for one in links],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def ended(
        self, name: str, parent: str | None, seconds: float, attributes: dict[str, str]
    ) -> None:
        """Tell of a span that has ended this moment and took so long."""
        now = time_ns()
        span = self._tracer.start_span(
            name,
            context=None if parent is None else _context(parent),
            attributes=attributes,
            start_time=now - round(seconds * BILLION),
        )
        span.end(now)

    def describe(self, attributes: dict[str, str], name: str | None) -> bool:
        """Say something of the present span, or name it; return whether there is one."""
        span = trace.get_current_span()
        span.set_attributes(attributes)
        if name is not None:
            span.update_name(name)
        return span.is_recording()

    def present(self) -> str | None:
        """Return the header that names the present span; None when there is none."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return carrier.get(HEADER)


def _context(parent: str) -> Context:
    return _propagator.extract({HEADER: parent}, context=Context())


def _span_of(parent: str) -> Span:
    return trace.get_current_span(_context(parent))
