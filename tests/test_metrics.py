"""The names are as Prometheus wants them, and the committed table of them is theirs."""

from pathlib import Path

import pytest

from loyalty_graph import __version__
from loyalty_graph.metrics import REGISTRY
from tests.metering import told
from tools import metrics_table

OF_THE_CLIENT = ("process_", "python_")
UNITS = ("_total", "_seconds", "_size", "_info")
COUNTS = {
    "loyalty_database_pool_connections",
    "loyalty_database_pool_waiting",
    "loyalty_database_up",
    "loyalty_live_streams",
    "loyalty_queue_dead",
    "loyalty_queue_waiting",
}


def test_names_begin_with_ours_and_end_with_a_unit():
    names = {
        f"{one.name}_total" if one.type == "counter" else one.name
        for one in REGISTRY.collect()
        if not one.name.startswith(OF_THE_CLIENT)
    }

    assert {one for one in names if not one.startswith("loyalty_")} == set()
    assert {one for one in names if not one.endswith(UNITS)} == COUNTS


def test_it_is_told_what_runs_and_how_the_process_is():
    assert told("loyalty_build_info", version=__version__) == 1
    assert told("process_start_time_seconds") > 0


def test_the_committed_table_is_the_one_the_metrics_make():
    assert metrics_table.main(["--check"]) == 0


def test_a_stale_table_is_told_with_what_to_do_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(metrics_table, "TABLE", tmp_path / "metrics.md")

    assert metrics_table.main(["--check"]) == 1
    assert "run `make schema`" in capsys.readouterr().out
    assert metrics_table.main([]) == 0
    assert metrics_table.main(["--check"]) == 0
    text = (tmp_path / "metrics.md").read_text()
    assert "| `loyalty_requests_total` | counter | `operation`, `result` | GraphQL" in text
