"""The judge of recorded cases, on cases of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import conformance
from tests.conformance import cause_matches, failures, judge_definition, judge_execution, matches, table
from tests.unit.testing.machines import machine, task

BUSY = {"Error": "Busy", "Cause": '{"requestId":"1-2","why":"later"}'}


def execution(expected: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "c::1", "category": "c", "definition": machine({"A": task()}), "input": {"n": 1}, "expected": expected, **more}


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (True, 1, False),
        (None, None, True),
        (None, 0, False),
        ("a", "a", True),
        ("a", "b", False),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1, 2], [2, 1], False),
        ("<uuid:1>", "0b9e", True),
        ("<number>", 5, True),
        ("no <uuid> 5", 5, False),
        ("id <uuid:1>.", "id 77.", True),
        ("id <uuid:1>.", "ID 77.", False),
        ("arn:<partition>:states:111:x:<name>", "orders@1", True),
        ("{Id=arn:<partition>:x, Name=<n>}", "{Id=orders@1, Name=orders}", True),
    ],
)
def test_placeholders_match_anything_and_the_rest_must_be_the_same(expected: Any, actual: Any, same: bool) -> None:
    assert matches(expected, actual) is same


def test_a_cases_own_placeholders_match_anything() -> None:
    assert matches({"at": "date", "n": "Number"}, {"at": "2025-01-01", "n": 5}, ["date", "Number"])
    assert not matches({"at": "date"}, {"at": "2025-01-01"}, ["time"])


def test_a_cause_that_is_an_object_is_json_text() -> None:
    assert cause_matches({"why": "later", "id": "<id>"}, '{"id": "7", "why": "later"}')
    assert not cause_matches({"why": "later"}, "later")
    assert not cause_matches({"why": "later"}, None)


def test_an_execution_is_run_with_its_recorded_mocks() -> None:
    recorded = {"A": [{"resource": "lambda", "input": {"n": 1}, "return": {"x": 1}}]}
    good = judge_execution(execution({"status": "SUCCEEDED", "output": {"x": 1}}, mocks=recorded))
    assert (good.good, good.error, good.cause, good.said) == (True, None, None, [])
    bad = judge_execution(execution({"status": "SUCCEEDED", "output": {"x": 2}}, mocks=recorded))
    assert not bad.good
    assert 'output: expected {"x": 2}' in bad.said


def test_status_error_and_cause_are_judged_apart() -> None:
    recorded = {"A": [{"throw": BUSY, "event": "TaskFailed"}]}

    def judged(**expected: Any) -> tuple[bool, bool | None, bool | None]:
        verdict = judge_execution(execution({"status": "FAILED", **expected}, mocks=recorded))
        return verdict.passed, verdict.error, verdict.cause

    assert judged(error="Busy", cause={"requestId": "<id>", "why": "later"}) == (True, True, True)
    assert judged(error="Busy", cause="other") == (True, True, False)
    assert judged(error="Lost", cause="other") == (True, False, False)
    succeeded = judge_execution(execution({"status": "SUCCEEDED", "output": 1}, mocks=recorded))
    assert (succeeded.passed, succeeded.good) == (False, False)


def test_a_refused_definition_and_a_missing_mock_fail_their_case() -> None:
    refused = judge_execution(execution({"status": "SUCCEEDED", "output": 1}, definition={"StartAt": "A"}))
    assert not refused.good
    assert refused.said[0].startswith("refused: missing-field")
    assert judge_execution(execution({"status": "SUCCEEDED", "output": 1})).said[0].startswith("MissingMock")


def test_definitions_are_judged_by_their_verdict() -> None:
    case = {"id": "d", "source": "s", "definition": machine({"A": task()})}
    assert judge_definition({**case, "valid": True}).good
    assert judge_definition({**case, "valid": False}).said[0] == "recorded as invalid"
    assert judge_definition({**case, "valid": False, "definition": None}).good


def test_what_is_skipped_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(conformance.SKIPPED_EXECUTIONS, "c::", "no service")
    verdict = judge_execution(execution({"status": "SUCCEEDED"}))
    assert failures([verdict]) == [{"id": "c::1", "skipped": "no service"}]
    assert table([verdict]).splitlines()[1].split() == ["c", "1", "1", "-", "-", "-", "-"]


def test_the_tables_are_printed_and_failures_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = execution({"status": "SUCCEEDED", "output": 1}, mocks={"A": [{"return": 1}]})
    bad = {**good, "id": "c::2", "expected": {"status": "SUCCEEDED", "output": 2}}
    (tmp_path / "executions.jsonl").write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    (tmp_path / "definitions.jsonl").write_text(
        json.dumps({"id": "d", "source": "s", "valid": True, "definition": good["definition"]}) + "\n"
    )
    out = tmp_path / "failures.jsonl"
    assert conformance.main(["--cases", str(tmp_path), "--failures", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "1/2  50.0 %" in printed
    assert "1/1 100.0 %" in printed
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["c::2"]
    assert conformance.main(["--cases", str(tmp_path), "--only", "c::1"]) == 0
