"""One flow, explained; with the children that it waits for."""

from __future__ import annotations

from collections.abc import Callable

from sfc.engine.flow import Flow, next_due_ms
from sfc.engine.ids import rfc3339
from sfc.engine.shard import subjects_of
from sfc.errors import UnknownName
from sfc.runtime.definitions import Definitions
from sfc.runtime.explain.explanation import ChildExplanation, Explanation, Reason
from sfc.runtime.explain.facts import Facts, ShardView
from sfc.runtime.explain.failures import History, where_it_failed
from sfc.runtime.explain.shards import monitor_reason, shard_reasons
from sfc.runtime.explain.waits import awaited_children, waits_of
from sfc.wire.history import summarise
from sfc.words import duration

CHILDREN_MAX = 10
_BY_ITSELF = frozenset(
    ("timer", "retrying", "branches", "map", "entering", "yielded", "publishing", "child", "join", "job-queued", "job-at-work")
)
"""What ends without anybody's help, as far as can be seen."""

Find = Callable[[str], Flow | None]


def explain(flow_id: str, find: Find, facts: Facts, history: History = lambda _flow: ()) -> Explanation:
    """``history``: names the flows by which others failed. Raises UnknownName for a flow of which nothing is known, LogUnavailable."""
    number = facts.shard_of(flow_id)
    view = facts.shard(number, flow_id)
    flow = find(flow_id)
    lag = monitor_reason(number, facts)
    if flow is None:
        return _unknown(flow_id, view, facts, lag)
    reasons = _reasons(flow, view, facts, history)
    children = _children(flow, find, facts, history)
    moving = all(r.code in _BY_ITSELF for r in (*reasons, *(r for child in children for r in child.reasons)))
    states = summarise(flow, facts.now_ms).states
    if lag is not None:
        reasons.append(lag)
    return Explanation(flow_id, flow.status, moving, number, reasons, flow.run, flow.blueprint, flow.version, states, children)


def _unknown(flow_id: str, view: ShardView, facts: Facts, lag: Reason | None) -> Explanation:
    """No history of it: it may be about to start."""
    reasons = shard_reasons(view, facts)
    if view.waits_for_flow:
        said = f"a command for it waits on shard {view.number} since {duration(facts.now_ms - view.waits_ms)}: no engine has taken it yet"
        return Explanation(flow_id, "UNKNOWN", False, view.number, [Reason("not-started", said), *reasons])
    if lag is not None:
        return Explanation(flow_id, "UNKNOWN", False, view.number, [lag, *reasons])
    raise UnknownName(
        f"there is no flow {flow_id}, and no command for it waits on its shard {view.number}",
        hint="a start that was refused is among the dead letters: `sfc dead-letters list`; `sfc flows list` shows the flows there are",
    )


def _reasons(flow: Flow, view: ShardView, facts: Facts, history: History) -> list[Reason]:
    if not flow.running:
        return [_ended(flow), *(where_it_failed(flow, history) if flow.status == "FAILED" else ())]
    program = facts.definitions.program(flow.blueprint, flow.version)
    found = [r for r in shard_reasons(view, facts) if r.code != "shard-behind" or view.waits_for_flow or _is_due(flow, facts)]
    if view.state is not None and flow.id in view.state.passed_over:
        said = "its timers do not fire: engines died at one of them, and an operator passed it over"
        found.append(Reason("timers-passed-over", said, [f"sfc flows stop {flow.id}", "go on with it by hand, by signals or answers"]))
    holds = list(_holds(flow, facts.definitions, facts))
    found += holds
    if holds and flow.inbox:
        found.append(Reason("answers-kept", f"{len(flow.inbox)} answers of jobs have come meanwhile and are taken when it goes on"))
    waits = waits_of(flow, program, facts)
    return found + ([r for r in waits if r.code not in ("timer", "timer-late", "retrying", "entering")] if holds else list(waits))


def _is_due(flow: Flow, facts: Facts) -> bool:
    """Whether a tick must be on its way."""
    due_ms = next_due_ms(flow)
    return 0 < due_ms < facts.now_ms


