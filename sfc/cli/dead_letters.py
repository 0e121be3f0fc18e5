"""``sfc dead-letters``: records that could not be understood."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

import typer

from sfc.cli import context, output
from sfc.cli.context import Json
from sfc.cli.output import Column

app = typer.Typer(help="List and show records that could not be understood.", no_args_is_help=True)


def readable(data: Any) -> str:
    """Bytes that came as base64, as text; what is no base64 as it is."""
    if not data:
        return ""
    try:
        return base64.b64decode(data, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return str(data)


@app.command("list")
def list_dead_letters(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most, newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List dead letters, newest first."""
    with context.client() as gateway:
        page = gateway.dead_letters(limit=limit)
    columns = [
        Column("id", lambda d: str(d["id"]), whole=True),
        Column("time", lambda d: output.local_time(d.get("at_ms")), whole=True),
        Column("reason", lambda d: str(d["reason"]), style="red"),
        Column("from", lambda d: f"{d['topic']}-{d['partition']}@{d['offset']}"),
        Column("detail", lambda d: output.shortened(d.get("detail") or "")),
    ]
    output.print_rows(page["dead_letters"], columns, as_json=as_json, none="no dead letters")


@app.command()
def show(letter: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")], as_json: Json = False) -> None:
    """Show a dead letter with its record."""
    with context.client() as gateway:
        found = gateway.dead_letter(letter)
    if as_json:
        output.print_json(found)
        return
    output.card(
        str(found["id"]),
        [
            ("reason", str(found["reason"])),
            ("detail", str(found.get("detail") or "")),
            ("from", f"{found['topic']}-{found['partition']}@{found['offset']}"),
            ("time", output.local_time(found.get("at_ms"))),
            ("key", readable(found.get("key"))),
            ("value", output.shortened(readable(found.get("value")), 2000)),
            ("headers", "\n".join(f"{name}: {readable(value)}" for name, value in found.get("headers") or ())),
        ],
    )
