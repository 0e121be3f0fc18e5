"""How long flows and jobs may wait, by what is deployed."""

from __future__ import annotations

from typing import NamedTuple

from sfc.asl import WaitState
from sfc.engine.program import Program
from sfc.engine.states.task import default_timeout_s
from sfc.runtime.definitions import Definitions
from sfc.wire.topics import Names


class Times(NamedTuple):
    """``flow_ms``: the longest that is said of a flow, and of whose; ``jobs``: by SFC's own job topics, the longest that a job may wait,
    and of which task."""

    flow_ms: int
    flow_of: str
    jobs: dict[str, tuple[int, str]]


def longest(definitions: Definitions, names: Names) -> Times:
    """Of the current versions. A flow that fails is kept, for a redrive, as its retention says: that counts too."""
    flow_ms, flow_of = 0, ""
    jobs: dict[str, tuple[int, str]] = {}
    for name, head in sorted(definitions.heads.items()):
        program = definitions.program(name, head.current)
        if program is None or head.status in ("draft", "retired"):
            continue
        own_ms = max(program.failed_kept_ms, (program.machine.timeout_s or 0) * 1000, _longest_wait_ms(program))
        if own_ms > flow_ms:
            flow_ms, flow_of = own_ms, name
        for target in program.targets.values():
            if target.topic and names.is_own(target.topic) and target.kind != "topic":
                wait_ms = default_timeout_s(target) * 1000
                if wait_ms > jobs.get(target.topic, (0, ""))[0]:
                    jobs[target.topic] = wait_ms, target.resource
    return Times(flow_ms, flow_of, jobs)


def _longest_wait_ms(program: Program) -> int:
    """Of Wait states whose seconds stand in the document."""
    found = 0
    for state in program.machine.states.values():
        seconds = getattr(state, "seconds", None) if isinstance(state, WaitState) else None
        if isinstance(seconds, int):
            found = max(found, seconds * 1000)
    return found


def said(ms: int) -> str:
    """As people say it."""
    if ms < 60_000:
        return f"{ms / 1000:g} s"
    if ms < 3_600_000:
        return f"{ms / 60_000:g} min"
    if ms < 2 * 86_400_000:
        return f"{ms / 3_600_000:.3g} h"
    return f"{ms / 86_400_000:.3g} d"
