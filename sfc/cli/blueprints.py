"""``sfc blueprints``."""

from __future__ import annotations

from typing import Annotated

import typer

from sfc.cli import context, output
from sfc.cli.context import Json, Reason
from sfc.cli.output import Column

app = typer.Typer(help="List, show, pause and resume blueprints.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="BLUEPRINT", help="Name of the blueprint.")]


@app.command("list")
def list_blueprints(as_json: Json = False) -> None:
    """List blueprints."""
    with context.client() as gateway:
        found = gateway.blueprints()
    columns = [
        Column("blueprint", lambda b: str(b["name"]), whole=True),
        Column("version", lambda b: f"@{b.get('current') or b.get('version', '')}", "right"),
        Column("status", lambda b: str(b.get("status", ""))),
        Column("group", lambda b: str(b.get("group") or "")),
        Column("triggers", lambda b: ", ".join(str(t.get("topic") or t.get("id")) for t in b.get("triggers") or ())),
    ]
    output.print_rows(found, columns, as_json=as_json, none="no blueprints yet: `sfc deploy PATH`")


@app.command()
def show(
    blueprint: Name,
    version: Annotated[int | None, typer.Option(min=1, help="Default: the current one.")] = None,
    as_json: Json = False,
) -> None:
    """Show a blueprint and its document."""
    with context.client() as gateway:
        found = gateway.blueprint(blueprint, version=version)
    if as_json:
        output.print_json(found)
        return
    shown = found.get("version") or found.get("current")
    output.card(
        f"{found.get('name', blueprint)}@{shown}",
        [
            ("status", str(found.get("status") or "")),
            ("paused", str(found.get("hold_reason") or "")),
            ("group", str(found.get("group") or "")),
            ("current", f"@{found['current']}" if found.get("current") not in (None, shown) else ""),
            ("hash", str(found.get("hash") or "")),
            ("created", output.local_time(found.get("created_ms"))),
            ("triggers", ", ".join(f"{t.get('id')}: {t.get('topic')}" for t in found.get("triggers") or ())),
        ],
    )
    if found.get("document"):
        import yaml

        output.say("")
        output.say(yaml.safe_dump(found["document"], sort_keys=False, allow_unicode=True, width=120).rstrip())


@app.command()
def versions(blueprint: Name, as_json: Json = False) -> None:
    """List the versions of a blueprint."""
    with context.client() as gateway:
        found = gateway.blueprint_versions(blueprint)
    columns = [
        Column("version", lambda v: f"@{v['version']}", "right"),
        Column("created", lambda v: output.local_time(v.get("created_ms"))),
        Column("hash", lambda v: str(v.get("hash", ""))[:12]),
    ]
    output.print_rows(found, columns, as_json=as_json, none="no versions")


@app.command()
def pause(blueprint: Name, reason: Reason = "", as_json: Json = False) -> None:
    """Hold a blueprint: its flows stand still, its input topics wait."""
    with context.client() as gateway:
        answer = gateway.pause_blueprint(blueprint, reason=reason)
    output.print_json(answer) if as_json else output.say(f"paused {blueprint}")


@app.command()
def resume(blueprint: Name, as_json: Json = False) -> None:
    """Lift the hold of a blueprint."""
    with context.client() as gateway:
        answer = gateway.resume_blueprint(blueprint)
    output.print_json(answer) if as_json else output.say(f"resumed {blueprint}")
