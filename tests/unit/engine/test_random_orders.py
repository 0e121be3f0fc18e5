"""Whatever order commands come in: the events fold to the state, numbers are dense, deciding twice gives the same, and a flow that
stands enters nothing (Bench checks each). Time stands still as long as the flow did, and once nothing holds it, it comes to an end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfc.engine import loop
from sfc.engine.children import map_child
from sfc.engine.commands import ChildEnded, DispatchFailed, Heartbeat, HoldChild, Pause, Redrive, Resume, Signal, Start, Stop
from sfc.engine.effects import SendCommand
from sfc.engine.events import AnyEvent, ExecutionResumed
from sfc.engine.flow import Flow, next_due_ms
from sfc.engine.program import Program
from sfc.engine.shard import held_by
from tests.unit.engine.bench import T0, Bench, program_of, task

RETRY = [{"ErrorEquals": ["Once"], "IntervalSeconds": 1, "MaxAttempts": 1, "JitterStrategy": "FULL"}]
CATCH = [{"ErrorEquals": ["Caught"], "ResultPath": "$.why", "Next": "Z"}]
INNER = {
    "Type": "Parallel",
    "Branches": [
        {"StartAt": "X", "States": {"X": task("a", Retry=RETRY, TimeoutSeconds=20, HeartbeatSeconds=7)}},
        {"StartAt": "Y", "States": {"Y": {"Type": "Wait", "Seconds": 9, "Next": "Y2"}, "Y2": task("b", OutputPath="$.n")}},
    ],
    "Retry": [{"ErrorEquals": ["Outer"], "MaxAttempts": 1}],
    "End": True,
}
CHANCE = {
    **task("c", Retry=RETRY),
    "QueryLanguage": "JSONata",
    "Arguments": {"id": "{% $uuid() %}", "at": "{% $now() %}", "first": "{% $first %}"},
    "Assign": {"drawn": "{% [$random(), $states.result.n] %}"},
    "Output": "{% $states.result.n > 3 ? $states.result.no : $states.result %}",  # sometimes nothing
}
SPREAD = {
    "Type": "Map",
    "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "E", "States": {"E": {"Type": "Succeed"}}},
    "ItemsPath": "$.items",
    "MaxConcurrency": 2,
    "ToleratedFailureCount": 1,
    "Retry": [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "MaxAttempts": 1}],
    "End": True,
}
SIGNALLED = {
    "S": {"Type": "Task", "Resource": "signal:go", "TimeoutSeconds": 15, "Retry": RETRY, "Next": "S2"},
    "S2": {"Type": "Task", "Resource": "signal:go", "End": True},
}
EACH = {
    "Type": "Map",
    "MaxConcurrency": 2,
    "ItemProcessor": {
        "StartAt": "EM",
        "States": {"EM": task("b", TimeoutSeconds=30, Next="EN"), "EN": {"Type": "Wait", "Seconds": 3, "End": True}},
    },
    "Retry": [{"ErrorEquals": ["Once"], "IntervalSeconds": 1, "MaxAttempts": 1}],
    "Catch": [{"ErrorEquals": ["Caught"], "Next": "EW"}],
    "End": True,
}
AROUND = {
    "Type": "Map",
    "ItemsPath": "$$.Execution.Input.items",
    "ItemSelector": {"of.$": "$$.Map.Item.Index", "rows": [1, 2, 3]},
    "ItemProcessor": {"StartAt": "EO", "States": {"EO": {**EACH, "ItemsPath": "$.rows"}, "EW": {"Type": "Pass", "End": True}}},
    "End": True,
}
STATES: dict[str, Any] = {
    "A": task("a", ResultPath="$.a", Assign={"first.$": "$"}, Next="P"),
    "P": {
        "Type": "Parallel",
        "Branches": [
            {"StartAt": "I", "States": {"I": INNER}},
            {"StartAt": "V", "States": {"V": CHANCE}},
            {"StartAt": "S", "States": SIGNALLED},
            {"StartAt": "M", "States": {"M": SPREAD}},
            {"StartAt": "K", "States": {"K": {"Type": "Task", "Resource": "blueprint:pay@2", "Retry": RETRY, "End": True}}},
            {"StartAt": "EA", "States": {"EA": AROUND}},
        ],
        "ResultPath": "$.p",
        "Catch": CATCH,
        "Next": "Z",
    },
    "Z": {"Type": "Task", "Resource": "topic:audit", "Parameters": {"id.$": "States.UUID()", "first.$": "$first"}, "End": True},
}
BESIDE_STATES: dict[str, Any] = {
    "A": {
        "Type": "Parallel",
        "Detached": True,
        "Branches": [
            {"StartAt": "D", "States": {"D": task("b", Retry=RETRY)}},
            {"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": "blueprint:pay@2", "End": True}}},
            {"StartAt": "I", "States": {"I": INNER}},
        ],
        "ResultPath": None,
        "Next": "B",
    },
    "B": task("a", ResultPath="$.a", Next="J"),
    "J": {
        "Type": "Join", "Of": "A", "Until": 2, "TimeoutSeconds": 25, "ResultPath": "$.q", "Next": "Z",
        "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}], "Catch": CATCH,
    },
    "Z": {"Type": "Task", "Resource": "topic:audit", "End": True},
}  # fmt: skip
PROGRAM = program_of(STATES, blueprints={"pay@2": "h"}, TimeoutSeconds=120, Sfc={"Group": "retail"})
BESIDE = program_of(BESIDE_STATES, blueprints={"pay@2": "h"}, TimeoutSeconds=120, Sfc={"Group": "retail"})
SUBJECTS = ["blueprint:orders", "version:orders@1", "group:retail", "task:a", "task:b", "task:c"]

KINDS = ["complete", "fail", "dispatched", "refused", "beat", "tick", "pause", "resume", "hold", "lift", "wake", "stop", "redrive"]
KINDS += ["ended", "ended", "signal", "signal", "complete", "complete", "tick", "hold", "free", "free"]  # oftener, so that flows come far
step = st.tuples(st.sampled_from(KINDS), st.integers(0, 5))


def take(bench: Bench, what: str, n: int) -> None:
    job = -1 - n if n < len(bench.jobs) else -1
    answers: dict[str, Any] = {
        "complete": lambda: bench.complete({"n": n}, job=job),
        "fail": lambda: bench.fail(["Once", "Outer", "Caught", "Broken", None, "States.Runtime"][n], job=job),
        "dispatched": lambda: bench.dispatched(job),
        "refused": lambda: bench.do(DispatchFailed(bench.jobs[job].token, "no")),
        "beat": lambda: bench.do(Heartbeat(bench.jobs[job].token)),
        "tick": lambda: bench.fire(bench.shard.clock_ms - T0),
        "pause": lambda: bench.do(Pause("r")),
        "resume": lambda: bench.do(Resume()),
        "ended": lambda: ended(bench, n),
        "signal": lambda: bench.do(Signal("go", {"s": n}, "Once" if n == 4 else None, request=f"s{n}" if n > 2 else "")),
        "stop": lambda: bench.do(Stop()),
        "redrive": lambda: bench.do(Redrive(f"r{n}", {"n": n, "items": [n]}, edited=n > 2)),
        "hold": lambda: bench.hold(SUBJECTS[n]) if not is_held(bench, SUBJECTS[n]) else None,
        "lift": lambda: bench.unhold(held[n % len(held)]) if (held := [s for s in SUBJECTS if is_held(bench, s)]) else None,
        "free": lambda: free(bench),
        "wake": lambda: bench.wake() if bench.shard.waking else None,
    }
    if bench.jobs or what not in ("complete", "fail", "dispatched", "refused", "beat"):
        answers[what]()


def reporting(bench: Bench, n: int) -> SendCommand | None:
    """The start of one of the last children."""
    starts = [sent for sent in bench.sent if isinstance(sent.command, Start)]
    return starts[-1 - n if n < len(starts) else -1] if starts else None


def ended(bench: Bench, n: int) -> None:
    """Its report."""
    sent = reporting(bench, n)
    if sent is not None and isinstance(sent.command, Start) and (parent := sent.command.parent) is not None:
        status = ("SUCCEEDED", "SUCCEEDED", "FAILED", "FAILED", "TIMED_OUT", "ABORTED")[n]
        bench.do(ChildEnded(parent.token, status, {"n": n}, "Once" if n == 2 else "Broken" if n == 3 else None, index=parent.index))


def children_of(flow: Flow | None) -> list[tuple[str, str, int]]:
    """The children whose end is awaited: id, token, and place in a Map."""
    found: list[tuple[str, str, int]] = []
    for branch in flow.branches.values() if flow is not None else ():
        if branch.child:
            found.append((branch.child, branch.token, -1))
        elif branch.map is not None and flow is not None:
            found += [(map_child(flow, branch.token, index), branch.token, index) for index in branch.map.open]
    return found


def awaited(flow: Flow | None) -> set[str]:
    """Those of whom nothing has been heard."""
    told = set() if flow is None else {(outcome.token, getattr(outcome, "index", -1)) for outcome in flow.inbox}
    return {child for child, token, index in children_of(flow) if (token, index) not in told}


class Family:
    """Who was awaited before a step: by the step each of them is awaited still, has told its end, or is stopped; and stands as its
    parent does."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.before = awaited(bench.flow)
        self.sent = len(bench.sent)

    def look(self, reported: str) -> None:
        flow, sent = self.bench.flow, self.bench.sent[self.sent :]
        started = [one.flow for one in sent if isinstance(one.command, Start)]
        stopped = [one.flow for one in sent if isinstance(one.command, Stop)]
        assert sorted(stopped) == sorted((self.before | set(started)) - {child for child, *_ in children_of(flow)} - {reported})
        for child in awaited(flow):
            held = [one.command.held for one in self.bench.sent if one.flow == child and isinstance(one.command, HoldChild)]
            assert (held or [False])[-1] == self.bench.living.paused


