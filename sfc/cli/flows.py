"""``sfc flows``: what runs and what ran."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sfc.cli import context, output, starts
from sfc.cli.context import Json, Reason
from sfc.cli.output import Column

app = typer.Typer(help="List, show and steer flows.", no_args_is_help=True)

Flow = Annotated[str, typer.Argument(metavar="FLOW", help="The flow's id.")]
_NOT_DETAILS = {"seq", "offset", "at_ms", "type", "name", "kind", "state", "branch", "branches"}


def took(flow: Mapping[str, Any]) -> str:
    """How long the flow took, or runs."""
    started = flow.get("started_ms") or 0
    ended = flow.get("ended_ms") or 0
    return output.duration(max(0, (ended or int(time.time() * 1000)) - started)) if started else ""


def status_of(flow: Mapping[str, Any]) -> str:
    held = ", ".join(flow.get("paused_by") or ())
    return f"{flow.get('status', '')}{f', paused by {held}' if held else ''}"


COLUMNS = [
    Column("flow", lambda f: str(f["flow"]), whole=True),
    Column("status", status_of),
    Column("version", lambda f: f"@{f['version']}", "right"),
    Column("state", lambda f: ", ".join(f.get("states") or ())),
    Column("started", lambda f: output.local_time(f.get("started_ms")), whole=True),
    Column("took", took, "right"),
    Column("error", lambda f: str(f.get("error") or ""), style="red"),
]


@app.command("list")
def list_flows(
    status: Annotated[str, typer.Option(help="RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or PAUSED.")] = "",
    blueprint: Annotated[str, typer.Option(help="Only of this blueprint.")] = "",
    version: Annotated[int, typer.Option(min=0, help="Only of this version of the blueprint.")] = 0,
    state: Annotated[str, typer.Option(help="Only those in this state now.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most, newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List flows, newest first."""
    with context.client() as gateway:
        page = gateway.flows(status=status.upper(), blueprint=blueprint, version=version, state=state, limit=limit)
    output.print_rows(page["flows"], COLUMNS, as_json=as_json, none="no such flows")
    if page.get("next_cursor") and not as_json:
        print(f"there are more: --limit shows up to 1000 (these are the newest {len(page['flows'])})", file=sys.stderr)


@app.command()
def show(flow: Flow, as_json: Json = False) -> None:
    """Show one flow."""
    with context.client() as gateway:
        found = gateway.flow(flow)
    if as_json:
        output.print_json(found)
        return
    origin = found.get("origin") or {}
    place = f"{origin.get('topic')}-{origin.get('partition', 0)}@{origin.get('offset')}" if origin.get("topic") else ""
    output.card(
        str(found["flow"]),
        [
            ("status", status_of(found)),
            ("blueprint", f"{found.get('blueprint')}@{found.get('version')}"),
            ("states", ", ".join(found.get("states") or ())),
            ("started", output.local_time(found.get("started_ms"))),
            ("ended", output.local_time(found.get("ended_ms"))),
            ("took", took(found)),
            ("from", " ".join(part for part in (origin.get("kind", ""), origin.get("trigger", ""), place) if part)),
            ("error", str(found.get("error") or "")),
            ("cause", str(found.get("cause") or "")),
            ("redrives", str(found.get("redrives") or "")),
            ("input", output.shortened(found["input"], 2000) if "input" in found else ""),
            ("output", output.shortened(found["output"], 2000) if "output" in found else ""),
        ],
    )


@app.command()
def history(flow: Flow, as_json: Json = False) -> None:
    """Show what happened in a flow, event by event."""
    with context.client() as gateway:
        events = gateway.history(flow)
    columns = [
        Column("#", lambda e: str(e.get("seq", "")), "right", "dim"),
        Column("time", lambda e: output.local_time(e.get("at_ms")), whole=True),
        Column("event", lambda e: str(e.get("name") or e.get("type", "")), whole=True),
        Column("state", lambda e: str(e.get("state") or "")),
        Column("detail", _detail),
    ]
    output.print_rows(events, columns, as_json=as_json, none="no history yet")


def _detail(event: Mapping[str, Any]) -> str:
    parts = [f"{k.removesuffix('_ms')}={_said(k, v)}" for k, v in event.items() if k not in _NOT_DETAILS and v not in (None, "", [])]
    return " ".join(parts)


def _said(name: str, value: Any) -> str:
    if name in ("due_ms", "keep_until_ms", "heartbeat_due_ms", "since_ms"):
        return output.local_time(value) or "none"
    return output.duration(value) if name.endswith("_ms") else output.shortened(value, 60)


@app.command()
def pause(flow: Flow, reason: Reason = "", as_json: Json = False) -> None:
    """Pause a flow: running jobs finish, nothing else happens until it is resumed."""
    with context.client() as gateway:
        _done(gateway.pause(flow, reason=reason), f"paused {flow}", as_json)


@app.command()
def resume(flow: Flow, as_json: Json = False) -> None:
    """Resume a paused flow."""
    with context.client() as gateway:
        _done(gateway.resume(flow), f"resumed {flow}", as_json)


@app.command()
def stop(flow: Flow, reason: Reason = "", as_json: Json = False) -> None:
    """End a flow as ABORTED."""
    with context.client() as gateway:
        _done(gateway.stop(flow, reason=reason), f"stopped {flow}", as_json)


@app.command()
def redrive(
    flow: Flow,
    input_text: Annotated[
        str | None, typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="In place of the failed states' input.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a failed, timed-out or aborted flow go on where it failed."""
    edited = {} if input_text is None else {"input": starts.read_input(input_text)}
    with context.client() as gateway:
        _done(gateway.redrive(flow, **edited), f"redriven {flow}", as_json)


def _done(answer: Mapping[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        output.print_json(answer)
    else:
        output.say(sentence)
