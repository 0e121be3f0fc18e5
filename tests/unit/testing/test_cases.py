from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sfc.errors import BadInput
from sfc.testing.cases import Result, Suite, find_suites, load_suite, run_suite, write_golden
from sfc.testing.coverage import Coverage
from sfc.testing.junit import write_junit
from sfc.testing.running import run
from sfc.testing.visits import visits_of
from tests.unit.testing.machines import machine, task

BLUEPRINTS = Path(__file__).resolve().parents[3] / "blueprints"
BLUEPRINT = """
StartAt: A
States:
  A:
    Type: Choice
    Choices: [{Variable: $.n, NumericEquals: 1, Next: B}]
    Default: C
  B: {Type: Task, Resource: "task:b", End: true}
  C: {Type: Fail, Error: Refused, Cause: not one}
"""


def suite_of(folder: Path, cases: str, blueprint: str = BLUEPRINT) -> Suite:
    (folder / "shop.yaml").write_text(blueprint)
    (folder / "shop.test.yaml").write_text(cases)
    return load_suite(folder / "shop.test.yaml")


def results(suite: Suite) -> dict[str, list[str]]:
    return {result.name: result.problems for result in run_suite(suite)}


def test_the_examples_pass_and_cover_every_state_and_choice() -> None:
    files = find_suites([BLUEPRINTS])
    assert {file.parent.name for file in files} == {folder.name for folder in BLUEPRINTS.iterdir() if (folder / "blueprint.yaml").exists()}
    for file in files:
        suite = load_suite(file)
        assert [(r.name, r.problems) for r in run_suite(suite) if not r.passed] == []
        assert suite.coverage.missed == [], file


def test_only_what_is_written_is_compared(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        """
cases:
  - {name: nothing is expected, input: {n: 2}}
  - {name: as expected, input: {n: 1}, mocks: {B: [{return: 1}]}, expect: {status: SUCCEEDED, output: 1, path: [A, B], error: null}}
  - {name: another output, input: {n: 1}, mocks: {B: [{return: true}]}, expect: {output: 1}}
  - {name: another end, input: {n: 2}, expect: {status: SUCCEEDED}}
  - {name: another path, input: {n: 2}, expect: {path: [A, B], error: Refused, cause: not one}}
  - {name: no mock, input: {n: 1}}
""",
    )
    found = results(suite)
    assert found["nothing is expected"] == found["as expected"] == []
    assert found["another output"] == ["output: expected 1, came true"]
    assert found["another end"] == ['status: expected "SUCCEEDED", came "FAILED"', "it ended with Refused: not one"]
    assert found["another path"] == ['path: expected ["A", "B"], came ["A", "C"]']
    assert "'B' (task:b@1) was reached" in found["no mock"][0]


def test_what_a_result_writer_would_write_is_compared(tmp_path: Path) -> None:
    each = {"StartAt": "Same", "States": {"Same": {"Type": "Pass", "End": True}}}
    writing = {"Type": "Map", "ItemProcessor": each, "ResultWriter": {"Resource": "file:out"}, "End": True}
    cases = "cases: [{name: all, input: [1, 2], expect: {written: {M: [1, 2]}}}, {name: less, input: [1], expect: {written: {M: [2]}}}]"
    found = results(suite_of(tmp_path, cases, json.dumps({"StartAt": "M", "States": {"M": writing}})))
    assert found == {"all": [], "less": ['written: expected {"M": [2]}, came {"M": [1]}']}


def test_a_case_says_when_it_starts(tmp_path: Path) -> None:
    clock = "StartAt: A\nStates:\n  A: {Type: Pass, Parameters: {at.$: $$.Execution.StartTime}, End: true}\n"
    cases = 'cases: [{name: x, now: "2025-06-18T12:00:00+08:00", expect: {output: {at: "2025-06-18T04:00:00.000Z"}}}]'
    assert results(suite_of(tmp_path, cases, clock)) == {"x": []}


