"""How a run ended, and its history as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sfc.asl.retry import TIMEOUT
from sfc.engine.events import AnyEvent, SignalReceived, SignalTaken, name_of
from sfc.engine.flow import Status
from sfc.engine.ids import rfc3339
from sfc.monitor.folding import fold

_INTERNAL = ("at_ms", "offset", "hash", "wait", "keep_id", "keep_until_ms", "stub_output", "type", "name", "seq")


@dataclass(frozen=True, slots=True)
class Outcome:
    """``path``: the states in the order in which they were entered, those of branches as they were decided. ``history``: plain objects,
    each with ``type`` (as in Step Functions' execution history), ``seq``, ``time`` (RFC 3339) and its own fields.
    ``seconds`` of virtual time. ``written``: by the names of Maps with a ResultWriter, the results that it would write."""

    status: Status
    output: Any = None
    error: str | None = None
    cause: str | None = None
    path: list[str] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    id: str = ""
    seconds: float = 0.0
    written: dict[str, list[Any]] = field(default_factory=dict)


def history_of(events: Iterable[AnyEvent]) -> list[dict[str, Any]]:
    """Events as plain objects, with every input and output where it is looked for."""
    inputs: dict[int, Any] = {}  # of the state that each branch is in
    shown = []
    listed = list(events)
    for event, row in zip(listed, fold(listed), strict=True):
        kind = name_of(event)
        if kind.endswith("StateEntered"):
            inputs[row["branch"]] = row.get("input")
        elif kind in ("TaskScheduled", "ParallelStateStarted"):
            row.setdefault("input", inputs.get(row["branch"]))
        elif kind == "TaskTimedOut":
            row.setdefault("error", TIMEOUT)
        place = {"type": kind, "seq": row["seq"], "time": rfc3339(row["at_ms"])}
        if isinstance(event, SignalReceived | SignalTaken):
            row["signal"] = event.name
        shown.append({**place, **dict(_field(name, value) for name, value in row.items() if name not in _INTERNAL)})
    return shown


def _field(name: str, value: Any) -> tuple[str, Any]:
    return (name.removesuffix("_ms"), rfc3339(value)) if name.endswith("due_ms") and value else (name, value)


def path_of(history: Iterable[dict[str, Any]]) -> list[str]:
    """The states entered, in order."""
    return [row["state"] for row in history if row["type"].endswith("StateEntered")]


def output_of(history: list[dict[str, Any]]) -> Any:
    """The output of a flow that succeeded: that of the last state that its own branch left."""
    return next((row.get("output") for row in reversed(history) if row["type"].endswith("StateExited") and row["branch"] == 0), None)


def written_of(history: Iterable[dict[str, Any]]) -> dict[str, list[Any]]:
    """By the names of Maps with a ResultWriter, the results that it would write; of several runs of a Map one after the other."""
    found: dict[str, list[Any]] = {}
    states: dict[int, str] = {}
    for row in history:
        if row["type"].endswith("StateEntered"):
            states[row["branch"]] = row["state"]
        elif "written" in row:
            found.setdefault(states[row["branch"]], []).extend(row["written"])
    return found
