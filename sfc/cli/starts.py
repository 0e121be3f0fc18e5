"""``sfc start``, and reading a JSON input from the command line."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sfc.cli import context, exits
from sfc.cli.context import Json

if TYPE_CHECKING:
    from sfc.client import Client

_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)").fullmatch
ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")


WAIT_S_MAX = 60  # the longest that a gateway waits
_BARE_KEY = re.compile(r"\s*\{\s*[A-Za-z_]").match


def read_input(text: str, option: str = "--input") -> Any:
    """The value of an option: JSON, ``@file``, or ``-`` for stdin. Raises BadInput that says where it is no JSON."""
    from sfc.errors import BadInput, MalformedRecord
    from sfc.wire.payload import decode_any

    where = option
    if text == "-":
        where, text = "stdin", sys.stdin.read()
    elif text.startswith("@"):
        where = text[1:]
        try:
            text = Path(where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            why = "it is no UTF-8 text" if isinstance(e, UnicodeDecodeError) else e.strerror
            raise BadInput(f"{option} names {where}, which can't be read: {why}") from None
    text = text.removeprefix("\ufeff")  # a byte order mark, with which PowerShell and Excel begin a file
    try:
        return decode_any(text.encode("utf-8", "surrogateescape"))  # keeps integers of any size
    except MalformedRecord as e:
        hint = 'keys need quotes: \'{"name": "Ada"}\'' if _BARE_KEY(text) else "text needs quotes of its own: '\"text\"'"
        raise BadInput(f"{where} is no JSON: {e.message}; it starts with {text[:40]!r}", hint=hint) from None


def _seconds(text: str) -> float:
    """Of a time such as 500ms, 10s or 1m; 0 where it is none."""
    found = _TIME(text)
    return float(found[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[found[2]] if found else 0.0


def start(
    blueprint: Annotated[str, typer.Argument(help="Name of the blueprint.")],
    input_text: Annotated[str, typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="What the flow starts with.")] = "{}",
    flow: Annotated[str | None, typer.Option("--id", help="The flow's id; one that exists already starts nothing.")] = None,
    wait: Annotated[str | None, typer.Option("--wait", metavar="10s", help="Wait so long for the flow's end.")] = None,
    as_json: Json = False,
) -> None:
    """Start a flow. With --wait, exit code 1 where it ended badly, 7 where it still runs."""
    from sfc.cli import output

    if wait is not None and not 0 < _seconds(wait) <= WAIT_S_MAX:
        raise typer.BadParameter(
            f"a time such as 500ms, 10s or 1m was expected, at most {WAIT_S_MAX}s; it is {wait!r}", param_hint="--wait"
        )
    value = read_input(input_text)
    with context.client() as gateway:
        answer = gateway.start(blueprint, value, id=flow, wait=wait)
        late = bool(wait) and answer.get("status", "RUNNING") == "RUNNING"
        if late:
            answer = {**answer, "status": "RUNNING", **_why(gateway, str(answer.get("flow")))}
    status, started = str(answer.get("status", "")), str(answer.get("flow"))
    if flow and started != f"{blueprint}:{flow}":
        output.note(f"{flow!r} has other characters than A-Z a-z 0-9 . _ : - or is too long: the flow is named by its hash, {started}")
    if answer.get("existed"):
        output.note(f"{started} is there already{f' ({status})' if status else ''}; nothing was started")
    if as_json:
        output.print_json(answer)
    elif late:
        output.say(f"{started} still runs after {wait}{': ' if answer.get('why') else ''}{answer.get('why', '')}")
    elif not wait:
        output.say(started if answer.get("existed") else f"started {started}")
    else:
        output.card(
            started,
            [
                ("status", status),
                ("output", output.shortened(answer["output"], 2000) if "output" in answer else ""),
                ("error", str(answer.get("error") or "")),
                ("cause", str(answer.get("cause") or "")),
            ],
        )
    if late:
        raise typer.Exit(exits.STILL_RUNNING)
    if wait and status in ENDED_BADLY:
        raise typer.Exit(exits.FAILED)


def _why(gateway: Client, flow: str) -> dict[str, Any]:
    """Why a flow has not ended, as far as the index knows: {why, states, paused_by}."""
    from sfc.errors import SfcError

    try:
        found = gateway.flow(flow)
        events = [] if found.get("paused_by") else gateway.history(flow)
    except SfcError:  # not indexed yet
        return {}
    held, states = found.get("paused_by") or [], found.get("states") or []
    why = f"paused by {', '.join(held)}" if held else f"it is in {', '.join(states)}{_waits_for(events)}" if states else ""
    return {"why": why, "states": states, "paused_by": held}


def _waits_for(events: list[dict[str, Any]]) -> str:
    """The tasks whose jobs are out: the last word of their branches is that they were scheduled."""
    last = {event.get("branch", 0): event for event in events if "branch" in event}
    tasks = [str(e.get("task")) for e in last.values() if e.get("name") == "TaskScheduled" and e.get("task")]
    advice = " (`sfc signal` answers it)" if all(task.startswith("signal:") for task in tasks) else " (does a worker run that does it?)"
    return f", waiting for {', '.join(tasks)}{advice}" if tasks else ""
