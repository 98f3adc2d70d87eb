"""Whether a process tells of what it does as spans."""

from collections.abc import Iterator
from contextlib import contextmanager

from loyalty_graph import traces
from loyalty_graph.config import Settings
from loyalty_graph.errors import SettingsError


@contextmanager
def traced(settings: Settings) -> Iterator[None]:
    """Send spans until the block ends, if the settings say so.

    Raises:
        SettingsError: They do, and OpenTelemetry is not installed.
    """
    if not settings.traces:
        yield
        return
    try:
        from loyalty_graph.telemetry import Telemetry
    except ImportError as error:
        message = "LOYALTY_TRACES needs OpenTelemetry: pip install 'loyalty-graph[otel]'."
        raise SettingsError(message) from error
    with traces.told_by(Telemetry.exporting()):
        yield
