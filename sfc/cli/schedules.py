"""``sfc schedules``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sfc.cli import context, output
from sfc.cli.context import Json
from sfc.cli.output import Column
from sfc.errors import BadInput

app = typer.Typer(help="List and show schedules.", no_args_is_help=True)


@app.command("list")
def list_schedules(as_json: Json = False) -> None:
    """List schedules."""
    with context.client() as gateway:
        found = gateway.schedules()
    columns = [
        Column("schedule", lambda s: f"{s['blueprint']}:{s['id']}", whole=True),
        Column("cron", lambda s: str(s["cron"])),
        Column("zone", lambda s: str(s["time_zone"])),
        Column("catch-up", lambda s: str(s["catch_up"])),
        Column("blueprint is", lambda s: str(s["status"])),
        Column("next", _next),
        Column("last", lambda s: output.local_time(s["last_ms"])),
    ]
    output.print_rows(found, columns, as_json=as_json, none="no schedules: a blueprint's Triggers have them")


@app.command()
def show(
    schedule: Annotated[str, typer.Argument(metavar="BLUEPRINT:ID", help="The blueprint and the trigger's Id.")], as_json: Json = False
) -> None:
    """Show a schedule and its next five times."""
    blueprint, colon, trigger = schedule.partition(":")
    if not (blueprint and colon and trigger):
        raise BadInput(f"BLUEPRINT:ID was expected, came {schedule!r}", hint="`sfc schedules list` shows all of them")
    with context.client() as gateway:
        found = gateway.schedule(blueprint, trigger)
    if as_json:
        output.print_json(found)
        return
    output.card(
        f"{found['blueprint']}:{found['id']}",
        [
            ("cron", found["cron"]),
            ("zone", found["time_zone"]),
            ("catch-up", found["catch_up"]),
            ("blueprint is", found["status"]),
            ("input", output.shortened(found["input"])),
            ("last", output.local_time(found["last_ms"])),
            ("next", ", ".join(output.local_time(tick) for tick in found["upcoming"]) if _next(found) else "none"),
        ],
    )


def _next(schedule: Any) -> str:
    """A blueprint that is not enabled starts nothing."""
    return output.local_time(schedule["next_ms"]) if schedule["status"] == "enabled" else ""
