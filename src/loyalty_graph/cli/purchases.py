"""The command that records a purchase, as a till would: try it beside an open card page."""

import secrets
from typing import Annotated, Any

import typer

from loyalty_graph.cli.options import (
    DatabaseOption,
    JsonOption,
    MemberArgument,
    ProgramOption,
    chosen_program,
    reference_of,
)
from loyalty_graph.cli.output import console, in_database, print_json, run
from loyalty_graph.clock import utc_now
from loyalty_graph.config import load_settings
from loyalty_graph.earning import service as earning
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.money import Money
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import purchases

app = typer.Typer()

CALLER = "cli"
KEY_BYTES = 16


@app.command()
def purchase(
    member: MemberArgument,
    amount: Annotated[str, typer.Argument(help="What was paid, such as 84.20.")],
    *,
    product_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="What was bought. (default: the first listed)"),
    ] = None,
    as_json: JsonOption = False,
    program: ProgramOption = None,
    database: DatabaseOption = None,
) -> None:
    """Record a purchase of one line, made now; an open card page shows it at once."""
    now, key = utc_now(), secrets.token_hex(KEY_BYTES)

    async def work() -> dict[str, Any]:
        program_id = await chosen_program(program)
        version = await programs.in_force(program_id, now, now=now)
        paid = Money.from_text(amount, version.settings.currency, field="amount")
        kind = product_type or await earning.usual_product_type(program_id, version.number)
        command = purchases.RecordPurchase(
            caller=CALLER,
            idempotency_key=key,
            member=reference_of(member),
            source=CALLER,
            external_id=key,
            purchased_at=now,
            lines=(Line(kind, 1, paid.minor),),
        )
        [done] = await purchases.record(program_id, [command], now=now)
        if isinstance(done, LoyaltyError):
            raise done
        points = version.settings.points
        return {
            "purchase": str(done.purchase_id),
            "product_type": kind,
            "points": done.points,
            "balance": done.balance_points,
            "unit": points.unit_one if done.points == 1 else points.unit_other,
        }

    done = run(in_database(database or load_settings().database_url, work))
    if as_json:
        print_json(done)
        return
    console.print(
        f"[green]✓[/] {done['points']:+,} {done['unit']} for {amount} of {done['product_type']};"
        f" the balance is {done['balance']:,}."
    )
