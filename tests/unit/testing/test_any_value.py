"""Whatever JSON comes, it is refused with problems or it runs: never a traceback."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sfc.asl import InvalidBlueprint, validate
from sfc.errors import SfcError
from sfc.testing import run
from tests.unit.testing.machines import machine, task

TEXTS = st.sampled_from(
    ["", "$", "$.", "$.a", "$$", "$[", "$..a[?(@.x>1)]", "$.a[0:1]", "A", "B", "Task", "Pass", "JSONata", "{% $x %}", "States.ALL",
     "States.Format(", "States.Format('{}', $.a)", "States.ArrayRange(0, 9999999999, 1)", "2025-01-01T00:00:00Z", "\x00", "\ud800"]
)  # fmt: skip
FIELDS = st.sampled_from(
    ["Type", "Next", "End", "Catch", "Retry", "Choices", "Default", "Branches", "ItemProcessor", "ResultPath", "Parameters", "InputPath",
     "OutputPath", "ResultSelector", "Assign", "QueryLanguage", "States", "StartAt", "TimeoutSeconds", "TimeoutSecondsPath", "Output",
     "Result", "Seconds", "Timestamp", "Variable", "And", "Not", "IsPresent", "ErrorEquals", "MaxAttempts", "Error",
     "Credentials", "Items", "ItemsPath", "ItemReader", "MaxConcurrency", "Detached", "Of", "Until", "Condition", "a.$", "", "x"]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS | st.text(max_size=5)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=12)
STATES = st.sampled_from(
    [
        {"Type": "Pass", "Parameters": {"a.$": "$.x"}, "ResultPath": "$.r", "Next": "B"},
        {"Type": "Wait", "SecondsPath": "$.s", "Next": "B"},
        {"Type": "Choice", "Choices": [{"Not": {"Variable": "$.x", "StringMatches": "a*"}, "Next": "B"}], "Default": "B"},
        {"Type": "Parallel", "Branches": [{"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}], "Next": "B"},
        {"Type": "Fail", "ErrorPath": "$.x", "Cause": "c"},
        {"Type": "Map", "ItemsPath": "$.x", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}, "Next": "B"},
        {"Type": "Join", "Of": "A", "Until": 2, "Next": "B"},
        {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"x": "{% $states.input.x %}"}, "Assign": {"v": "{% 1 %}"}, "Next": "B"},
        task(Retry=[{"ErrorEquals": ["E"], "MaxAttempts": 2}], Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B"}], Next="B"),
    ]
)


@given(VALUES)
@settings(deadline=None, max_examples=100)
def test_any_value_is_judged(value: Any) -> None:
    for problem in validate(value):
        assert problem.code
        assert problem.message
        assert problem.pointer == "" or problem.pointer.startswith("/")


@given(STATES, st.dictionaries(FIELDS, VALUES, max_size=2), VALUES, VALUES)
@settings(deadline=None, max_examples=150)
def test_a_spoilt_machine_is_refused_or_runs_to_an_end(
    state: dict[str, Any], spoilt: dict[str, Any], given_input: Any, answer: Any
) -> None:
    document = machine({"A": {**state, **spoilt}, "B": {"Type": "Succeed"}})
    mocked = {"A": {"return": answer}} if {**state, **spoilt}.get("Type") == "Task" else None
    try:
        outcome = run(document, given_input, mocks=mocked)
    except SfcError as e:
        refused = e
    else:
        assert outcome.status in ("SUCCEEDED", "FAILED", "TIMED_OUT")
        assert "could not decide" not in (outcome.cause or "")
        return
    assert refused.message
    assert isinstance(refused, InvalidBlueprint) == any(problem.severity == "error" for problem in validate(document))
