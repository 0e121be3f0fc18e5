"""JSONata in a state: what expressions give, how they fail, what is refused before they run, and that they give the same each time."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfc.asl import Context, Failure, PassState, compile_machine, validate
from sfc.asl.checks import Checks
from sfc.asl.jsonata import INPUT, read_expression
from sfc.asl.values import read_typed, read_value

NOW_MS = 1_700_000_000_000
BIG = 12_345_678_901_234_567_890_123
GIVEN = {
    "a": 1,
    "big": BIG,
    "list": [1, 2, 3],
    "order": {"rows": [{"y": 1}, {"y": 2}], "empty": [], "one": [5], "null": None, "none": None},
}


def context(**more: Any) -> Context:
    variables = {"v": {"q": 7}, "name": "Ann", **more}
    return Context({"Execution": {"Id": "flow"}}, variables, NOW_MS, "flow/1/2")


def passing(**fields: Any) -> PassState:
    machine = compile_machine({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, **fields}}})
    state = machine.states["A"]
    assert isinstance(state, PassState)
    return state


def output(value: Any, given: Any = GIVEN) -> Any:
    return passing(Output=value).output(given, given, context())


def problems(value: Any, field: str = "Output", kind: str = "Pass", **more: Any) -> list[tuple[str, str]]:
    state = {"Type": kind, "End": True, **more, field: value}
    found = validate({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}})
    return [(problem.code, f"{problem.message} {problem.hint}".strip()) for problem in found if problem.severity == "error"]


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("{% $states.input.a %}", 1),
        ("{%$states.input.a%}", 1),
        ("{% $states.input.big %}", BIG),  # a place is handed on as it is …
        ("{% $states.input.big + 1 %}", float(BIG)),  # … and what is calculated is a double
        ("{% $states.input.order.rows.y %}", [1, 2]),
        ("{% $states.input.order.empty %}", []),
        ("{% $states.input.order.one %}", [5]),
        ("{% $states.input.order.`null` %}", None),
        ("{% $states.input.list[$ > 1] %}", [2, 3]),
        ("{% $states.input ~> $keys %}", ["a", "big", "list", "order"]),
        ("{% $states.context.Execution.Id %}", "flow"),
        ("{% $states.context.Execution.Id & '!' %}", "flow!"),
        ("{% $name %}", "Ann"),
        ("{% $v.q + 1 %}", 8),
        ("{% $map($states.input.list, function($x) { $x + $v.q }) %}", [8, 9, 10]),
        ("{% ($f := function($n) { $n < 2 ? 1 : $n * $f($n - 1) }; $f(5)) %}", 120),
        ("{% ($name := 'Bob'; $name) & $states.input.a %}", "Bob1"),
        ("{% null %}", None),
        ("{% 10 / 4 %}", 2.5),
        ("{% 10 / 5 %}", 2),
        ("{% $now() %}", "2023-11-14T22:13:20.000Z"),
        ("{% $millis() %}", NOW_MS),
        ("{% $partition($states.input.list, 2) %}", [[1, 2], [3]]),
        ("{% $partition([], 2) %}", []),
        ("{% $range(0, 10, 3) %}", [0, 3, 6, 9]),
        ("{% $hash('abc', 'MD5') %}", "900150983cd24fb0d6963f7d28e17f72"),
        ("{% $parse('[[1]]') %}", [[1]]),
        ("{% $parse('null') %}", None),
        ("{% $parse('-0') %}", 0),
        ("{% $exists($nobody) %}", False),
        ("$states.input", "$states.input"),
        (" {% is text %} ", " {% is text %} "),
        ({"a": ["{% $v.q %}", {"b.$": "$.a"}], "c": 1.5}, {"a": [7, {"b.$": "$.a"}], "c": 1.5}),
        ([True, None], [True, None]),
    ],
)
def test_a_value_gives(value: Any, result: Any) -> None:
    found = output(value)
    assert (found, type(found)) == (result, type(result))


def said(expression: str, field: str = "Output") -> str:
    return f"The JSONata expression '{expression}' specified for the field '{field}'"


@pytest.mark.parametrize(
    "expression",
    [
        "$parse('[1e400]')",
        "$parse('-1e400')",
        "1e308 * 10",
        "-1.7e308 - 1.7e308",
        "1 / 0",
        "$power(10, 400)",
        "$number('1e400')",
        "$sum([1.7e308, 1.7e308])",
    ],
)
def test_a_number_that_no_double_holds_fails_and_never_becomes_null(expression: str) -> None:
    found = output(f"{{% {expression} %}}")
    assert isinstance(found, Failure)
    assert (found.error, found.location) == ("States.QueryEvaluationError", "Output")
    assert problems("{% [1e400] %}")[0][1].startswith("expected a JSONata expression, came one that makes no sense at character 5")


@pytest.mark.parametrize(
    ("value", "location", "cause"),
    [
        ("{% $nobody %}", "Output", said("$nobody") + " returned nothing (undefined)."),
        ("{% $states.input.order.none.z %}", "Output", said("$states.input.order.none.z") + " returned nothing (undefined)."),
        ({"x": ["{% $v.no %}"]}, "Output/x[0]", said("$v.no", "Output/x[0]") + " returned nothing (undefined)."),
        ("{% $fn := function($x){$x} %}", "Output", said("$fn := function($x){$x}") + " returned an unsupported result type."),
        ("{% $sum %}", "Output", said("$sum") + " returned an unsupported result type."),
        (
            "{% 'a' + 1 %}",
            "Output",
            said("'a' + 1") + ' threw an error during evaluation. T2001: The left side of the "+" operator must evaluate to a number',
        ),
        ("{% $error('no') %}", "Output", said("$error('no')") + " threw an error during evaluation. D3137: no"),
        ("{% $parse('{') %}", "Output", said("$parse('{')") + " threw an error during evaluation. expected JSON, came {"),
        (
            "{% $partition([1], 0) %}",
            "Output",
            said("$partition([1], 0)") + " threw an error during evaluation. expected a size above 0, came 0",
        ),
    ],
)
def test_a_failing_expression_names_itself_and_its_field(value: Any, location: str, cause: str) -> None:
    assert output(value) == Failure("States.QueryEvaluationError", cause, runtime=True, location=location)


@pytest.mark.parametrize(
    "expression",
    [
        "($f := function($n) { $f($n + 1) }; $f(0))",  # steps
        "($f := function($n) { 1 + $f($n + 1) }; $f(0))",  # depth
        "[1..1000000]",
        "$join([1..9000].('abcdefghijklmnopqrstuvwxyzabcdefghij'))",
    ],
)
def test_an_expression_is_bounded_and_fails_each_time_at_the_same_place(expression: str) -> None:
    one, two = output(f"{{% {expression} %}}"), output(f"{{% {expression} %}}")
    assert isinstance(one, Failure)
    assert one == two


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ("{% 1 + %}", "bad-jsonata", "character 8"),
        ("{% $sum($states.input.x %}", "bad-jsonata", "makes no sense"),
        ("{%%}", "bad-jsonata", "makes no sense"),
        ("{% " + "(" * 2000 + " %}", "bad-jsonata", "nested too deeply"),
        ("{% $total(1) %}", "unknown-function", "came $total at character 4"),
        ("{% $states.input ~> $total %}", "unknown-function", "came $total"),
        ("{% $eval('1') %}", "unknown-function", "no $eval"),
        ("{% ($e := $eval; $e('1')) %}", "unknown-function", "no $eval"),
        ("{% total %}", "bad-jsonata", "Write $states.input.total"),
        ("{% $ %}", "bad-jsonata", "no $ or $$"),
        ("{% $$.total %}", "bad-jsonata", "came 'total'"),
        ("{% $string() %}", "bad-jsonata", "takes it as its argument"),
        ("{% $states.result %}", "bad-jsonata", "Output and Assign of Task, Parallel, Map and Join"),
        ("{% $states.errorOutput %}", "bad-jsonata", "catcher's Output and Assign"),
        ("{% $states.inputs %}", "bad-jsonata", "came $states.inputs at character 4"),
        ("{% 1", "bad-jsonata", "begins with {% and ends with %}"),
        (" {% 1 %}", "bad-jsonata", "begins with {% and ends with %}"),
        ({"a": ["{% b %}"]}, "bad-jsonata", "came 'b'"),
    ],
)
def test_what_can_not_be_meant_is_refused_before_it_runs(value: Any, code: str, words: str) -> None:
    found = problems(value)
    assert [each[0] for each in found] == [code]
    assert words in found[0][1]
    assert found[0][1].startswith("expected ")


@pytest.mark.parametrize(
    ("field", "kind", "more", "hint"),
    [
        ("Parameters", "Task", {"Resource": "task:a"}, "In JSONata: Arguments."),
        ("Parameters", "Pass", {}, "In JSONata: Output."),
        ("InputPath", "Pass", {}, "In JSONata every field sees $states.input."),
        ("ResultPath", "Pass", {}, "In JSONata: Output."),
        ("Result", "Pass", {}, "In JSONata: Output."),
        ("TimeoutSecondsPath", "Task", {"Resource": "task:a"}, "In JSONata: an expression in TimeoutSeconds."),
        ("SecondsPath", "Wait", {"Seconds": 1}, "In JSONata: an expression in Seconds."),
    ],
)
def test_fields_of_jsonpath_are_refused_with_what_to_write(field: str, kind: str, more: dict[str, Any], hint: str) -> None:
    assert [(code, hint in words) for code, words in problems("$.x", field, kind, **more)] == [("unknown-field", True)]


def test_arguments_see_no_result_and_a_catcher_sees_the_error() -> None:
    assert [code for code, _ in problems("{% $states.result %}", "Arguments", "Task", Resource="task:a")] == ["bad-jsonata"]
    assert problems("{% $states.result %}", "Output", "Task", Resource="task:a") == []
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "A", "Output": "{% $states.errorOutput %}", "Assign": {"e": "{% $states.result %}"}}]
    assert [words for _, words in problems(catch, "Catch", "Task", Resource="task:a")] == [
        "expected one of input, context, errorOutput in $states here, came $states.result at character 4 "
        "It exists in the Output and Assign of Task, Parallel, Map and Join states."
    ]


def test_a_state_may_be_in_jsonata_inside_jsonpath_and_not_the_other_way() -> None:
    inner = {"Type": "Pass", "End": True, "QueryLanguage": "JSONata", "Output": "{% 1 %}"}
    assert validate({"StartAt": "A", "States": {"A": inner}}) == []
    # What stands inside a state takes the machine's language, not the state's.
    parallel = {
        "Type": "Parallel", "QueryLanguage": "JSONata", "Arguments": {}, "End": True,
        "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "InputPath": "$.x", "End": True}}}],
    }  # fmt: skip
    assert validate({"StartAt": "A", "States": {"A": parallel}}) == []
    other = {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "QueryLanguage": "JSONPath", "End": True}}}
    assert [problem.pointer for problem in validate(other)] == ["/States/A/QueryLanguage"]


def test_an_expression_of_the_wrong_type_says_what_it_gave() -> None:
    checks = Checks()
    step = read_typed(checks, "{% $v %}", "/Items", "Items", "array", lambda found: isinstance(found, list))
    cause = f"{said('$v', 'Items')} returned an unexpected result type. Expected 'array', but was 'object' for value: " + '{"q":7}'
    assert step(GIVEN, context()) == Failure("States.QueryEvaluationError", cause, runtime=True, location="Items")
    assert step(GIVEN, context(v=[1])) == [1]


def test_chance_is_the_same_when_it_is_decided_again_and_another_in_each_place() -> None:
    both = {"a": "{% [$uuid(), $uuid()] %}", "b": "{% $uuid() %}", "c": "{% [$random(), $random()] %}", "d": "{% $shuffle([1..9]) %}"}
    one, two = output(both), output(both)
    assert one == two
    assert len({*one["a"], one["b"]}) == 3
    assert all(len(each) == 36 and each[14] == "4" and each[19] in "89ab" for each in one["a"])
    assert len(set(one["c"])) == 2
    assert all(0 <= each < 1 for each in one["c"])
    assert sorted(one["d"]) == list(range(1, 10))
    other = Context({}, {}, NOW_MS, "flow/1/3")
    assert passing(Output=both).output(GIVEN, GIVEN, other) != one


def test_random_with_a_seed_is_the_same_everywhere() -> None:
    assert output("{% $random(5) %}") == output("{% $random(5) + 0 %}") != output("{% $random(6) %}")


_NAMES = st.sampled_from(["a", "b", "and", "in"])  # some are words of JSONata too
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text("xy", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(value=_JSON, names=st.lists(_NAMES, max_size=3))
@settings(max_examples=200, deadline=None)
def test_a_place_is_found_as_the_library_finds_it(value: Any, names: list[str]) -> None:
    place = "".join(f".{name}" for name in names)
    quick = passing(Output=f"{{% $states.input{place} %}}").output(value, value, context())
    general = passing(Output=f"{{% ($states.input{place}) %}}").output(value, value, context())
    if isinstance(general, Failure):
        assert isinstance(quick, Failure)
    else:
        assert quick == general


_PIECES = st.one_of(
    st.sampled_from(["$states", ".input", ".context", ".a", "$v", "$name", "$x", "$", "$$", "@", "#", "*", "**", "`", "\u00e9", "/a/"]),
    st.sampled_from(["(", ")", "[", "]", "{", "}", ":", ",", ";", ":=", "~>", "?", "..", "|", "^", "function($x){"]),
    st.sampled_from(["+", "-", "/", "%", "&", "=", "!=", "<", "and", "or", "in", "'a'", '"b"', "1", "0", "2.5", "null", "true"]),
    st.sampled_from(["$sum(", "$map(", "$string(", "$uuid()", "$random()", "$parse(", "$now()", "$eval(", "$partition(", "[1..3]"]),
)


@given(pieces=st.lists(_PIECES, max_size=8), value=_JSON)
@settings(max_examples=400, deadline=None)
def test_generated_expressions_are_refused_give_a_value_or_fail_and_always_the_same(pieces: list[str], value: Any) -> None:
    checks = Checks()
    step = read_value(checks, "{% " + " ".join(pieces) + " %}", "/x", "x")
    if not checks.problems:
        assert step(value, context()) == step(value, context())
    else:
        assert all(problem.message.startswith("expected ") for problem in checks.problems)


def cost_us(evaluate: Any) -> float:
    """Microseconds of this thread per call, in the best of some rounds: others work on this machine too."""
    best = float("inf")
    here = context()
    for _ in range(20):
        begin = time.thread_time()
        for _ in range(200):
            evaluate(GIVEN, here)
        best = min(best, time.thread_time() - begin)
    return best / 200 * 1e6


def test_a_place_costs_a_fraction_of_what_an_expression_costs() -> None:
    place = read_expression(Checks(), "{% $states.input.order.one %}", "/x", "x", INPUT)
    total = read_expression(Checks(), "{% $sum($states.input.list) + $v.q %}", "/x", "x", INPUT)
    assert cost_us(place) < cost_us(total) / 3
