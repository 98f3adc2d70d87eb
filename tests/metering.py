"""What a metric has grown by: this process counts all tests together."""

from dataclasses import dataclass, field

from loyalty_graph.metrics import REGISTRY


def told(name: str, **labels: str) -> float:
    """Return what a series says now; 0 before it is there."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def series(name: str) -> set[tuple[str, ...]]:
    """Return the values of the labels of each series that a metric has."""
    return {
        tuple(sample.labels.values())
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == name
    }


@dataclass
class Growth:
    """What a series grows by from here on."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._before = told(self.name, **self.labels)

    @property
    def by(self) -> float:
        return told(self.name, **self.labels) - self._before