def test_a_golden_history_is_written_and_then_kept_to(tmp_path: Path) -> None:
    cases = "cases: [{name: refused, input: {n: 2}, expect: {history: golden/refused.json}}]"
    suite = suite_of(tmp_path, cases)
    assert "`sfc test --update` writes it" in results(suite)["refused"][0]
    golden = tmp_path / "golden" / "refused.json"
    assert write_golden(suite) == [golden]
    assert write_golden(suite) == []
    assert results(suite) == {"refused": []}
    events = json.loads(golden.read_text())
    golden.write_text(json.dumps(events[:-1]))
    assert results(suite) == {"refused": [f"history: {len(events)} events came, {golden} has {len(events) - 1}"]}
    events[1]["state"] = "Z"
    golden.write_text(json.dumps(events))
    assert results(suite)["refused"][0].startswith("history: event 2 is ")


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        ("[]", "an object with blueprint, cases was expected"),
        ("cases: []", "cases is a list of at least one case"),
        ("cases: [5]", "case 1: an object with name"),
        ("cases: [{input: 1}]", "case 1 has no name"),
        ("cases: [{name: a}, {name: a}]", "case 2: the name 'a' is here twice"),
        ("cases: [{name: a, mock: {}}]", "case 1 has the field 'mock'. Did you mean 'mocks'?"),
        ("cases: [{name: a, expect: {states: []}}]", "case 1, expect has the field 'states'. Did you mean 'status'?"),
        ("cases: [{name: a, expect: {status: DONE}}]", "status is one of SUCCEEDED, FAILED, TIMED_OUT, ABORTED, this is 'DONE'"),
        ("cases: [{name: a, now: noon}]", "now is a time as 2025-06-18T12:00:00Z, this is 'noon'"),
        ("cases: [{name: a}]\nblueprint: 5", "blueprint is a file's name"),
        ("cases: [{name: a}]\nblueprint: else.yaml", "else.yaml can't be read"),
    ],
)
def test_a_test_file_that_can_not_be_taken_says_why(tmp_path: Path, cases: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        suite_of(tmp_path, cases)
    assert said in caught.value.message
    assert "shop.test.yaml" in caught.value.message or "else.yaml" in caught.value.message


def test_test_files_are_found_by_folder_and_by_blueprint(tmp_path: Path) -> None:
    file = suite_of(tmp_path, "cases: [{name: a}]").file
    assert find_suites([tmp_path]) == find_suites([tmp_path / "shop.yaml"]) == find_suites([file, tmp_path]) == [file]
    (tmp_path / "empty").mkdir()
    (tmp_path / "alone.yaml").write_text("{}")
    for path, said in (("empty", "no test file"), ("alone.yaml", "alone.test.yaml is not beside it"), ("nowhere", "is not there")):
        with pytest.raises(BadInput, match=said):
            find_suites([tmp_path / path])


def test_coverage_counts_states_of_branches_and_ways_out_of_choices() -> None:
    inner = {"StartAt": "In", "States": {"In": {"Type": "Pass", "End": True}}}
    document = machine(
        {
            "A": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": n, "Next": f"B{n}"} for n in (1, 2)], "Default": "B1"},
            "B1": {"Type": "Parallel", "Branches": [inner], "End": True},
            "B2": {"Type": "Succeed"},
        }
    )
    coverage = Coverage(document)
    assert coverage.missed == ["A", "B1", "In", "B2", "A → B1", "A → B2"]
    coverage.add(run(document, 1).history)
    assert coverage.missed == ["B2", "A → B2"]
    coverage.add(run(document, 2).history)
    assert coverage.missed == []


def test_junit_has_a_suite_for_each_file_and_no_forbidden_characters(tmp_path: Path) -> None:
    path = tmp_path / "out" / "junit.xml"
    write_junit(path, [Result("a", "one"), Result("a", "two", ["came \x00 <b>", "and more"], 0.5), Result("b", "three")])
    root = ET.parse(path).getroot()
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    assert [(s.get("name"), s.get("tests"), s.get("failures")) for s in root] == [("a", "2", "1"), ("b", "1", "0")]
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("came  <b>", "came  <b>\nand more")


def test_visits_say_how_each_state_was_left() -> None:
    catch = [{"ErrorEquals": ["Busy"], "Next": "W"}]
    states = {
        "A": task(Catch=catch, Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 1}], Next="F"),
        "W": {"Type": "Wait", "Seconds": 60, "Next": "F"},
        "F": {"Type": "Fail", "Error": "Over"},
    }
    outcome = run(machine(states), mocks={"A": {"throw": {"error": "Busy"}, "delay": 2}})
    visits = visits_of(outcome.history)
    assert [(v.state, v.seconds, v.took, v.attempts, v.left) for v in visits] == [
        ("A", 0, 5, 2, "caught Busy: W"),
        ("W", 5, 60, 0, "F"),
        ("F", 65, 0, 0, "failed: Over"),
    ]
    assert [v.done for v in visits] == [True, True, False]
    timed_out = run(machine(states, TimeoutSeconds=30), mocks={"A": {"throw": {"error": "Busy"}}})
    assert visits_of(timed_out.history)[-1].left == "the flow's time was up"
    assert visits_of(run(machine(states), mocks={"A": {"throw": {"error": "Busy"}}}, stop_after=9).history)[-1].left == "stopped"
