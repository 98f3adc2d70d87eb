"""What holds for every command: help, version, and failures in one line."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
import typer

from loyalty_graph import __main__ as program
from loyalty_graph import __version__
from loyalty_graph.cli import app, output
from tests.cli.conftest import PRESET, CommandLine


def commands() -> list[list[str]]:
    root = typer.main.get_group(app)
    context = typer.Context(root)
    found: list[list[str]] = [[]]
    for name in sorted(root.list_commands(context)):
        command = root.get_command(context, name)
        found += [[name], *([name, one] for one in sorted(getattr(command, "commands", {})))]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_says_what_it_does(call: CommandLine, words: list[str]):
    done = call(*words, "--help")

    assert done.code == 0
    assert "Usage: loyalty-graph" in done.out
    assert "Raises" not in done.out


def test_the_commands_are_these():
    assert {" ".join(words) for words in commands()} == {
        *(
            "",
            "after-restore",
            "audit",
            "backup",
            "demo",
            "doctor",
            "migrate",
            "purchase",
            "restore",
            "story",
            "serve",
            "version",
            "worker",
        ),
        *("activity", "activity record"),
        *("balances", "balances import", "balances list", "purchases", "purchases import"),
        *("device", "device add", "device poll", "device show", "device watch", "device remove"),
        *("keys", "keys rotate"),
        *("jobs", "jobs run", "jobs dead", "jobs retry"),
        *(
            "ledger",
            "ledger verify",
            "ledger rebuild",
            "ledger checkpoint",
            "ledger proof",
            "ledger rotate-key",
        ),
        *("member", "member show", "member status", "member lock", "member unlock"),
        *("member export", "member erase"),
        *("pass", "pass build", "pass preview", "pass verify", "pass show"),
        *("pass certs", "pass logs", "pass pause", "pass resume", "pass rollouts"),
        *(
            "program",
            "program check",
            "program backtest",
            "program segments",
            "program plan",
            "program apply",
            "program export",
        ),
        *(
            "program diff",
            "program copy",
            "program history",
            "program rollback",
            "program schema",
            "program presets",
        ),
        *("schema", "schema print", "schema permissions"),
        *("rates", "rates import", "rates list"),
        *("report", "report points-flow"),
        *("sandbox", "sandbox apns", "sandbox google"),
        *("token", "token create", "token list", "token revoke", "token member", "token owner"),
        *("token partner", "token staff"),
    }


def test_a_command_that_is_not_asked_for_is_not_loaded():
    words = [sys.executable, "-c", "import sys, loyalty_graph.cli; print(*sys.modules)"]

    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()

    assert "loyalty_graph.cli" in loaded
    assert "loyalty_graph.usecases" not in loaded


@pytest.mark.parametrize("words", [["version"], ["--version"]])
def test_the_version_is_told(call: CommandLine, words: list[str]):
    assert call(*words).out == f"{__version__}\n"


def test_the_schema_is_the_committed_one(call: CommandLine):
    committed = Path(__file__).parents[2] / "schema.graphql"

    assert "type Query {" in call("schema", "print").out
    assert committed.is_file()


@pytest.mark.parametrize(
    ("case", "name", "value", "message"),
    [
        ("port", "LOYALTY_PORT", "http", "SETTINGS Settings that cannot be used: LOYALTY_PORT: "),
        ("team", "LOYALTY_TEAM_IDENTIFIER", "abc", "SETTINGS Settings that cannot be used: LOYALT"),
        ("database", "LOYALTY_DATABASE_URL", "mysql://ada:hush@db/x", "DATABASE A database URL"),
    ],
)
def test_a_bad_setting_is_one_line(
    call: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    name: str,
    value: str,
    message: str,
):
    monkeypatch.setenv(name, value)

    done = call("ledger", "verify")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(message)
    assert done.err.count("\n") == 1
    assert "hush" not in done.err
    assert "PUBLIC_URL" not in done.err


@pytest.mark.parametrize("words", [["demo", "--once"], ["serve", "--port", "0"]])
def test_a_data_folder_that_cannot_be_made_is_named(
    call: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
):
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "data"
    monkeypatch.setenv("LOYALTY_DATA_DIR", str(folder))

    done = call(*words)

    assert done.code == 1
    assert done.err == (
        f"SETTINGS The data folder {folder} cannot be made: Not a directory;"
        " name another in LOYALTY_DATA_DIR.\n"
    )


def test_a_data_folder_that_cannot_be_used_is_named(
    call: CommandLine, data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    data_dir.mkdir()
    # Who runs as root may write everywhere, so the answer is given here.
    monkeypatch.setattr("loyalty_graph.config.os.access", lambda *_: False)

    done = call("demo", "--once")

    assert done.code == 1
    assert done.err.startswith(f"SETTINGS The data folder {data_dir} cannot be read and written;")
    assert list(data_dir.iterdir()) == []


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "words",
    [["ledger", "verify"], ["token", "list"], ["pass", "build", "x"], ["ledger", "rebuild"]],
)
def test_a_command_that_reads_makes_no_database(
    call: CommandLine, data_dir: Path, words: list[str]
):
    done = call(*words)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"DATABASE There is no database {data_dir}/loyalty.sqlite3.")
    assert not (data_dir / "loyalty.sqlite3").exists()


FOREIGN = "CREATE TABLE invoice (id INT); INSERT INTO invoice VALUES (7);"
NEWER = "INSERT INTO applied_migration (name) VALUES ('9999_later');"


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "words",
    [
        ["ledger", "verify"],
        ["demo", "--once", "--households", "1"],
        ["program", "apply", str(PRESET)],
        ["serve", "--port", "0"],
    ],
)
@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("foreign", "DATABASE_NOT_OURS This database belongs to something else (it holds invoice)"),
        ("newer", "DATABASE_NEWER A newer Loyalty Graph has written this database (9999_later)"),
        ("no database", "DATABASE_DAMAGED The database "),
    ],
)
def test_a_file_that_is_not_ours_to_use_is_refused_unchanged(
    call: CommandLine, tmp_path: Path, template: str, words: list[str], case: str, message: str
):
    path = tmp_path / "books.sqlite3"
    if case == "no database":
        path.write_text("Dear Ada, " * 200)
    else:
        if case == "newer":
            path.write_bytes(Path(template.removeprefix("sqlite://")).read_bytes())
        with closing(sqlite3.connect(path)) as raw:
            raw.executescript(FOREIGN if case == "foreign" else NEWER)
    before = path.read_bytes()

    done = call(*words, "--database", f"sqlite://{path}")

    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(message)
    assert "Traceback" not in done.err
    assert path.read_bytes() == before
    assert {entry.name for entry in tmp_path.iterdir()} <= {"books.sqlite3", "data"}


@pytest.mark.parametrize(
    ("case", "url", "name", "shown"),
    [
        (
            "below",
            "sqlite://data/a.sqlite3?cache_mb=8",
            "data/a.sqlite3",
            "sqlite://data/a.sqlite3",
        ),
        ("elsewhere", "sqlite:///var/a.sqlite3", "/var/a.sqlite3", "sqlite:///var/a.sqlite3"),
        (
            "server",
            "postgres://ada:hush@db/club?pool_size=3",
            "club at db:5432",
            "postgres://ada:***@db/club?pool_size=3",
        ),
        ("socket", "postgres:///club?host=/run", "club at /run:5432", "postgres:///club?host=/run"),
    ],
)
def test_a_database_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str, url: str, name: str, shown: str
):
    monkeypatch.chdir(tmp_path)

    assert output.database_name(url).endswith(f", {name}")
    assert output.shown_url(url) == shown


@pytest.mark.parametrize(
    ("case", "on_path", "expected"),
    [
        ("on the PATH", True, "loyalty-graph ledger verify"),
        ("in the project only", False, "bin/loyalty-graph ledger verify"),
    ],
)
def test_a_printed_command_can_be_typed_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str, *, on_path: bool, expected: str
):
    program = tmp_path / "bin" / "loyalty-graph"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", str(program.parent) if on_path else str(tmp_path))

    assert output.command_line("ledger", "verify") == expected


def test_brackets_in_a_message_are_shown(call: CommandLine, tmp_path: Path):
    done = call("program", "apply", tmp_path / "[bold]club.toml")

    assert f"{tmp_path}/[bold]club.toml cannot be read" in done.err


def test_ctrl_c_while_the_command_line_loads_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    class Loading(ModuleType):
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "loyalty_graph.cli", Loading("loyalty_graph.cli"))

    with pytest.raises(SystemExit) as end:
        program.main()

    assert (end.value.code, capsys.readouterr().err) == (130, "Stopped.\n")
