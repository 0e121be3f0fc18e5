"""``sfc flows``: what runs and what ran."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sfc.cli import bulk, context, output, starts
from sfc.cli.context import Json, Reason
from sfc.cli.output import Column
from sfc.words import fine_duration

if TYPE_CHECKING:
    from sfc.client import Client

app = typer.Typer(help="List, show and steer flows.", no_args_is_help=True)

Flow = Annotated[str, typer.Argument(metavar="FLOW", help="The flow's id.")]
OneFlow = Annotated[str | None, typer.Argument(metavar="FLOW", help="The flow's id. Or say which flows, by options.")]
_SHOWN_APART = {"seq", "offset", "at_ms", "type", "name", "kind", "state", "branch", "branches"}
_INTERNAL = {
    "hash",
    "keep_id",
    "wait",
    "traceparent",
    "stub_output",
    "keep_until_ms",
    "own",
    "stood",
    "free",
    "heartbeat_due_ms",
    "request",
    "kept",
}


def took(flow: Mapping[str, Any]) -> str:
    """How long the flow took, or runs."""
    started = flow.get("started_ms") or 0
    ended = flow.get("ended_ms") or 0
    return fine_duration(max(0, (ended or int(time.time() * 1000)) - started)) if started else ""


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
    cursor: Annotated[str, typer.Option(help="Go on behind a page; it says which cursor.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All of them, whatever --limit says.")] = False,
    as_json: Json = False,
) -> None:
    """List flows, newest first."""
    query: dict[str, Any] = {"status": status.upper(), "blueprint": blueprint, "version": version, "state": state}
    with context.client() as gateway:
        if every:
            _list_all(bulk.pages(gateway.flows, "flows", **query), as_json=as_json)
            return
        page = gateway.flows(**query, limit=limit, cursor=cursor)
    output.print_rows(page["flows"], COLUMNS, as_json=as_json, none="no such flows")
    if page.get("next_cursor"):
        print(f"there are more: --all, or go on with --cursor {page['next_cursor']}", file=sys.stderr)


def _list_all(flows: Iterable[Mapping[str, Any]], *, as_json: bool) -> None:
    """As JSON they are printed as they come; a table needs them all."""
    if as_json:
        output.print_json_lines(flows)
    else:
        output.print_rows(list(flows), COLUMNS, as_json=False, none="no such flows")


@app.command()
def show(flow: Flow, as_json: Json = False) -> None:
    """Show one flow."""
    with context.client() as gateway:
        found = _with_output(gateway, _with_runs(gateway, gateway.flow(flow)))
    if as_json:
        output.print_json(found)
        return
    origin, earlier = found.get("origin") or {}, found.get("earlier_runs")
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
            ("from", " ".join(part for part in (origin.get("kind", ""), origin.get("trigger", ""), origin.get("flow", ""), place) if part)),
            ("error", str(found.get("error") or "")),
            ("cause", str(found.get("cause") or "")),
            ("run", str(found.get("run") or "")),
            ("earlier", ", ".join(map(str, earlier)) + f": sfc flows history {found['flow']} --run {earlier[0]}" if earlier else ""),
            ("redrives", str(found.get("redrives") or "")),
            ("input", output.shortened(found["input"], 2000) if "input" in found else ""),
            ("output", output.shortened(found["output"], 2000) if "output" in found else ""),
        ],
    )


def _with_runs(gateway: Client, flow: dict[str, Any]) -> dict[str, Any]:
    """A flow whose id had lives before, with their numbers."""
    from sfc.errors import UnknownName

    try:
        earlier = [run for run in gateway.runs(str(flow["flow"])) if run < flow.get("run", 0)]
    except UnknownName:
        return flow
    return {**flow, "earlier_runs": earlier} if earlier else flow


def _with_output(gateway: Client, flow: dict[str, Any]) -> dict[str, Any]:
    """A flow that succeeded, with what came out of it: the history has that."""
    from sfc.errors import UnknownName

    if flow.get("status") != "SUCCEEDED" or "output" in flow:
        return flow
    try:
        events = gateway.history(str(flow["flow"]), flow.get("run"))
    except UnknownName:  # the index forgets histories sooner than flows
        return flow
    told = next((event for event in reversed(events) if "output" in event), None)
    return flow if told is None else {**flow, "output": told["output"]}


@app.command()
def history(
    flow: Flow,
    run: Annotated[
        int | None,
        typer.Option(help="An earlier life of the same id; `sfc flows show` tells them.  [default: the latest]", show_default=False),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="With the fields that only SFC itself reads.")] = False,
    as_json: Json = False,
) -> None:
    """Show what happened in a flow, event by event."""
    with context.client() as gateway:
        events = gateway.history(flow) if run is None else gateway.history(flow, run)
    left_out = _SHOWN_APART if verbose else _SHOWN_APART | _INTERNAL
    columns = [
        Column("#", lambda e: str(e.get("seq", "")), "right", "dim"),
        Column("time", lambda e: output.local_time(e.get("at_ms")), whole=True),
        Column("event", lambda e: str(e.get("name") or e.get("type", "")), whole=True),
        Column("state", lambda e: str(e.get("state") or "")),
        Column("detail", lambda e: _detail(e, left_out)),
    ]
    output.print_rows(events, columns, as_json=as_json, none="no history yet")


def _detail(event: Mapping[str, Any], left_out: set[str]) -> str:
    parts = [f"{k.removesuffix('_ms')}={_said(k, v)}" for k, v in event.items() if k not in left_out and v not in (None, "", [])]
    return " ".join(parts)


def _said(name: str, value: Any) -> str:
    if name in ("due_ms", "keep_until_ms", "heartbeat_due_ms", "since_ms"):
        return output.local_time(value) or "none"
    return fine_duration(value) if name.endswith("_ms") else output.shortened(value, 60)


@app.command()
def pause(
    flow: OneFlow = None,
    blueprint: bulk.Blueprint = "",
    version: bulk.Version = 0,
    group: bulk.Group = "",
    status: bulk.Status = "",
    state: bulk.State = "",
    error: bulk.Error = "",
    reason: Reason = "",
    yes: bulk.Yes = False,
    as_json: Json = False,
) -> None:
    """Pause a flow, or all that a query finds: running jobs finish, nothing else happens until it is resumed."""
    query = bulk.Query(blueprint, version, group, status, state, error)
    _steer("pause", flow, query, lambda gateway, one: gateway.pause(one, reason=reason), "paused", yes=yes, as_json=as_json)


@app.command()
def resume(
    flow: OneFlow = None,
    blueprint: bulk.Blueprint = "",
    version: bulk.Version = 0,
    group: bulk.Group = "",
    status: bulk.Status = "",
    state: bulk.State = "",
    error: bulk.Error = "",
    yes: bulk.Yes = False,
    as_json: Json = False,
) -> None:
    """Resume a paused flow, or all that a query finds."""
    query = bulk.Query(blueprint, version, group, status, state, error)
    _steer("resume", flow, query, lambda gateway, one: gateway.resume(one), "resumed", yes=yes, as_json=as_json)


@app.command()
def stop(
    flow: OneFlow = None,
    blueprint: bulk.Blueprint = "",
    version: bulk.Version = 0,
    group: bulk.Group = "",
    status: bulk.Status = "",
    state: bulk.State = "",
    error: bulk.Error = "",
    reason: Reason = "",
    yes: bulk.Yes = False,
    as_json: Json = False,
) -> None:
    """End a flow as ABORTED, or all that a query finds."""
    query = bulk.Query(blueprint, version, group, status, state, error)
    _steer("stop", flow, query, lambda gateway, one: gateway.stop(one, reason=reason), "stopped", yes=yes, as_json=as_json)


@app.command()
def redrive(
    flow: OneFlow = None,
    input_text: Annotated[
        str | None, typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="In place of the failed states' input.")
    ] = None,
    blueprint: bulk.Blueprint = "",
    version: bulk.Version = 0,
    group: bulk.Group = "",
    status: bulk.Status = "",
    state: bulk.State = "",
    error: bulk.Error = "",
    yes: bulk.Yes = False,
    as_json: Json = False,
) -> None:
    """Let a failed, timed-out or aborted flow go on where it failed, or all that a query finds."""
    edited = {} if input_text is None else {"input": starts.read_input(input_text)}
    query = bulk.Query(blueprint, version, group, status, state, error)
    _steer("redrive", flow, query, lambda gateway, one: gateway.redrive(one, **edited), "redriven", yes=yes, as_json=as_json)


def signal(
    flow: Flow,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the flow waits for: NAME of its signal:NAME.")],
    output_text: Annotated[str | None, typer.Option("--output", "-o", metavar="JSON|@FILE|-", help="The result of the wait.")] = None,
    error: Annotated[str | None, typer.Option("--error", help="Let the wait fail with this error.")] = None,
    cause: Annotated[str | None, typer.Option("--cause", help="Why; goes with --error.")] = None,
    request: Annotated[str, typer.Option("--request", metavar="ID", help="A repetition with the same id changes nothing.")] = "",
    as_json: Json = False,
) -> None:
    """Tell a flow what it waits for. A signal that comes before the flow waits for it is kept for then."""
    from sfc.errors import BadInput

    if error is not None and output_text is not None:
        raise BadInput("a signal has an output or an error: give --output or --error")
    if cause is not None and error is None:
        raise BadInput("--cause goes with --error")
    told: dict[str, Any] = {} if output_text is None else {"output": starts.read_input(output_text, "--output")}
    told |= {key: text for key, text in (("error", error), ("cause", cause)) if text is not None}
    with context.client() as gateway:
        _done(gateway.signal(flow, name, request=request, **told), f"told {flow} {name}", as_json)


def _steer(
    verb: str,
    flow: str | None,
    query: bulk.Query,
    ask: Callable[[Client, str], Mapping[str, Any]],
    done: str,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    bulk.check(flow, query)
    with context.client() as gateway:
        if flow is None:
            bulk.run(gateway, verb, query, lambda one: ask(gateway, one), yes=yes, as_json=as_json)
        else:
            _done(ask(gateway, flow), f"{done} {flow}", as_json)


def _done(answer: Mapping[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        output.print_json(answer)
    elif answer.get("changed", True):
        output.say(sentence)
    else:
        output.say(f"{answer.get('flow')} {answer.get('detail')}")
