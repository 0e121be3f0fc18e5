"""Whatever order commands come in: the events fold to the state, numbers are dense, deciding twice gives the same (Bench checks each)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sfc.engine.commands import DispatchFailed, Heartbeat, Pause, Redrive, Resume, Stop
from sfc.engine.flow import next_due_ms
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
STATES: dict[str, Any] = {
    "A": task("a", ResultPath="$.a", Next="P"),
    "P": {
        "Type": "Parallel",
        "Branches": [{"StartAt": "I", "States": {"I": INNER}}, {"StartAt": "V", "States": {"V": task("c", Retry=RETRY)}}],
        "ResultPath": "$.p",
        "Catch": CATCH,
        "Next": "Z",
    },
    "Z": {"Type": "Task", "Resource": "topic:audit", "End": True},
}
PROGRAM = program_of(STATES, TimeoutSeconds=120)

KINDS = ["complete", "fail", "dispatched", "refused", "beat", "tick", "pause", "resume", "hold", "lift", "stop", "redrive"]
KINDS += ["complete", "complete", "tick"]  # oftener, so that flows come far
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
        "stop": lambda: bench.do(Stop()),
        "redrive": lambda: bench.do(Redrive(f"r{n}", {"n": n}, edited=n > 2)),
        "hold": lambda: bench.hold(freeze=n > 1),
        "lift": lambda: bench.lift() if bench.shard.holds else None,
    }
    answers[what]()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(step, max_size=40))
def test_any_order_of_commands_leaves_a_state_that_its_events_fold_to(steps: list[tuple[str, int]]) -> None:
    bench = Bench(PROGRAM)
    bench.start({"n": 0}, keep_id=True)
    for what, n in steps:
        bench.at(bench.shard.clock_ms - T0 + 1500 * n)
        if bench.flow is None:
            break
        take(bench, what, n)
        flow = bench.flow
        if flow is None:
            break
        assert not (flow.cause or "").startswith("the engine could not decide")
        open_tokens = [b.token for b in flow.branches.values() if b.token]
        assert len(open_tokens) == len(set(open_tokens))
        if flow.running and not flow.held_since_ms and not flow.inbox and not bench.shard.holds:
            assert next_due_ms(flow) > 0, "a running flow always has something that will move it"
        if not flow.running:
            assert open_tokens == []
