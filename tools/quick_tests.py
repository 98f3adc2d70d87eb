"""A pytest plugin for mutants: quick tests go first, and random ones try the same every time."""

import pytest
from hypothesis import HealthCheck, Phase, is_hypothesis_test, settings

settings.register_profile(
    "mutants",
    derandomize=True,
    max_examples=50,
    phases=[Phase.explicit, Phase.generate],  # that it fails is enough, the smallest case no matter
    deadline=None,  # a slow machine kills no mutant
    suppress_health_check=list(HealthCheck),
)


def pytest_configure() -> None:
    """Let hypothesis try few examples."""
    settings.load_profile("mutants")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Sort the tests: the first that fails decides."""
    items.sort(key=_slowness)


def _slowness(item: pytest.Function) -> tuple[bool, bool]:
    return is_hypothesis_test(item.obj), "database" in item.fixturenames
