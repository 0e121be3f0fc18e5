"""``sfc run``, ``sfc test`` and ``sfc step`` as users type them: no server anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sfc.cli.app import app

BLUEPRINTS = Path(__file__).resolve().parents[3] / "blueprints"
ORDER = str(BLUEPRINTS / "tmall-order" / "blueprint.yaml")
MOCKS = """
Receive: {return: 1}
Split: [{throw: {error: OutOfStock, cause: none left}}, {return: 2}]
Pick: {return: 3}
Invoice: {return: 4}
Send: {return: a text, delay: 90}
"""


@pytest.fixture
def mocks(tmp_path: Path) -> str:
    file = tmp_path / "mocks.yaml"
    file.write_text(MOCKS)
    return str(file)


def sfc(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def test_run_prints_the_path_as_a_table_and_the_end(mocks: str) -> None:
    done = sfc("run", ORDER, "-i", '{"paid": true}', "--mocks", mocks)
    assert done.exit_code == 0
    lines = [line.split() for line in done.output.splitlines()]
    assert ["3", "0", "ms", "Split", "Task", "1.0", "s", "2", "Fulfil"] in lines
    assert ["7", "1.0", "s", "Send", "Task", "1", "min", "30", "s", "1", "Done"] in lines
    assert ["status", "SUCCEEDED"] in lines
    assert "\x1b" not in done.output
    assert '"sent": "a text"' in done.output


def test_run_shows_inputs_and_outputs_when_asked(mocks: str) -> None:
    silent, told = (sfc("run", ORDER, "-i", '{"paid": true}', "-m", mocks, *more).output for more in ([], ["-v"]))
    assert '{"paid": true, "received": 1}' not in silent
    assert '{"paid": true, "received": 1}' in told


def test_run_that_ends_badly_exits_with_1_and_says_why(mocks: str) -> None:
    failed = sfc("run", ORDER, "-i", '{"paid": false}', "-m", mocks)
    assert failed.exit_code == 1
    assert "failed: OrderUnpaid" in failed.output
    assert "The order was not paid" in failed.output


def test_run_gives_json_with_the_history_from_the_time_named(mocks: str) -> None:
    done = sfc("run", ORDER, "-i", '{"paid": true}', "-m", mocks, "--json", "--now", "2025-06-18T12:00:00+08:00", "--name", "o-1")
    outcome = json.loads(done.stdout)
    assert (outcome["status"], outcome["id"], outcome["path"][0]) == ("SUCCEEDED", "tmall-order:o-1", "Receive")
    assert outcome["history"][0]["time"] == "2025-06-18T04:00:00.000Z"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "nowhere.yaml"], 3, "nowhere.yaml can't be read"),
        (["run", ORDER], 1, "condition path references an invalid value"),
        (["run", ORDER, "--now", "noon"], 2, "'noon' is no time"),
        (["run", ORDER, "-m", "nowhere.yaml"], 3, "--mocks names nowhere.yaml"),
        (["step", ORDER, "-s", "Spilt"], 3, "Did you mean 'Split'?"),
        (["step", ORDER, "-s", "Split"], 3, '"Split": [{"return"'),
        (["step", ORDER, "-s", "Paid?", "--variables", "[1]"], 2, "'[1]' is no object of names and values"),
        (["test", "nowhere"], 3, "nowhere is not there"),
    ],
)
def test_bad_arguments_are_told_in_a_line(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    receive = tmp_path / "m.yaml"
    receive.write_text("Receive: {return: 1}")
    more = ["-m", str(receive)] if arguments == ["run", ORDER] else []
    done = sfc(*arguments, *more)
    assert (done.exit_code, said in done.output) == (code, True), done.output
    assert "Traceback" not in done.output


def test_a_missing_mock_says_what_to_write_in_the_file() -> None:
    done = sfc("run", ORDER)
    assert done.exit_code == 3
    assert 'hint: give it one in the mocks: {"Receive": [{"return": {…}}]}' in done.output


def test_test_runs_the_examples_and_shows_what_they_cover(tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    done = sfc("test", str(BLUEPRINTS), "--junit", str(junit))
    assert done.exit_code == 0, done.output
    assert "a warehouse that is out of stock is asked again" in done.output
    assert "9 of 9" in done.output
    assert "2 of 2" in done.output
    assert done.output.rstrip().endswith("6 cases, 0 failed")
    assert junit.read_text().count("<testcase") == 6


def test_test_says_what_is_not_as_expected_and_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("StartAt: A\nStates:\n  A: {Type: Pass, End: true}\n")
    (tmp_path / "a.test.yaml").write_text("cases: [{name: one, input: 1, expect: {output: 2}}, {name: two}]")
    (tmp_path / "b.test.yaml").write_text("cases: [{name: one}]")
    done = sfc("test", str(tmp_path))
    assert done.exit_code == 1
    assert "one: output: expected 2, came 1" in done.output
    assert "b.yaml is not beside it" in done.output
    assert done.output.rstrip().endswith("3 cases, 2 failed")
    *rows, covered = [json.loads(line) for line in sfc("test", str(tmp_path), "--json").stdout.splitlines()]
    assert covered["blueprint"] == str(tmp_path / "a.yaml")
    assert [(row["case"], row["passed"]) for row in rows] == [("one", False), ("two", True), ("(the file itself)", False)]


def test_test_writes_golden_histories(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("StartAt: A\nStates:\n  A: {Type: Pass, End: true}\n")
    (tmp_path / "a.test.yaml").write_text("cases: [{name: one, expect: {history: a.golden.json}}]")
    assert sfc("test", str(tmp_path)).exit_code == 1
    assert sfc("test", str(tmp_path), "--update").exit_code == 0
    assert len(json.loads((tmp_path / "a.golden.json").read_text())) == 4


def test_step_shows_each_stage(mocks: str) -> None:
    done = sfc("step", ORDER, "--state", "Split", "-i", '{"paid": true}', "--mock", '{"return": "x"}')
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "afterInputPath (the same)" in lines
    assert 'result "x"' in lines
    assert 'output {"paid": true, "split": "x"}' in lines
    assert "next Fulfil" in lines
    again = sfc("step", ORDER, "-s", "Split", "-m", mocks)
    assert "Retry[0] tries again after 1.0 s" in again.output
    assert again.exit_code == 0
    spent = sfc("step", ORDER, "-s", "Split", "--mock", '{"throw": {"error": "OutOfStock"}}', "--retries", "2", "--json")
    assert spent.exit_code == 1
    assert json.loads(spent.stdout)["status"] == "FAILED"


def test_test_gives_what_is_covered_as_json_too(tmp_path: Path) -> None:
    ways = '[{Variable: "$.n", NumericEquals: 1, Next: B}]'
    (tmp_path / "a.yaml").write_text(
        f"StartAt: A\nStates:\n  A: {{Type: Choice, Choices: {ways}, Default: C}}\n  B: {{Type: Succeed}}\n  C: {{Type: Succeed}}\n"
    )
    (tmp_path / "a.test.yaml").write_text("cases: [{name: one, input: {n: 1}}]")
    last = json.loads(sfc("test", str(tmp_path), "--json").stdout.splitlines()[-1])
    assert last == {
        "blueprint": str(tmp_path / "a.yaml"),
        "coverage": {"states": {"entered": 2, "of": 3}, "choices": {"taken": 1, "of": 2}, "missed": ["C", "A → C"]},
    }


@pytest.mark.parametrize(("command", "done"), [(["run"], "run"), (["step", "-s", "A"], "tried")])
def test_all_problems_of_a_blueprint_are_told_as_validate_tells_them(command: list[str], done: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        "StartAt: B\nTimeoutSeconds: soon\nStates:\n  A: {Type: Pass, Next: Nowhere}\n  A: {Type: Pass}\n  4: {Type: Pass, End: true}\n"
    )
    told = sfc("validate", str(file)).output.splitlines()
    tried = sfc(command[0], str(file), *command[1:])
    assert tried.exit_code == 3
    assert tried.stderr.splitlines() == [*told[:-1], f"error: nothing was {done}: {len(told) - 1} problems"]
    assert {line.partition(":")[2].partition(":")[0] for line in told[:-1]} >= {"1", "2", "5", "6"}


def test_a_fault_of_a_task_beside_a_blueprint_is_told_of_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("StartAt: A\nStates:\n  A: {Type: Pass, End: true}\n")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "t.yaml").write_text("Name: [\n")
    done = sfc("run", str(tmp_path / "a.yaml"))
    assert done.exit_code == 3
    assert f"error: {tmp_path / 'tasks' / 't.yaml'}:" in done.stderr
