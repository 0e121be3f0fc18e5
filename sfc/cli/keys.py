"""``sfc keys``: who may ask the gateway for what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sfc.cli import context, output
from sfc.cli.context import Json
from sfc.cli.output import Column

if TYPE_CHECKING:
    from sfc.registry import Keys

app = typer.Typer(help="Make, list and revoke the API keys that the gateway asks for.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the key: who uses it.")]
Local = Annotated[bool, typer.Option("--local", help="Ask the registry's database (SFC_DATABASE) itself: no gateway and no key is needed.")]
Data = Annotated[Path | None, typer.Option("--data", file_okay=False, help="With --local: directory of the registry (SFC_DATA).")]
Role = Annotated[
    str, typer.Option("--role", metavar="ROLE", help="viewer, operator, editor or admin; each may do what those before it may.")
]


@app.command()
def create(name: Name, role: Role, local: Local = False, data: Data = None, as_json: Json = False) -> None:
    """Make a key, and print it: this once. The very first one is made with --local."""
    if local:
        with _local(data) as keys:
            from msgspec import to_builtins

            made: dict[str, Any] = to_builtins(keys.create(name, role))
    else:
        with context.client() as gateway:
            made = gateway.create_key(name, role)
    if as_json:
        output.print_json(made)
        return
    output.say(str(made["key"]))
    output.note(f"the key {name} is shown this once. `sfc` takes it from SFC_API_KEY; programs send it as Authorization: Bearer …")


@app.command("list")
def list_keys(local: Local = False, data: Data = None, as_json: Json = False) -> None:
    """List keys; their secrets are kept nowhere."""
    if local:
        with _local(data) as keys:
            from msgspec import to_builtins

            found: list[dict[str, Any]] = to_builtins(keys.all())
    else:
        with context.client() as gateway:
            found = gateway.keys()
    columns = [
        Column("name", lambda k: str(k["name"]), whole=True),
        Column("role", lambda k: str(k["role"])),
        Column("id", lambda k: str(k["id"])),
        Column("made", lambda k: output.local_time(k["created_ms"])),
        Column("revoked", lambda k: output.local_time(k["revoked_ms"])),
    ]
    output.print_rows(found, columns, as_json=as_json, none="no keys: `sfc keys create NAME --role admin --local` makes the first one")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the key.")],
    local: Local = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """End a key. Gateways refuse it within two seconds."""
    if local:
        with _local(data) as keys:
            from msgspec import to_builtins

            ended: dict[str, Any] = to_builtins(keys.revoke(name))
    else:
        with context.client() as gateway:
            ended = gateway.revoke_key(name)
    if as_json:
        output.print_json(ended)
    else:
        output.say(f"revoked {ended['name']}")


@contextmanager
def _local(data: Path | None) -> Iterator[Keys]:
    """Keys in the registry's database, whose tables are made when they are missing."""
    from sfc.adapters.clock import SystemClock
    from sfc.registry import Keys, Registry

    registry = Registry(context.settings(data=data).database_url(), SystemClock())
    try:
        yield Keys(registry)
    finally:
        registry.close()