def is_held(bench: Bench, subject: str) -> bool:
    hold = bench.shard.holds.get(subject)
    return hold is not None and hold.held


def stands(bench: Bench) -> bool:
    flow = bench.flow
    return flow is not None and flow.running and (flow.paused or held_by(bench.shard, flow, bench.program) is not None)


class Standing:
    """Since when the flow stands, told by looking at it after each command; every hold freezes."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.since_ms = 0

    def look(self, said: list[AnyEvent]) -> None:
        freed = [event for event in said if isinstance(event, ExecutionResumed) and event.free]
        for event in freed:
            assert self.since_ms, "only what stands is resumed"
            assert event.shift_ms == event.at_ms - self.since_ms, "timers move by the time that the flow stood"
            self.since_ms = event.at_ms  # it may come to a held task at once, and be freed from there too
        if not stands(self.bench):
            self.since_ms = 0
        elif not self.since_ms:
            self.since_ms = self.bench.shard.clock_ms


def free(bench: Bench) -> None:
    """Lifts everything and wakes the flow."""
    for subject in SUBJECTS:
        if is_held(bench, subject):
            bench.unhold(subject)
    while bench.shard.waking:
        bench.wake()
    bench.do(Resume())


def finish(bench: Bench) -> None:
    """Frees the flow, then answers what is asked and lets time pass, until nothing is left to be done."""
    free(bench)
    for _ in range(200):
        flow = bench.flow
        if flow is None or not flow.running:
            return
        tokens = [b.token for b in flow.branches.values() if b.phase == "job" and not b.state.startswith("S")]
        if any(b.phase == "job" and b.state.startswith("S") for b in flow.branches.values()):
            bench.do(Signal("go"))
        elif children := children_of(flow):
            bench.do(ChildEnded(children[0][1], "SUCCEEDED", 1, index=children[0][2]))
        elif tokens:
            job = next(i for i, j in enumerate(bench.jobs) if j.token == tokens[0])
            bench.dispatched(job) if bench.jobs[job].target.kind == "topic" else bench.complete({"n": 1}, job=job)
        else:
            assert next_due_ms(flow) > 0, "what waits for nobody waits for its time"
            bench.fire(max(next_due_ms(flow), bench.shard.clock_ms) - T0)
    raise AssertionError("the flow does not end")


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(SUBJECTS), max_size=2, unique=True), st.lists(step, max_size=40))
def test_so_do_branches_beside_the_flow(held: list[str], steps: list[tuple[str, int]]) -> None:
    any_order(held, steps, BESIDE)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(SUBJECTS), max_size=2, unique=True), st.lists(step, max_size=40))
def test_any_order_of_commands_leaves_a_state_that_its_events_fold_to(held: list[str], steps: list[tuple[str, int]]) -> None:
    any_order(held, steps)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(SUBJECTS), max_size=2, unique=True), st.lists(step, max_size=40))
def test_so_does_a_flow_that_yields_at_every_turn(held: list[str], steps: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "PORTION_STEPS", 2)
        any_order(held, steps)


def any_order(held: list[str], steps: list[tuple[str, int]], program: Program = PROGRAM) -> None:
    bench = Bench(program)
    standing = Standing(bench)
    for subject in held:
        bench.hold(subject)
    bench.start({"n": 0, "items": [1, 2, 3]}, keep_id=True)
    standing.look(bench.history)
    for what, n in steps:
        bench.at(bench.shard.clock_ms - T0 + 1500 * n)
        if bench.flow is None:
            break
        told = len(bench.history)
        family = Family(bench)
        reporter = sent.flow if what == "ended" and (sent := reporting(bench, n)) is not None else ""
        take(bench, what, n)
        family.look(reporter)
        standing.look(bench.history[told:])
        flow = bench.flow
        if flow is None:
            break
        assert not (flow.cause or "").startswith("the engine could not decide")
        open_tokens = [b.token for b in flow.branches.values() if b.token]
        assert len(open_tokens) == len(set(open_tokens))
        if flow.running and not stands(bench):
            assert (flow.held_since_ms, flow.stood_ms, flow.inbox) == (0, 0, [])
            assert next_due_ms(flow) > 0 or open_tokens, "a running flow always has something that will move it"
        if not flow.running:
            assert open_tokens == []
    finish(bench)
