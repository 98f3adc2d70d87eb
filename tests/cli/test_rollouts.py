"""Changes of the look, seen and held from the command line."""

import asyncio
from pathlib import Path

from loyalty_graph.clock import utc_now
from loyalty_graph.db import open_database
from loyalty_graph.members.models import Member
from loyalty_graph.programs import service as programs
from loyalty_graph.wallet import service
from tests.cli.conftest import PRESET, CommandLine


def give_card(url: str, member: Member) -> None:
    async def issue() -> None:
        async with open_database(url):
            await service.issue(await programs.only_program(), [member.id], now=utc_now())

    asyncio.run(issue())


def test_nothing_was_rolled_out_at_first(call: CommandLine, shop_url: str):
    shown, paused = call("pass", "rollouts"), call("pass", "pause")

    assert (shown.code, shown.out) == (0, "Nothing was rolled out yet.\n")
    assert (paused.code, paused.err) == (
        1,
        "NOT_FOUND There is no roll-out under way in this programme.\n",
    )


def test_a_change_of_the_look_is_shown_paused_and_resumed(
    call: CommandLine, shop_url: str, tmp_path: Path
):
    file = tmp_path / "club.toml"
    file.write_text(PRESET.read_text().replace("Corner Grocer Rewards", "Corner Club"))
    assert call("program", "apply", file).code == 0

    told = [call("pass", word).out for word in ("rollouts", "pause", "rollouts", "resume")]

    words = [" ".join(line.split()) for line in told]
    assert [line.partition("UTC ")[2] for line in words] == [
        "running 0 of 0 members programme version 2",
        "paused 0 of 0 members programme version 2",
        "paused 0 of 0 members programme version 2",
        "running 0 of 0 members programme version 2",
    ]


def test_roll_outs_are_told_as_json(
    call: CommandLine, ada: Member, database_url: str, tmp_path: Path
):
    give_card(database_url, ada)
    file = tmp_path / "club.toml"
    text = PRESET.read_text().replace('slug = "corner-grocer"', 'slug = "bean-club"')
    file.write_text(text.replace('currency = "USD"', 'currency = "EUR"'))
    assert call("program", "apply", file).code == 0

    [one] = call("pass", "rollouts", "--json", "--program", "bean-club").json

    assert (one["reason"], one["state"]) == ("programme version 2", "RUNNING")
    assert (one["members"], one["marked"], one["ended_at"]) == (1, 0, None)
