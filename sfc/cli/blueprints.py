"""``sfc blueprints``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sfc.cli import context, diffs, naming, output
from sfc.cli.context import Json
from sfc.cli.naming import Timers, Why
from sfc.cli.output import Column

app = typer.Typer(help="List and show blueprints; pause, disable, retire them; compare versions and go back.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="BLUEPRINT", help="Name of the blueprint.")]
NameAndVersion = Annotated[str, typer.Argument(metavar="BLUEPRINT[@VERSION]", help="Name of the blueprint, or one version of it.")]
Version = Annotated[int | None, typer.Option("--version", min=1, help="Only this version.")]


@app.command("list")
def list_blueprints(
    retired: Annotated[bool, typer.Option("--all", help="Retired ones too.")] = False,
    as_json: Json = False,
) -> None:
    """List blueprints."""
    with context.client() as gateway:
        found = gateway.blueprints(all=retired)
    columns = [
        Column("blueprint", lambda b: str(b["name"]), whole=True),
        Column("version", lambda b: f"@{b.get('current') or b.get('version', '')}", "right"),
        Column("status", lambda b: str(b.get("status", ""))),
        Column("group", lambda b: str(b.get("group") or "")),
        Column("triggers", lambda b: ", ".join(what for _, what in _triggers(b))),
        Column("held by", lambda b: ", ".join(str(h["subject"]) for h in b.get("holds") or ()), style="yellow"),
    ]
    output.print_rows(found, columns, as_json=as_json, none="no blueprints yet: `sfc deploy PATH`")


def _triggers(blueprint: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Ids of the triggers, and what they wait for: topics as the registry has them, schedules as they stand in the document."""
    topics = [(str(t.get("id")), str(t.get("topic") or t.get("id"))) for t in blueprint.get("triggers") or ()]
    written = ((blueprint.get("document") or {}).get("Sfc") or {}).get("Triggers") or ()
    return topics + [(t["Id"], f"{t['Schedule']} {t.get('TimeZone', 'UTC')}") for t in written if "Schedule" in t]


@app.command()
def show(
    blueprint: NameAndVersion,
    version: Annotated[int | None, typer.Option(min=1, help="Default: the current one.")] = None,
    as_json: Json = False,
) -> None:
    """Show a blueprint, what holds it, and its document."""
    name, number = naming.name_and_version(blueprint, version)
    with context.client() as gateway:
        found = gateway.blueprint(name, version=number)
    if as_json:
        output.print_json(found)
        return
    shown = found.get("version") or found.get("current")
    output.card(
        f"{found.get('name', name)}@{shown}",
        [
            ("status", str(found.get("status") or "")),
            ("held by", naming.holds_text(found.get("holds"))),
            ("group", str(found.get("group") or "")),
            ("current", f"@{found['current']}" if found.get("current") not in (None, shown) else ""),
            ("hash", str(found.get("hash") or "")),
            ("created", output.local_time(found.get("created_ms"))),
            ("triggers", ", ".join(f"{trigger}: {what}" for trigger, what in _triggers(found))),
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
        current = gateway.blueprint(blueprint).get("current")
    found = [{**one, "current": one["version"] == current} for one in found]
    columns = [
        Column("version", lambda v: f"@{v['version']}", "right"),
        Column("", lambda v: "current" if v["current"] else ""),
        Column("created", lambda v: output.local_time(v.get("created_ms"))),
        Column("hash", lambda v: str(v.get("hash", ""))[:12]),
    ]
    output.print_rows(found, columns, as_json=as_json, none="no versions")


@app.command()
def diff(
    blueprint: Name,
    old: Annotated[int | None, typer.Argument(metavar="FROM", min=1, help="Default: the version before the other one.")] = None,
    new: Annotated[int | None, typer.Argument(metavar="TO", min=1, help="Default: the current version.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="PATH", help="Compare with a document that is not deployed, in place of TO.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="A unified diff of YAML.")] = False,
    as_json: Json = False,
) -> None:
    """Show what differs between two versions. With --file: what a deploy of it would change."""
    if file is not None and new is not None:
        raise typer.BadParameter("TO and --file are two things to compare with: give one of them")
    document = None if file is None else diffs.blueprint_in(file, blueprint)
    with context.client() as gateway:
        found = gateway.diff(blueprint, old, new) if document is None else gateway.diff_with(blueprint, document, old)
    if as_json:
        output.print_json(found)
    elif text:
        diffs.print_text(found)
    else:
        diffs.print_difference(found)


@app.command()
def rollback(
    blueprint: Name,
    to: Annotated[int | None, typer.Option("--to", metavar="VERSION", min=1, help="Default: the version before the current one.")] = None,
    as_json: Json = False,
) -> None:
    """Make an older version the current one: new flows take it, those that run keep theirs."""
    with context.client() as gateway:
        answer = gateway.roll_back(blueprint, to)
    if as_json:
        output.print_json(answer)
    elif answer.get("changed", True):
        output.say(f"{blueprint} is at @{answer['version']} now, it was at @{answer['before']}")
    else:
        output.say(f"{blueprint} was at @{answer['version']} already")


@app.command()
def pause(blueprint: NameAndVersion, version: Version = None, reason: Why = "", timers: Timers = "", as_json: Json = False) -> None:
    """Hold a blueprint: its flows stand still, its input topics wait. With a version: only the flows of that."""
    name, number = naming.name_and_version(blueprint, version)
    with context.client() as gateway:
        answer = gateway.pause_blueprint(name, reason=reason, version=number, timers=timers)
    naming.done(answer, "paused", _shown(name, number), as_json=as_json)


@app.command()
def resume(blueprint: NameAndVersion, version: Version = None, as_json: Json = False) -> None:
    """Lift the hold of a blueprint, or of one version."""
    name, number = naming.name_and_version(blueprint, version)
    with context.client() as gateway:
        answer = gateway.resume_blueprint(name, version=number)
    naming.done(answer, "resumed", _shown(name, number), as_json=as_json)


@app.command()
def disable(blueprint: Name, as_json: Json = False) -> None:
    """Start no more flows of a blueprint, and let those that run finish."""
    with context.client() as gateway:
        _status(gateway.disable_blueprint(blueprint), "disabled", blueprint, as_json=as_json)


@app.command()
def enable(blueprint: Name, as_json: Json = False) -> None:
    """Let a disabled or retired blueprint start flows again."""
    with context.client() as gateway:
        _status(gateway.enable_blueprint(blueprint), "enabled", blueprint, as_json=as_json)


@app.command()
def retire(blueprint: Name, as_json: Json = False) -> None:
    """Disable a blueprint, hide it from lists, and take no more deploys for it. Flows that run finish."""
    with context.client() as gateway:
        _status(gateway.retire_blueprint(blueprint), "retired", blueprint, as_json=as_json)


def _shown(name: str, version: int | None) -> str:
    return name if version is None else f"{name}@{version}"


def _status(answer: Mapping[str, Any], verb: str, blueprint: str, *, as_json: bool) -> None:
    naming.done(answer, verb, blueprint, as_json=as_json)
    running = answer.get("running", 0)
    if running and not as_json:
        output.say(f"{running} flow{'s' * (running != 1)} still run{'s' * (running == 1)}")
