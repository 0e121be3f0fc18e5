from __future__ import annotations

from typing import Any

from sfc.engine.commands import Redrive, ReplyTo
from tests.unit.engine.bench import Bench, program_of, task

WAITER = ReplyTo("replies", "gw", "1")


def branch(name: str, state: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": name, "States": {name: state}}


def parallel(*branches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": list(branches), **({} if "Next" in fields else {"End": True}), **fields}


def two(**fields: Any) -> Bench:
    """Two tasks beside each other, started."""
    states = {"A": parallel(branch("X", task("a")), branch("Y", task("b")), **fields), "Z": {"Type": "Pass", "End": True}}
    states = states if "Catch" in fields else {"A": states["A"]}
    bench = Bench(program_of(states))
    bench.start({"n": 1}, wait=WAITER)
    return bench


def test_a_join_has_the_outputs_in_the_order_of_the_branches() -> None:
    bench = two(ResultPath="$.both")
    assert [j.value for j in bench.jobs] == [b'{"n":1}'] * 2
    bench.complete("second", job=1)
    assert bench.status == "RUNNING"
    bench.complete("first", job=0)
    assert bench.output == {"n": 1, "both": ["first", "second"]}


def test_branches_get_the_effective_input() -> None:
    bench = two(Parameters={"m.$": "$.n"})
    assert [j.value for j in bench.jobs] == [b'{"m":1}'] * 2


def test_branches_that_wait_for_nobody_join_at_once() -> None:
    bench = Bench(program_of({"A": parallel(*(branch(f"P{n}", {"Type": "Pass", "Result": n, "End": True}) for n in range(30)))}))
    bench.start(0, wait=WAITER)
    assert bench.output == list(range(30))


def test_a_failing_branch_cuts_off_the_others_and_fails_with_its_own_error() -> None:
    bench = two()
    bench.fail("Broken", job=0)
    assert (bench.status, bench.living.error) == ("FAILED", "Broken")
    assert [b.phase for b in bench.living.branches.values()] == ["branches", "failed", "stopped"]
    assert bench.complete(1, job=1).closed
    assert "ParallelStateFailed" in bench.names()


def test_the_parallel_s_retry_starts_all_branches_anew() -> None:
    bench = two(Retry=[{"ErrorEquals": ["Broken"], "IntervalSeconds": 1}])
    bench.complete(1, job=1)
    bench.fail("Broken", job=0)
    assert list(bench.living.branches) == [0]
    bench.fire(1000)
    assert [b.id for b in bench.living.branches.values()] == [0, 3, 4]
    assert len(bench.jobs) == 4
    assert (bench.names().count("ParallelStateEntered"), bench.names().count("ParallelStateStarted")) == (1, 2)
    bench.complete("x", job=2)
    bench.complete("y", job=3)
    assert bench.output == ["x", "y"]


def test_the_parallel_s_catch_drops_its_branches() -> None:
    bench = two(Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.why", "Next": "Z"}])
    bench.fail("Broken", job=1)
    assert bench.output == {"n": 1, "why": {"Error": "Broken", "Cause": "it broke"}}


def nested(**inner: Any) -> Bench:
    deep = parallel(branch("X", task("a")), branch("Y", task("b")), **inner)
    states = {"A": parallel(branch("I", deep), branch("W", task("c")))}
    bench = Bench(program_of(states))
    bench.start(1, wait=WAITER, keep_id=True)
    return bench


def job(bench: Bench, state: str) -> int:
    """The last job of a state."""
    return max(i for i, j in enumerate(bench.jobs) if j.state == state)


def test_joins_inside_joins() -> None:
    bench = nested()
    for name in ("W", "Y", "X"):
        bench.complete(name, job=job(bench, name))
    assert bench.output == [["X", "Y"], "W"]


def test_a_failure_goes_up_through_all_of_them() -> None:
    bench = nested()
    bench.fail("Broken", job=job(bench, "Y"))
    phases = {b.state: b.phase for b in bench.living.branches.values()}
    assert phases == {"A": "branches", "I": "branches", "X": "stopped", "Y": "failed", "W": "stopped"}
    assert bench.names(3) == ["ParallelStateFailed", "ParallelStateFailed", "ExecutionFailed"]


def test_a_redrive_goes_on_in_the_branches_that_were_not_done() -> None:
    bench = nested()
    bench.complete("x", job=job(bench, "X"))
    bench.fail("Broken", job=job(bench, "Y"))
    made = len(bench.jobs)
    bench.do(Redrive(request="r1", input=[9], edited=True))
    assert [(j.state, j.value) for j in bench.jobs[made:]] == [("W", b"1"), ("Y", b"[9]")]
    bench.complete("y", job=job(bench, "Y"))
    bench.complete("w", job=job(bench, "W"))
    assert bench.living.output == [["x", "y"], "w"]


def test_a_branch_that_was_never_entered_starts_with_the_redrive() -> None:
    states = {"A": parallel(branch("F", {"Type": "Succeed", "InputPath": "$.go"}), branch("P", {"Type": "Pass", "Next": "T"}))}
    states["A"]["Branches"][1]["States"]["T"] = task("a")
    bench = Bench(program_of(states))
    bench.start({}, keep_id=True)
    assert (bench.status, [b.state for b in bench.living.branches.values()]) == ("FAILED", ["A", "F", ""])
    bench.do(Redrive(input={"go": 1}, edited=True))
    bench.complete("t")
    assert bench.living.output == [1, "t"]


def test_a_fail_state_in_a_branch_is_caught_outside() -> None:
    states = {
        "A": parallel(
            branch("F", {"Type": "Fail", "Error": "E", "Cause": "c"}),
            branch("T", task("a")),
            Catch=[{"ErrorEquals": ["E"], "Next": "Z"}],
        ),
        "Z": {"Type": "Pass", "End": True},
    }
    bench = Bench(program_of(states))
    bench.start(1, wait=WAITER)
    assert (bench.output, bench.jobs) == ({"Error": "E", "Cause": "c"}, [])


def test_a_join_s_output_that_is_too_large_can_be_caught() -> None:
    bench = two(Catch=[{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Z"}])
    bench.complete("x" * 200_000, job=0)
    bench.complete("y" * 200_000, job=1)
    assert bench.output["Error"] == "States.DataLimitExceeded"


def test_a_failure_beside_a_nested_parallel_stops_everything_in_it() -> None:
    bench = nested()
    bench.fail("Broken", job=job(bench, "W"))
    phases = {b.state: b.phase for b in bench.living.branches.values()}
    assert phases == {"A": "branches", "I": "branches", "X": "stopped", "Y": "stopped", "W": "failed"}


def test_a_retry_drops_branches_at_any_depth() -> None:
    deep = parallel(branch("X", task("a")), branch("Y", task("b")))
    states = {"A": parallel(branch("I", deep), branch("W", task("c")), Retry=[{"ErrorEquals": ["States.ALL"]}])}
    bench = Bench(program_of(states))
    bench.start(1)
    bench.fail("Broken", job=job(bench, "W"))
    assert list(bench.living.branches) == [0]
