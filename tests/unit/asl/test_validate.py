"""A definition with problems: all of them at once, each with its code and JSON pointer."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfc.asl import InvalidBlueprint, compile_machine, retriers, validate
from sfc.errors import Problem

END = {"Type": "Pass", "End": True}


def machine(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def task(**fields: Any) -> dict[str, Any]:
    return machine(A={"Type": "Task", "Resource": "task:a", "End": True, **fields})


def rule(**fields: Any) -> dict[str, Any]:
    return machine(A={"Type": "Choice", "Choices": [{"Next": "B", **fields}]}, B=END)


def branched(*branches: Any, **fields: Any) -> dict[str, Any]:
    return machine(A={"Type": "Parallel", "Branches": list(branches), "End": True, **fields})


def catching(**fields: Any) -> dict[str, Any]:
    return task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "A", **fields}])


CASES: list[tuple[str, Any, str, str]] = [
    ("no object", [], "wrong-type", ""),
    ("null", None, "wrong-type", ""),
    ("no StartAt", {"States": {"A": END}}, "missing-field", ""),
    ("no States", {"StartAt": "A"}, "missing-field", ""),
    ("empty States", {"StartAt": "A", "States": {}}, "wrong-type", "/States"),
    ("StartAt to nowhere", {"StartAt": "B", "States": {"A": END}}, "unknown-state", "/StartAt"),
    ("unknown field of the machine", {**machine(A=END), "Startat": "A"}, "unknown-field", "/Startat"),
    ("wrong version", {**machine(A=END), "Version": "2.0"}, "bad-value", "/Version"),
    (
        "JSONPath state in a JSONata machine",
        {**machine(A={**END, "QueryLanguage": "JSONPath"}), "QueryLanguage": "JSONata"},
        "bad-value",
        "/States/A/QueryLanguage",
    ),
    ("unknown language", {**machine(A=END), "QueryLanguage": "SQL"}, "bad-value", "/QueryLanguage"),
    ("timeout of 0", {**machine(A=END), "TimeoutSeconds": 0}, "out-of-range", "/TimeoutSeconds"),
    ("timeout that is a truth", {**machine(A=END), "TimeoutSeconds": True}, "wrong-type", "/TimeoutSeconds"),
    ("state that is no object", machine(A=1), "wrong-type", "/States/A"),
    ("no Type", machine(A={"End": True}), "missing-field", "/States/A"),
    ("unknown type", machine(A={"Type": "Taks", "End": True}), "unknown-type", "/States/A/Type"),
    ("type that is a list", machine(A={"Type": ["Task"], "End": True}), "unknown-type", "/States/A/Type"),
    ("long name", machine(**{"x" * 81: END}), "bad-name", "/States/" + "x" * 81),
    ("pointer escapes", machine(**{"a/b~c": {**END, "X": 1}}), "unknown-field", "/States/a~1b~0c/X"),
    ("Next to nowhere", machine(Pay={"Type": "Pass", "Next": "Snd"}, Send=END), "unknown-state", "/States/Pay/Next"),
    ("Next of a wrong type", machine(A={"Type": "Pass", "Next": 1}, B=END), "wrong-type", "/States/A/Next"),
    ("Next and End", machine(A={"Type": "Pass", "Next": "B", "End": True}, B=END), "mutually-exclusive", "/States/A"),
    ("neither Next nor End", machine(A={"Type": "Pass"}), "missing-transition", "/States/A"),
    ("End that is no truth", machine(A={"Type": "Pass", "End": "yes"}), "wrong-type", "/States/A/End"),
    ("a ring", machine(A={"Type": "Pass", "Next": "B"}, B={"Type": "Pass", "Next": "A"}), "no-terminal-state", "/States"),
    ("Comment that is no text", machine(A={**END, "Comment": 1}), "wrong-type", "/States/A/Comment"),
    ("Retry on a Pass", machine(A={**END, "Retry": []}), "unknown-field", "/States/A/Retry"),
    ("ResultPath on a Succeed", machine(A={"Type": "Succeed", "ResultPath": "$.a"}), "unknown-field", "/States/A/ResultPath"),
    ("Map", machine(A={"Type": "Map", "End": True}), "missing-field", "/States/A"),
    ("Assign", machine(A={**END, "Assign": 1}), "wrong-type", "/States/A/Assign"),
    ("Output in JSONPath", machine(A={**END, "Output": 1}), "unknown-field", "/States/A/Output"),
    ("Credentials without a role", task(Credentials={}), "missing-field", "/States/A/Credentials"),
    ("Credentials with a secret", task(Credentials={"RoleArn": "r", "Key": "x"}), "unknown-field", "/States/A/Credentials/Key"),
    ("Arguments in JSONPath", task(Arguments={}), "unknown-field", "/States/A/Arguments"),
    ("Join", branched(machine(B=END), Join="any"), "unknown-field", "/States/A/Join"),
    ("state of an unknown language", machine(A={**END, "QueryLanguage": "SQL"}), "bad-value", "/States/A/QueryLanguage"),
    ("ResultPath to a variable", machine(A={**END, "ResultPath": "$total"}), "bad-path", "/States/A/ResultPath"),
    ("UUID of something", machine(A={**END, "Parameters": {"a.$": "States.UUID(1)"}}), "bad-path", "/States/A/Parameters/a.$"),
    ("no Resource", machine(A={"Type": "Task", "End": True}), "missing-field", "/States/A"),
    ("empty Resource", task(Resource=" "), "wrong-type", "/States/A/Resource"),
    ("Resource that is no text", task(Resource={}), "wrong-type", "/States/A/Resource"),
    ("both timeouts", task(TimeoutSeconds=1, TimeoutSecondsPath="$.t"), "mutually-exclusive", "/States/A"),
    ("both heartbeats", task(HeartbeatSeconds=1, HeartbeatSecondsPath="$.t"), "mutually-exclusive", "/States/A"),
    ("heartbeat not below timeout", task(TimeoutSeconds=5, HeartbeatSeconds=5), "out-of-range", "/States/A/HeartbeatSeconds"),
    ("indefinite timeout", task(TimeoutSecondsPath="$..t"), "bad-path", "/States/A/TimeoutSecondsPath"),
    ("bad InputPath", task(InputPath="bug$.a"), "bad-path", "/States/A/InputPath"),
    ("InputPath that is a number", task(InputPath=1), "wrong-type", "/States/A/InputPath"),
    ("ResultPath with a wildcard", task(ResultPath="$.a[*]"), "bad-path", "/States/A/ResultPath"),
    ("ResultPath into the context", task(ResultPath="$$.a"), "bad-path", "/States/A/ResultPath"),
    ("ResultPath that is a number", task(ResultPath=1), "wrong-type", "/States/A/ResultPath"),
    ("template without path", task(Parameters={"a": [{"b.$": "ipsum"}]}), "bad-path", "/States/A/Parameters/a/0/b.$"),
    ("template with a number", task(ResultSelector={"b.$": 1}), "wrong-type", "/States/A/ResultSelector/b.$"),
    ("field twice in a template", task(Parameters={"a": 1, "a.$": "$"}), "duplicate-field", "/States/A/Parameters/a.$"),
    ("Retry that is no list", task(Retry={}), "wrong-type", "/States/A/Retry"),
    ("retrier that is no object", task(Retry=[1]), "wrong-type", "/States/A/Retry/0"),
    ("no ErrorEquals", task(Retry=[{}]), "missing-field", "/States/A/Retry/0"),
    ("empty ErrorEquals", task(Retry=[{"ErrorEquals": []}]), "wrong-type", "/States/A/Retry/0/ErrorEquals"),
    ("ErrorEquals with a truth", task(Retry=[{"ErrorEquals": [True]}]), "wrong-type", "/States/A/Retry/0/ErrorEquals/0"),
    ("ALL in company", task(Retry=[{"ErrorEquals": ["E", "States.ALL"]}]), "states-all-alone", "/States/A/Retry/0/ErrorEquals"),
    (
        "ALL not last",
        task(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}]),
        "states-all-last",
        "/States/A/Retry/0/ErrorEquals",
    ),
    ("interval of 0", task(Retry=[{"ErrorEquals": ["E"], "IntervalSeconds": 0}]), "out-of-range", "/States/A/Retry/0/IntervalSeconds"),
    ("attempts below 0", task(Retry=[{"ErrorEquals": ["E"], "MaxAttempts": -1}]), "out-of-range", "/States/A/Retry/0/MaxAttempts"),
    ("rate below 1", task(Retry=[{"ErrorEquals": ["E"], "BackoffRate": 0.5}]), "out-of-range", "/States/A/Retry/0/BackoffRate"),
    ("rate that is a text", task(Retry=[{"ErrorEquals": ["E"], "BackoffRate": "2"}]), "wrong-type", "/States/A/Retry/0/BackoffRate"),
    ("short MaxDelay", task(Retry=[{"ErrorEquals": ["E"], "MaxDelaySeconds": 1}]), "out-of-range", "/States/A/Retry/0/MaxDelaySeconds"),
    ("jitter", task(Retry=[{"ErrorEquals": ["E"], "JitterStrategy": "SOME"}]), "bad-value", "/States/A/Retry/0/JitterStrategy"),
    ("field of a retrier", task(Retry=[{"ErrorEquals": ["E"], "Interval": 1}]), "unknown-field", "/States/A/Retry/0/Interval"),
    ("catcher to nowhere", catching(Next="Z"), "unknown-state", "/States/A/Catch/0/Next"),
    ("catcher without Next", task(Catch=[{"ErrorEquals": ["E"]}]), "missing-field", "/States/A/Catch/0"),
    ("catcher's ResultPath", catching(ResultPath="$..a"), "bad-path", "/States/A/Catch/0/ResultPath"),
    ("catcher's Assign", catching(Assign=[]), "wrong-type", "/States/A/Catch/0/Assign"),
    ("Catch that is no list", task(Catch="A"), "wrong-type", "/States/A/Catch"),
    ("no Choices", machine(A={"Type": "Choice"}, B=END), "missing-field", "/States/A"),
    ("empty Choices", machine(A={"Type": "Choice", "Choices": []}, B=END), "wrong-type", "/States/A/Choices"),
    ("Default to nowhere", machine(A={"Type": "Choice", "Choices": [], "Default": "Z"}, B=END), "unknown-state", "/States/A/Default"),
    ("End on a Choice", machine(A={"Type": "Choice", "Choices": [], "End": True}, B=END), "unknown-field", "/States/A/End"),
    ("rule without operator", rule(Variable="$.a"), "bad-rule", "/States/A/Choices/0"),
    ("two operators", rule(Variable="$.a", IsNull=True, IsPresent=True), "bad-rule", "/States/A/Choices/0"),
    ("misspelt operator", rule(Variable="$.a", NumericEqual=1), "unknown-field", "/States/A/Choices/0/NumericEqual"),
    ("no Variable", rule(IsNull=True), "missing-field", "/States/A/Choices/0"),
    ("indefinite Variable", rule(Variable="$.a[*]", IsNull=True), "bad-path", "/States/A/Choices/0/Variable"),
    ("function as Variable", rule(Variable="States.Array()", IsNull=True), "bad-path", "/States/A/Choices/0/Variable"),
    ("text for a number", rule(Variable="$.a", NumericEquals="1"), "wrong-type", "/States/A/Choices/0/NumericEquals"),
    ("truth for a number", rule(Variable="$.a", NumericEquals=True), "wrong-type", "/States/A/Choices/0/NumericEquals"),
    ("number for a truth", rule(Variable="$.a", IsPresent=1), "wrong-type", "/States/A/Choices/0/IsPresent"),
    ("bad timestamp", rule(Variable="$.a", TimestampEquals="noon"), "bad-timestamp", "/States/A/Choices/0/TimestampEquals"),
    ("bad path operand", rule(Variable="$.a", StringEqualsPath="b"), "bad-path", "/States/A/Choices/0/StringEqualsPath"),
    ("empty And", rule(And=[]), "wrong-type", "/States/A/Choices/0/And"),
    ("inner Next", rule(Not={"Variable": "$.a", "IsNull": True, "Next": "B"}), "unknown-field", "/States/A/Choices/0/Not/Next"),
    ("JSONata condition", rule(Condition="{% true %}"), "unknown-field", "/States/A/Choices/0/Condition"),
    ("two waits", machine(A={"Type": "Wait", "Seconds": 1, "SecondsPath": "$.s", "End": True}), "mutually-exclusive", "/States/A"),
    ("no wait", machine(A={"Type": "Wait", "End": True}), "missing-field", "/States/A"),
    ("wait below 0", machine(A={"Type": "Wait", "Seconds": -1, "End": True}), "out-of-range", "/States/A/Seconds"),
    ("no zone", machine(A={"Type": "Wait", "Timestamp": "2026-01-01T00:00:00", "End": True}), "bad-timestamp", "/States/A/Timestamp"),
    ("both causes", machine(A={"Type": "Fail", "Cause": "c", "CausePath": "$.c"}), "mutually-exclusive", "/States/A"),
    ("Error that is a number", machine(A={"Type": "Fail", "Error": 1}), "wrong-type", "/States/A/Error"),
    ("no Branches", machine(A={"Type": "Parallel", "End": True}), "missing-field", "/States/A"),
    ("empty Branches", branched(), "wrong-type", "/States/A/Branches"),
    ("branch that is no object", branched(1), "wrong-type", "/States/A/Branches/0"),
    ("unknown field of a branch", branched({**machine(B=END), "Sfc": {}}), "unknown-field", "/States/A/Branches/0/Sfc"),
    ("out of a branch", branched(machine(B={"Type": "Pass", "Next": "A"})), "crosses-branches", "/States/A/Branches/0/States/B/Next"),
    ("a name twice", branched(machine(A=END)), "duplicate-state", "/States/A/Branches/0/States/A"),
    ("bad escape", task(Parameters={"a.$": r"States.Format('\n')"}), "bad-path", "/States/A/Parameters/a.$"),
    ("unknown function", task(Parameters={"a.$": "States.Add(1)"}), "bad-path", "/States/A/Parameters/a.$"),
    ("too few arguments", task(Parameters={"a.$": "States.MathAdd(1)"}), "bad-path", "/States/A/Parameters/a.$"),
    ("text for a number in a call", task(Parameters={"a.$": "States.MathAdd(1,'-1')"}), "bad-path", "/States/A/Parameters/a.$"),
]


@pytest.mark.parametrize(("document", "code", "pointer"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_a_problem_is_found_where_it_is(document: Any, code: str, pointer: str) -> None:
    errors = [problem for problem in validate(document) if problem.severity == "error"]
    assert (code, pointer) in [(problem.code, problem.pointer) for problem in errors]
    for problem in errors:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", problem.code)
        assert ("not yet" in problem.message) == (problem.code == "not-yet")
        assert problem.code == "not-yet" or problem.message.startswith("expected ")


def test_all_problems_come_at_once() -> None:
    document = task(TimeoutSeconds="soon", Retry=[{"ErrorEquals": []}], Colour="red")
    with pytest.raises(InvalidBlueprint) as raised:
        compile_machine(document)
    assert {problem.pointer for problem in raised.value.problems} == {
        "/States/A/TimeoutSeconds",
        "/States/A/Retry/0/ErrorEquals",
        "/States/A/Colour",
    }
    assert all(pointer in str(raised.value) for pointer in ("/States/A/TimeoutSeconds", "/States/A/Colour"))


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        (machine(Pay={"Type": "Pass", "Next": "Snd"}, Send=END), "'Send'"),
        (machine(A={"Type": "task", "End": True}), "'Task'"),
        (task(TimeoutSecond=1), "'TimeoutSeconds'"),
        (rule(Variable="$.a", NumericEqual=1), "'NumericEquals'"),
        (machine(A={**END, "Retry": []}), "Task, Parallel"),
    ],
)
def test_a_slip_is_answered_with_the_right_word(document: Any, hint: str) -> None:
    assert any(hint in problem.hint for problem in validate(document))


def test_unreachable_states_and_unknown_error_names_are_warnings_only() -> None:
    document = machine(A={"Type": "Task", "Resource": "task:a", "End": True, "Retry": [{"ErrorEquals": ["States.Timout"]}]}, B=END)
    assert [(p.code, p.severity) for p in validate(document)] == [("unknown-error", "warning"), ("unreachable-state", "warning")]
    assert set(compile_machine(document).states) == {"A", "B"}


def test_the_extension_member_is_left_to_others_and_sound_documents_have_no_problems() -> None:
    document = {**machine(A=END), "Sfc": {"anything": 1}, "Version": "1.0", "Comment": "c"}
    assert validate(document) == []


def test_states_named_by_a_catcher_or_a_rule_are_reached() -> None:
    assert validate({"StartAt": "A", "States": {**catching(Next="B")["States"], "B": END}}) == []
    assert [p.code for p in validate(rule(Variable="$.a", IsNull=True))] == ["choice-without-default"]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (
            machine(A={"Type": "Fail", "Error": 5, "ErrorPath": "$.x", "Cause": [], "CausePath": "x"}),
            ["mutually-exclusive ", "wrong-type Error", "mutually-exclusive ", "wrong-type Cause", "bad-path CausePath"],
        ),
        (task(TimeoutSeconds="5", TimeoutSecondsPath="$.t"), ["mutually-exclusive ", "wrong-type TimeoutSeconds"]),
        (
            rule(Variable="x", NumericEquals="five", StringEquals="a", And=[{"Variable": "$.a", "IsNull": 1}]),
            [
                "bad-rule Choices/0",
                "bad-path Choices/0/Variable",
                "wrong-type Choices/0/NumericEquals",
                "wrong-type Choices/0/And/0/IsNull",
            ],
        ),
        (rule(NumericEquals="five"), ["missing-field Choices/0", "wrong-type Choices/0/NumericEquals"]),
        (branched({"States": {}}), ["wrong-type Branches/0/States", "missing-field Branches/0"]),
        (branched({"StartAt": 5}), ["missing-field Branches/0", "wrong-type Branches/0/StartAt"]),
        (
            machine(
                A={
                    "Type": "Map",
                    "End": True,
                    "MaxConcurrency": "x",
                    "MaxConcurrencyPath": "$.m",
                    "ItemBatcher": {"MaxItemsPerBatch": "x", "MaxItemsPerBatchPath": "$.m"},
                    "ItemProcessor": {"StartAt": "I", "States": {"I": END}},
                }
            ),
            [
                "mutually-exclusive ",
                "wrong-type MaxConcurrency",
                "mutually-exclusive ItemBatcher",
                "wrong-type ItemBatcher/MaxItemsPerBatch",
            ],
        ),
    ],
)
def test_one_problem_hides_no_other(document: Any, told: list[str]) -> None:
    found = [p for p in validate(document) if p.severity == "error"]
    assert [f"{p.code} {p.pointer.removeprefix('/States/A').removeprefix('/')}" for p in found] == told


@pytest.mark.parametrize(
    ("text", "told"),
    [(" {% 1 %}", ["error bad-jsonata"]), ("{% 1 %} ", ["error bad-jsonata"]), (" {% 1 %} ", ["warning literal-path"])],
)
def test_blanks_around_an_expression_are_told_once(text: str, told: list[str]) -> None:
    document = {**machine(A={**END, "Output": text}), "QueryLanguage": "JSONata"}
    assert [f"{p.severity} {p.code}" for p in validate(document)] == told


@pytest.mark.parametrize("nest", [lambda inner: {"Not": inner}, lambda inner: [inner]])
def test_a_bottomless_document_is_refused(nest: Any) -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = nest(deep)
    assert [problem.code for problem in validate(machine(A={**END, "Parameters": deep}))] == ["too-deep"]


def test_half_of_a_surrogate_pair_is_refused_wherever_it_stands() -> None:
    half = json.loads('"x\\ud800"')
    document = {**machine(A={**END, "Result": {"a": ["ok", half], half: {"b": half}, "whole": "\U0001f600"}}), half: 1}
    problems = validate(document)
    assert [(p.code, p.pointer) for p in problems] == [
        ("not-json", ""), ("not-json", "/States/A/Result"), ("not-json", "/States/A/Result/a/1"),
    ]  # fmt: skip
    assert all("\\ud800" in p.message for p in problems)
    assert json.dumps([tuple(p) for p in problems], ensure_ascii=False).encode()
    with pytest.raises(InvalidBlueprint, match="half of a surrogate pair"):
        compile_machine(document)


@pytest.mark.parametrize(
    ("document", "pointer", "said"),
    [
        (dict[Any, Any]({True: 1}) | machine(A=END), "", "each name, came True"),
        (machine(A={**END, 1.5: "x"}), "/States/A", "each name, came 1.5"),
        ({"StartAt": "A", "States": {None: END, "A": END}}, "/States", "each name, came None"),
        (machine(A={**END, "Parameters": {"a": [{False: "$.a"}]}}), "/States/A/Parameters/a/0", "each name, came False"),
        (machine(A={**END, "Result": {date(2026, 3, 14): 1}}), "/States/A/Result", "each name, came datetime.date(2026, 3, 14)"),
        (machine(A={**END, "Type": date(2026, 3, 14)}), "/States/A/Type", "JSON has, came datetime.date(2026, 3, 14)"),
        (machine(A={**END, "Result": [b"x"]}), "/States/A/Result/0", "JSON has, came b'x'"),
    ],
)
def test_what_readers_of_yaml_make_and_json_has_not_is_told_with_its_place(document: Any, pointer: str, said: str) -> None:
    [problem] = validate(document)
    assert (problem.code, problem.pointer, problem.severity) == ("not-json", pointer, "error")
    assert said in problem.message
    assert "quotation marks" in problem.hint
    with pytest.raises(InvalidBlueprint, match=r"expected a (text as each name|value that JSON has)"):
        compile_machine(document)


WORDS = st.sampled_from(
    [
        "StartAt",
        "States",
        "Type",
        "Next",
        "End",
        "Task",
        "Choice",
        "Parallel",
        "Pass",
        "Wait",
        "Fail",
        "Map",
        "Choices",
        "Branches",
        "Retry",
        "Catch",
        "ErrorEquals",
        "And",
        "Not",
        "Variable",
        "IsNull",
        "$.a",
        "$$",
        "$..[?(",
        "States.Format('{}', $)",
        "Seconds",
        "A",
        "x.$",
        "Parameters",
        "ResultPath",
        "Timestamp",
        "TimeoutSeconds",
        "ErrorPath",
        "Default",
        "QueryLanguage",
        "JSONata",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=30,
)


@settings(max_examples=150, deadline=None)
@given(JSON, st.sampled_from(["Task", "Choice", "Parallel", "Pass", "Wait", "Succeed", "Fail", "Map"]))
def test_any_json_is_judged_without_an_exception(value: Any, kind: str) -> None:
    state = {"Type": kind, **(value if isinstance(value, dict) else {})}
    for document in (value, {"StartAt": "A", "States": value}, {"StartAt": "A", "States": {"A": state}}):
        assert all(isinstance(problem, Problem) for problem in validate(document))


def test_retriers_stand_by_themselves() -> None:
    first, second = retriers([{"ErrorEquals": ["Busy"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}])
    assert (first.matches("Busy"), first.max_attempts, second.matches("Other")) == (True, 0, True)
    with pytest.raises(InvalidBlueprint, match="/0/MaxAttempts"):
        retriers([{"ErrorEquals": ["Busy"], "MaxAttempts": -1}])