def _ended(flow: Flow) -> Reason:
    said = f"it has ended: {flow.status} at {rfc3339(flow.ended_ms)}"
    if flow.error or flow.cause:
        said += f", {flow.error or 'without an error name'}{f': {flow.cause:.500}' if flow.cause else ''}"
    return Reason("ended", said, _going_on(flow), since_ms=flow.ended_ms)


def _going_on(flow: Flow) -> list[str]:
    """A redrive goes on where the flow failed, with what it had there: as long as the cause is there, it fails again."""
    if flow.status == "SUCCEEDED":
        return []
    if not flow.branches:
        return ["start it anew: what it carried was too large to be kept, and it can't be redriven"]
    first = "" if flow.status == "ABORTED" else "after mending the cause: "
    if flow.parent is not None:
        alone = f"sfc flows redrive {flow.id} runs this one alone to its end, and the flow above does not hear of it"
        return [f"{first}sfc flows redrive {flow.parent.flow}, the flow above, once it has ended: it starts this one anew", alone]
    return [f"{first}sfc flows redrive {flow.id}"]


def _holds(flow: Flow, definitions: Definitions, facts: Facts) -> list[Reason]:
    """What holds the flow, as everybody knows it by now: its own pause, the flow above, and subjects."""
    found = []
    if flow.paused:
        since = f" since {duration(facts.now_ms - flow.held_since_ms)}" if flow.held_since_ms else ""
        why = f" ({flow.paused_reason})" if flow.paused_reason else ""
        said = f"it is paused by itself{since}{why}"
        found.append(Reason("paused", said, [f"sfc flows resume {flow.id}"], since_ms=flow.held_since_ms))
    if flow.parent_held_ms and flow.parent is not None:
        said = f"the flow above it, {flow.parent.flow}, is paused since {duration(facts.now_ms - flow.parent_held_ms)}"
        found.append(Reason("paused", said, [f"sfc flows resume {flow.parent.flow}"], since_ms=flow.parent_held_ms))
    for subject in _subjects(flow, definitions):
        found += _hold(subject, definitions, facts)
    return found


def _subjects(flow: Flow, definitions: Definitions) -> list[str]:
    return list(dict.fromkeys(subjects_of(flow, definitions.program(flow.blueprint, flow.version))))


def _hold(subject: str, definitions: Definitions, facts: Facts) -> list[Reason]:
    kind, _, name = subject.partition(":")
    if kind == "blueprint":
        head = definitions.heads.get(name)
        if head is None or head.status != "paused":
            return []
        why = f" ({head.hold_reason})" if head.hold_reason else ""
        return [Reason("paused", f"its blueprint {name} is paused{why}", [f"sfc blueprints resume {name}"])]
    hold = definitions.holds.get(subject)
    if hold is None or not hold.held:
        return []
    verb = {"version": "blueprints", "group": "groups", "task": "tasks"}[kind]
    since = f" since {duration(facts.now_ms - hold.since_ms)}" if hold.since_ms else ""
    by = f" by {hold.by}" if hold.by else ""
    why = f" ({hold.reason})" if hold.reason else ""
    what = {"version": "its version", "group": "its group", "task": "the task"}[kind]
    return [Reason("paused", f"{what} {name} is paused{since}{by}{why}", [f"sfc {verb} resume {name}"], since_ms=hold.since_ms)]


def _children(flow: Flow, find: Find, facts: Facts, history: History) -> list[ChildExplanation]:
    """Of the flow, and of its children, as long as there are few."""
    found: list[ChildExplanation] = []
    waiting = [(flow.id, child) for child in (awaited_children(flow) if flow.running else [])]
    while waiting and len(found) < CHILDREN_MAX:
        parent, child_id = waiting.pop(0)
        child = find(child_id)
        view = facts.shard(facts.shard_of(child_id), child_id)
        if child is None:
            said = "nothing is known of it yet: its start may be on its way"
            found.append(ChildExplanation(child_id, parent, "UNKNOWN", [], [Reason("not-started", said), *shard_reasons(view, facts)]))
            continue
        states = summarise(child, facts.now_ms).states
        found.append(ChildExplanation(child_id, parent, child.status, states, _reasons(child, view, facts, history)))
        waiting += [(child_id, below) for below in awaited_children(child)] if child.running else []
    return found
