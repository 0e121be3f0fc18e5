"""Histories as they must be equal wherever a flow runs: without times and offsets, what is made of them, and who asked.

Answers to branches that are open at the same time come in any order, and so do the events of their branches. So the history of a flow that
has such is compared branch by branch: the events of each in order, the branches told by their places, not by their numbers. That of
a flow with one branch is compared as a whole, with its numbers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sfc.engine.events import AnyEvent
from sfc.testing.outcome import history_of

_TOKEN = re.compile(r"[\w.:-]+/\d+/\d+/\w+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_RUN = re.compile(r":run\d*\b")
_LEFT_OUT = ("time", "due", "heartbeat_due", "request")

Story = dict[str, list[dict[str, Any]]]
"""By branch (``""``: the flow as a whole), the events in order."""


def story_of(history: Sequence[Mapping[str, Any]], named: Mapping[str, str] | None = None) -> Story:
    """Of one flow, from its history as ``sfc.testing`` shows it. ``named``: what to call flows in it."""
    places = _places(history)
    apart = len(places) > 1 or any(row["type"] == "MapRunStarted" for row in history)
    told: Story = defaultdict(list)
    repeated = 0
    for row in history:
        kept = {name: value for name, value in row.items() if name not in _LEFT_OUT}
        for field in ("branch", "id", "child", "holder"):
            if isinstance(kept.get(field), int):
                kept[field] = places.get(kept[field], kept[field])
        if "ids" in kept:
            kept["ids"] = [places[id] for id in kept["ids"]]
        group = ""
        if apart:
            del kept["seq"]
            group = f"{kept.get('branch', '')}[{kept['index']}]" if "index" in kept else kept.get("branch", "")
        beats = told[group] and told[group][-1]["type"] == row["type"] == "TaskHeartbeat"
        if beats:  # how many signs of life there are is a matter of time
            repeated += 1
            continue
        if not apart:
            kept["seq"] -= repeated
        told[group].append(_plain(kept, named or {}))
    return dict(told)


def stories(lives: Mapping[str, Sequence[AnyEvent]], top: str) -> dict[str, Story]:
    """Of a flow and all that it started, directly or not; each under a name made of its place. Raises KeyError for one without events."""
    named = {top: "top"}
    histories: dict[str, list[dict[str, Any]]] = {}
    waiting = [top]
    for flow in waiting:
        histories[flow] = history_of(lives[flow])
        places = _places(histories[flow])
        count: dict[str, int] = defaultdict(int)
        for row in histories[flow]:
            if row.get("child") and row["type"] in ("TaskScheduled", "ChildStarted"):
                place = f"{named[flow]}/{places[row['branch']]}[{row.get('index', '')}]"
                count[place] += 1
                named[row["child"]] = f"{place}#{count[place]}"
                waiting.append(row["child"])
    return {named[flow]: story_of(history, named) for flow, history in histories.items()}


def _places(history: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """The place of each branch: 0.2/1 is the second branch of what the flow's own branch started as its second."""
    places = {0: "0"}
    count: dict[int, int] = defaultdict(int)
    for row in history:
        match row["type"]:
            case "ParallelStateStarted":
                count[row["branch"]] += 1
                places |= {id: f"{places[row['branch']]}.{count[row['branch']]}/{place}" for place, id in enumerate(row["ids"])}
            case "DetachedStarted":
                count[row["branch"]] += 1
                places[row["id"]] = f"{places[row['branch']]}.{count[row['branch']]}"
                places |= {id: f"{places[row['id']]}/{place}" for place, id in enumerate(row["ids"])}
            case "MapStateStarted" | "MapRunStarted":
                count[row["branch"]] += 1
            case "MapIterationStarted":
                places[row["id"]] = f"{places[row['branch']]}.{count[row['branch']]}/{row['index']}"
    return places


def _plain(value: Any, named: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner, named) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, named) for inner in value]
    if not isinstance(value, str):
        return value
    value = _UUID.sub("<uuid>", _TIME.sub("<time>", _TOKEN.sub("<token>", value)))
    for flow in sorted(named, key=len, reverse=True):
        value = value.replace(flow, f"<{named[flow]}>")
    return _RUN.sub(":run", value)
