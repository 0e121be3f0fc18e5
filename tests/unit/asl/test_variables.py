"""Variables in definitions: names, scopes, and paths that begin at one."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.asl import MISSING, Context, Failure, compile_machine, compile_path, validate

END = {"Type": "Pass", "End": True}


def assigning(**variables: Any) -> dict[str, Any]:
    return {**END, "Assign": variables}


def machine(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def errors(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem.code, problem.pointer) for problem in validate(document) if problem.severity == "error"]


@pytest.mark.parametrize("name", ["x", "theAnswer", "answer_42", "größe", "x" * 80, "statesman"])
def test_a_name(name: str) -> None:
    assert errors(machine(A=assigning(**{name: 1}))) == []
    assert errors(machine(A=assigning(**{f"{name}.$": "$"}))) == []


@pytest.mark.parametrize("name", ["", "1x", "top-level", "a.b", "a b", "x" * 81, "states", "$x"])
def test_a_name_that_is_none(name: str) -> None:
    assert errors(machine(A=assigning(**{name: 1}))) == [("bad-name", f"/States/A/Assign/{name}")]
    assert errors({**machine(A=assigning(**{name: 1})), "QueryLanguage": "JSONata"}) == [("bad-name", f"/States/A/Assign/{name}")]


def parallel(*inner: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "End": True, "Branches": list(inner), **fields}


def test_an_inner_scope_may_not_assign_a_name_of_a_scope_around_it() -> None:
    document = machine(A={**assigning(x=1), "End": False, "Next": "P"}, P=parallel(machine(B=assigning(x=2)), Assign={"y": 1}))
    assert errors(document) == [("variable-of-outer-scope", "/States/P/Branches/0/States/B/Assign/x")]
    deeper = machine(P=parallel(machine(Q=parallel(machine(B=assigning(**{"y.$": "$"})))), Assign={"y": 1}))
    assert errors(deeper) == [("variable-of-outer-scope", "/States/P/Branches/0/States/Q/Branches/0/States/B/Assign/y.$")]


def test_names_of_rules_and_catchers_are_names_of_their_scope() -> None:
    catcher = {"ErrorEquals": ["States.ALL"], "Next": "E", "Assign": {"problem.$": "$.Error"}}
    document = machine(P=parallel(machine(B=assigning(problem=1)), Catch=[catcher]), E=END)
    assert errors(document) == [("variable-of-outer-scope", "/States/P/Branches/0/States/B/Assign/problem")]
    rule = {"Variable": "$.a", "IsPresent": True, "Next": "P", "Assign": {"kind": "a"}}
    document = machine(C={"Type": "Choice", "Choices": [rule], "Default": "P"}, P=parallel(machine(B=assigning(kind=1))))
    assert errors(document) == [("variable-of-outer-scope", "/States/P/Branches/0/States/B/Assign/kind")]


def test_scopes_beside_one_another_may_use_the_same_name() -> None:
    assert errors(machine(P=parallel(machine(B=assigning(x=1)), machine(C=assigning(x=2))))) == []


CONTEXT = Context({}, {"order": {"id": 7, "rows": [{"n": 1}, {"n": 2}]}, "none": None})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$order", {"id": 7, "rows": [{"n": 1}, {"n": 2}]}),
        ("$order.id", 7),
        ("$order['id']", 7),
        ("$order.rows[1].n", 2),
        ("$order.rows[*].n", [1, 2]),
        ("$none", None),
        ("$none.x", MISSING),
        ("$order.no", MISSING),
        ("$nobody", MISSING),
        ("$nobody[*]", MISSING),
    ],
)
def test_a_path_begins_at_a_variable(path: str, found: Any) -> None:
    assert compile_path(path, variables=True).find({"id": 1}, CONTEXT) == found


def test_where_there_are_no_variables_a_path_to_one_is_refused() -> None:
    with pytest.raises(ValueError, match="there are no variables here"):
        compile_path("$order.id")


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"InputPath": "$nobody"}, "Invalid path '$nobody' : The variable 'nobody' has no value"),
        ({"InputPath": "$order.no"}, "Invalid path '$order.no' : No results for path: $['no']"),
        ({"InputPath": "$nobody[*]"}, "Invalid path '$nobody[*]' : The variable 'nobody' has no value"),
    ],
)
def test_a_variable_that_has_no_value_fails_the_state(fields: dict[str, Any], cause: str) -> None:
    state = compile_machine(machine(A={**END, **fields})).states["A"]
    assert state.effective_input({}, CONTEXT) == Failure("States.Runtime", cause, runtime=True)


def test_variables_stand_in_templates_and_intrinsic_functions() -> None:
    parameters = {"id.$": "$order.id", "text.$": "States.Format('{}/{}', $order.id, $none)", "literal": "$order.id"}
    state = compile_machine(machine(A={**END, "Parameters": parameters})).states["A"]
    assert state.effective_input({}, CONTEXT) == {"id": 7, "text": "7/null", "literal": "$order.id"}
