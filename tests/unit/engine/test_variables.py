"""Variables of a flow: when they get their values, who sees them, how long they live."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sfc.engine.commands import ReplyTo
from sfc.engine.events import ExecutionFailed, StateExited
from sfc.engine.flow import Branch, Flow
from sfc.engine.sizes import size_over
from tests.unit.engine.bench import Bench, program_of, task

WAITER = ReplyTo("replies", "gw", "1")
END = {"Type": "Pass", "End": True}


def started(given: Any = None, **states: Any) -> Bench:
    bench = Bench(program_of(states, next(iter(states))))
    bench.start(given, wait=WAITER)
    return bench


def assigned(bench: Bench) -> list[Any]:
    return [event.assigned for event in bench.history if isinstance(event, StateExited) and event.assigned is not msgspec.UNSET]


def test_every_field_sees_the_values_at_the_state_s_entry() -> None:
    bench = started(
        {"x": 1},
        A={"Type": "Pass", "Assign": {"answer": "old"}, "Next": "B"},
        B={**END, "Assign": {"answer": "new", "before.$": "$answer"}, "OutputPath": "$answer"},
    )
    assert bench.output == "old"
    assert assigned(bench) == [{"answer": "old"}, {"answer": "new", "before": "old"}]


@pytest.mark.parametrize(
    ("fields", "given", "value"),
    [
        ({"Type": "Pass", "Result": {"r": 5}, "ResultPath": "$.r"}, {"i": 1}, {"r": 5}),
        ({"Type": "Pass", "Parameters": {"p": 6}}, {"i": 1}, {"p": 6}),
        ({"Type": "Wait", "Seconds": 0, "InputPath": "$.i"}, {"i": 1}, 1),
        ({"Type": "Choice", "InputPath": "$.i", "Choices": [{"Variable": "$.i", "IsPresent": True, "Next": "Z"}]}, {"i": {}}, {}),
    ],
)
def test_in_jsonpath_assign_sees_the_result_or_the_effective_input(fields: dict[str, Any], given: Any, value: Any) -> None:
    goes = {"Default": "Z"} if fields["Type"] == "Choice" else {"Next": "Z"}
    assert assigned(started(given, A={**fields, **goes, "Assign": {"seen.$": "$"}}, Z=END)) == [{"seen": value}]


def test_a_task_assigns_its_raw_result() -> None:
    bench = started({"i": 1}, A=task(ResultSelector={"picked.$": "$.a"}, Assign={"all.$": "$", "id.$": "$$.Execution.Id"}))
    bench.complete({"a": 1, "b": 2})
    assert assigned(bench) == [{"all": {"a": 1, "b": 2}, "id": "orders:1"}]
    assert bench.output == {"picked": 1}


def test_a_rule_assigns_its_own_and_the_default_the_state_s() -> None:
    rule = {"Variable": "$.n", "NumericEquals": 1, "Next": "Z", "Assign": {"kind": "one"}}
    bare = {"Variable": "$.n", "NumericEquals": 2, "Next": "Z"}
    choice = {"Type": "Choice", "Choices": [rule, bare], "Default": "Z", "Assign": {"kind": "other", "n.$": "$.n"}}
    assert assigned(started({"n": 1}, A=choice, Z=END)) == [{"kind": "one"}]
    assert assigned(started({"n": 2}, A=choice, Z=END)) == []
    assert assigned(started({"n": 3}, A=choice, Z=END)) == [{"kind": "other", "n": 3}]


def test_a_catcher_assigns_of_the_error_output() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Z", "Assign": {"why.$": "$.Cause"}, "ResultPath": None}]
    bench = started({"i": 1}, A=task(Catch=catch, Assign={"never": 1}, Next="Z"), Z={**END, "Parameters": {"why.$": "$why"}})
    bench.fail("Broken", "it broke")
    assert assigned(bench) == [{"why": "it broke"}]
    assert bench.output == {"why": "it broke"}


def test_a_failing_assign_assigns_nothing_and_fails_the_state() -> None:
    bench = started({"i": 1}, A={**END, "Assign": {"a": 1, "b.$": "$.no"}})
    assert assigned(bench) == []
    assert (bench.living.error, "'$.no' specified for the field 'b.$'" in str(bench.living.cause)) == ("States.Runtime", True)


def branched(*inner: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": list(inner), **fields}


def test_branches_read_outer_variables_and_keep_their_own_to_themselves() -> None:
    def branch(name: str, value: int) -> dict[str, Any]:
        first = {"Type": "Pass", "Assign": {"mine": value}, "Next": f"{name}2"}
        second = {**END, "Parameters": {"outer.$": "$outer", "mine.$": "$mine"}}
        return {"StartAt": name, "States": {name: first, f"{name}2": second}}

    bench = started(
        None,
        A={"Type": "Pass", "Assign": {"outer": "o"}, "Next": "P"},
        P=branched(branch("L", 1), branch("R", 2), Next="Z"),
        Z={**END, "Parameters": {"mine.$": "$mine"}},
    )
    assert bench.status == "FAILED"
    assert "'$mine' specified for the field 'mine.$'" in str(bench.living.cause)
    assert bench.root.data == [{"outer": "o", "mine": 1}, {"outer": "o", "mine": 2}]


def test_variables_of_a_branch_go_with_it_and_those_of_the_flow_stay_while_it_runs() -> None:
    inner = {"StartAt": "B", "States": {"B": {"Type": "Pass", "Assign": {"x": 1}, "Next": "T"}, "T": task()}}
    bench = started(None, A={"Type": "Pass", "Assign": {"o": 1}, "Next": "P"}, P=branched(inner, Next="T2"), T2=task())
    assert [branch.variables for branch in bench.living.branches.values()] == [{"o": 1}, {"x": 1}]
    bench.complete(1)
    assert [branch.variables for branch in bench.living.branches.values()] == [{"o": 1}]
    bench.complete(1)
    assert bench.status == "SUCCEEDED"


def test_variables_of_a_branch_that_is_done_are_kept_no_longer() -> None:
    quick = {"StartAt": "B", "States": {"B": {"Type": "Pass", "Assign": {"x": 1}, "Next": "C"}, "C": END}}
    slow = {"StartAt": "T", "States": {"T": task()}}
    bench = started(None, P=branched(quick, slow, End=True))
    assert [(branch.phase, branch.variables) for branch in bench.living.branches.values()] == [("branches", {}), ("done", {}), ("job", {})]


def test_a_retry_and_a_redrive_see_what_was_assigned_before_the_state() -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]
    work = task(Parameters={"n.$": "$n"}, Retry=retry, Assign={"n": 2}, Next="Z")
    bench = started(None, A={"Type": "Pass", "Assign": {"n": 1}, "Next": "B"}, B=work, Z={**END, "Parameters": {"n.$": "$n"}})
    bench.fail()
    bench.fire(1000)
    assert [job.value for job in bench.jobs] == [b'{"n":1}', b'{"n":1}']
    bench.complete(1)
    assert bench.output == {"n": 2}


def test_what_one_assign_may_carry_is_limited() -> None:
    big = "x" * 200_000
    bench = started({"big": big}, A={**END, "Assign": {"one.$": "$.big", "two.$": "$.big"}})
    assert bench.living.error == "States.DataLimitExceeded"
    assert "what state 'A' assigns has 400" in str(bench.living.cause)


def test_what_all_variables_may_carry_is_the_flow_s_limit() -> None:
    big = "x" * 200_000
    names = [f"S{n}" for n in range(25)]
    states = {
        name: {"Type": "Pass", "Assign": {f"v{n}.$": "$.big"}, "Next": names[n + 1] if n < 24 else "T"} for n, name in enumerate(names)
    }
    bench = started({"big": big}, **states, T=task())
    failed = bench.history[-1]
    assert isinstance(failed, ExecutionFailed)
    assert failed.error == "States.DataLimitExceeded"
    assert "the state of the flow has 5" in str(failed.cause)
    assert bench.jobs == []


def test_many_small_variables_are_no_large_flow() -> None:
    branch = Branch(0, variables={f"v{n}": n for n in range(1000)})
    assert size_over(Flow("f", 1, "b", 1, "h", branches={0: branch})) == 0


def test_a_flow_that_an_older_release_wrote_has_no_variables() -> None:
    old = b'{"id":"f","run":1,"blueprint":"b","version":1,"hash":"h","branches":{"0":{"id":0,"state":"A"}}}'
    flow = msgspec.json.decode(old, type=Flow)
    assert flow.branches[0].variables == {}
    assert msgspec.json.encode(flow) == old
