"""Warnings are certain, and what is a slip of spelling never runs."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.asl import InvalidBlueprint, compile_machine, validate
from sfc.asl.hazards import JOB_KEPT_S

END = {"Type": "Pass", "End": True}


def codes(**state: Any) -> list[str]:
    return [p.code for p in validate({"StartAt": "A", "States": {"A": state, "B": END, "C": END}}) if p.code != "unreachable-state"]


def task(**fields: Any) -> list[str]:
    return codes(Type="Task", Resource="task:a", End=True, **fields)


def test_a_choice_that_takes_everything_needs_no_default() -> None:
    present = {"Variable": "$.a", "IsPresent": True, "Next": "B"}
    assert codes(Type="Choice", Choices=[present, {**present, "IsPresent": False}]) == []
    other = {"Not": {"Variable": "$.a", "IsNull": True}, "Next": "C"}
    assert codes(Type="Choice", Choices=[{"Variable": "$.a", "IsNull": True, "Next": "B"}, other]) == []
    assert codes(Type="Choice", Choices=[present]) == ["choice-without-default"]
    assert codes(Type="Choice", Choices=[present], Default="C") == []


@pytest.mark.parametrize("name", ["Busy", "Timeout", "Lambda.Unknown", "States.Timeout", "States.TaskFailed", "State", "OutOfStates"])
def test_error_names_of_ones_own_are_left_alone(name: str) -> None:
    assert task(Retry=[{"ErrorEquals": [name]}]) == []


@pytest.mark.parametrize("name", ["State.ALL", "states.all", "States.Timout", "States.timeout", "State.TaskFailed"])
def test_misspelt_error_names_are_warned_of(name: str) -> None:
    assert task(Retry=[{"ErrorEquals": [name]}]) == ["unknown-error"]


def test_a_job_may_take_as_long_as_it_is_kept() -> None:
    assert task(TimeoutSeconds=JOB_KEPT_S) == []
    assert task(TimeoutSeconds=JOB_KEPT_S + 1) == ["long-timeout"]
    for resource in ("signal:approved", "blueprint:payment"):
        assert codes(Type="Task", Resource=resource, End=True, TimeoutSeconds=JOB_KEPT_S + 1) == []


def test_task_failed_takes_every_error_but_a_timeout() -> None:
    first = {"ErrorEquals": ["States.TaskFailed"]}
    assert task(Retry=[first, {"ErrorEquals": ["States.Timeout"]}, {"ErrorEquals": ["States.ALL"]}]) == []
    assert task(Retry=[first, {"ErrorEquals": ["Busy"]}]) == ["never-matches"]


@pytest.mark.parametrize("text", ["$ 5", "$5", "costs $.5", "$$", "States.ALL", "a $.b", "{% $x %}"])
def test_texts_that_only_have_a_dollar_in_them_are_texts(text: str) -> None:
    assert task(Parameters={"a": text}) == []


def test_warnings_let_a_machine_run_and_slips_do_not() -> None:
    assert compile_machine({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 0, "End": True}}}).start_at == "A"
    with pytest.raises(InvalidBlueprint):
        compile_machine({"startAt": "A", "states": {"A": {"type": "pass", "end": True}}})


def test_an_unknown_transition_makes_no_state_unreachable_or_endless() -> None:
    document = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Elsewhere"}, "B": {"Type": "Pass", "Next": "A"}}}
    assert [p.code for p in validate(document)] == ["unknown-state"]
    near = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Bb"}, "Bbb": END, "Zzz": END}}
    assert [(p.code, p.pointer) for p in validate(near)] == [("unknown-state", "/States/A/Next"), ("unreachable-state", "/States/Zzz")]


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ({"startstate": "A", "states": {"A": END}}, ["/startstate", "/states"]),
        ({"StartAt": "A", "States": {"A": {"Type": "Pass", "next": "B"}, "B": END}}, ["/States/A/next"]),
        ({"StartAt": "A", "Topic": "t", "Name": "n", "States": {"A": END}}, ["/Topic", "/Name"]),
        ({"StartAt": "A", "startstate": "A", "States": {"A": END}}, ["/startstate"]),
        ({"StartAt": "A", "States": {"A": {"Type": "Parallel", "End": True, "branches": [{"startat": "B", "States": {"B": END}}]}}},
         ["/States/A/branches", "/States/A/branches/0/startat"]),
    ],
)  # fmt: skip
def test_another_spelling_is_told_where_it_stands_and_read_on(document: Any, pointers: list[str]) -> None:
    assert [p.pointer for p in validate(document)] == pointers
    assert all(p.hint for p in validate(document))


def test_the_old_words_are_answered_with_what_to_write_instead() -> None:
    old = {"StartAt": "A", "States": {"A": {"Type": "Task", "Mode": "Sync", "Processor": "arn:aws:lambda:x", "End": True}}}
    assert {p.pointer: (p.code, p.hint.split(":")[0]) for p in validate(old)} == {
        "/States/A/Mode": ("old-dialect", "Leave it out"),
        "/States/A/Processor": ("old-dialect", "Write Resource"),
    }


def test_an_unknown_language_is_told_once_and_read_as_the_one_that_is_near() -> None:
    document = {"QueryLanguage": "jsonata", "StartAt": "A", "States": {"A": {"Type": "Pass", "Output": "{% 1 %}", "End": True}}}
    assert [(p.code, p.pointer) for p in validate(document)] == [("bad-value", "/QueryLanguage")]
