"""``sfc validate`` and the problems of ``sfc deploy``, as they are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from typer.testing import CliRunner

from sfc.cli import context, documents
from sfc.cli.app import app
from sfc.cli.checking import Found
from sfc.errors import InvalidDocument, Problem
from sfc.registry.places import Place

WRONG = "StartAt: A\nStates:\n  A: {Type: Pass, Next: Gone}\nSfc: {Name: b}\n"
TEXT = {"type": "object", "required": ["text"]}
RULE = {"required": ["id"], "properties": {"shortDescription": TEXT}}
FILE = {"required": ["uri"], "properties": {"uri": {"type": "string", "format": "uri-reference"}}}
# The members that SARIF 2.1.0 asks for (sections 3.13, 3.14, 3.18, 3.19, 3.27, 3.29, 3.30, 3.49), and their types and ranges.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "run": {
            "required": ["tool"],
            "properties": {
                "tool": {
                    "required": ["driver"],
                    "properties": {
                        "driver": {
                            "required": ["name"],
                            "properties": {
                                "rules": {"type": "array", "items": RULE, "uniqueItems": True}
                            },
                        }
                    },
                },
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "result": {
            "required": ["message"],
            "properties": {
                "message": TEXT,
                "level": {"enum": ["none", "note", "warning", "error"]},
                "ruleIndex": {"type": "integer", "minimum": -1},
                "locations": {
                    "type": "array",
                    "items": {
                        "properties": {
                            "physicalLocation": {
                                "required": ["artifactLocation"],
                                "properties": {
                                    "artifactLocation": FILE,
                                    "region": {"additionalProperties": {"type": "integer", "minimum": 1}},
                                },
                            }
                        }
                    },
                },
            },
        },
    },
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.yaml").write_text(WRONG)
    return Path("wrong.yaml")


def test_a_problem_is_a_line_with_its_place_that_can_be_clicked(file: Path) -> None:
    result = CliRunner().invoke(app, ["validate", str(file)])
    assert result.exit_code == 3
    assert "wrong.yaml:3:25: error: expected the name of a state, came 'Gone'." in result.stdout
    assert "[unknown-state] /States/A/Next\n" in result.stdout
    assert "^" not in result.stdout


def test_a_terminal_sees_the_line_and_a_mark_below_the_place(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = Found("f", Problem("c", "/a", "wrong"), Place(2, 4, 7), "\ta: bcd")
    assert found.caret() == "    \ta: bcd\n    \t  ^~~"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    documents._print([found], __import__("sys").stdout)
    assert capsys.readouterr().out == f"f:2:4: error: wrong [c] /a\n{found.caret()}\n"


def test_json_has_line_and_column(file: Path) -> None:
    answer = json.loads(CliRunner().invoke(app, ["validate", str(file), "--json"]).stdout)
    first = next(p for p in answer["problems"] if p["code"] == "unknown-state")
    assert (first["file"], first["line"], first["column"], first["pointer"]) == ("wrong.yaml", 3, 25, "/States/A/Next")


def test_sarif_has_the_members_that_its_schema_asks_for(file: Path) -> None:
    result = CliRunner().invoke(app, ["validate", str(file), "--sarif", "-"])
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    jsonschema_rs.validate(SARIF, document)
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for one in run["results"]:
        assert rules[one["ruleIndex"]] == one["ruleId"]
        assert one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "wrong.yaml"
    regions = [one["locations"][0]["physicalLocation"]["region"] for one in run["results"]]
    assert {"startLine": 3, "startColumn": 25, "endLine": 3, "endColumn": 29} in regions


def test_sarif_goes_to_a_file_beside_what_is_printed(file: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["validate", str(file), "--sarif", "out.sarif"])
    assert "wrong.yaml:3:25: error" in result.stdout
    assert json.loads((tmp_path / "out.sarif").read_text())["version"] == "2.1.0"


def test_a_task_that_can_not_be_seen_is_only_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text('StartAt: A\nStates: {A: {Type: Task, Resource: "task:elsewhere", End: true}}\nSfc: {Name: b}\n')
    result = CliRunner().invoke(app, ["validate", str(file)])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "1 document, 0 problems, 1 warning")
    assert f"{file}:2:36: warning: there is no task elsewhere." in result.stdout
    assert result.stdout.splitlines()[0].endswith(" [unknown-task] /States/A/Resource")


class Hesitant:
    """A gateway that deploys with a warning."""

    def __enter__(self) -> Hesitant:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def deploy(self, documents: Any) -> Any:
        problem = Problem("wait-of-zero", "/States/A/Type", "came 0", "Remove it.", "warning")._asdict()
        return [{"kind": "blueprint", "name": "b", "version": 1, "source": documents[0][0], "warnings": [problem]}]


def test_warnings_of_a_deploy_are_shown_in_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "client", Hesitant)
    result = CliRunner().invoke(app, ["deploy", str(file)])
    assert result.exit_code == 0
    assert result.stderr == "wrong.yaml:3:13: warning: came 0. Remove it. [wait-of-zero] /States/A/Type\n"


class Refusing:
    """A gateway that refuses what it gets."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def __enter__(self) -> Refusing:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def deploy(self, _documents: Any) -> Any:
        raise InvalidDocument("2 documents", self.problems)


def test_what_the_gateway_finds_is_shown_in_the_file(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "task.yaml").write_text("Name: t\nRetry: 1\n")
    problems = [Problem("unknown-task", "wrong.yaml#/States/A", "no task"), Problem("wrong-type", "task.yaml#/Retry", "no list")]
    monkeypatch.setattr(context, "client", lambda: Refusing(problems))
    result = CliRunner().invoke(app, ["deploy", str(file), "task.yaml"])
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        "wrong.yaml:3:3: error: no task [unknown-task] /States/A",
        "task.yaml:2:8: error: no list [wrong-type] /Retry",
        "error: nothing was deployed: 2 problems",
    ]


def test_what_the_gateway_finds_is_in_order_of_the_lines(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "task.yaml").write_text("Name: t\nRetry: 1\n")
    found = ["wrong.yaml#/States/A/Type", "task.yaml#/Retry", "wrong.yaml#/StartAt", "wrong.yaml#/States/A", "task.yaml#/Name"]
    monkeypatch.setattr(context, "client", lambda: Refusing([Problem("bad-value", pointer, "no") for pointer in found]))
    result = CliRunner().invoke(app, ["deploy", str(file), "task.yaml"])
    places = [line.split(":")[:2] for line in result.stderr.splitlines() if "bad-value" in line]
    assert [name for name, _ in places] == ["wrong.yaml"] * 3 + ["task.yaml"] * 2
    assert [int(line) for name, line in places if name == "wrong.yaml"] == [1, 3, 3]
    assert [int(line) for name, line in places if name == "task.yaml"] == [1, 2]


def test_a_single_document_needs_no_source_in_its_pointers(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "client", lambda: Refusing([Problem("missing-field", "", "no name")]))
    result = CliRunner().invoke(app, ["deploy", str(file)])
    assert result.stderr.startswith("wrong.yaml:1:1: error: no name [missing-field] /\n")


def test_nothing_is_sent_when_a_file_is_no_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.yaml").write_text("Name: t\nName: u\n")
    monkeypatch.setattr(context, "client", lambda: Refusing([]))
    result = CliRunner().invoke(app, ["deploy", str(tmp_path)])
    assert result.exit_code == 3
    assert f"{tmp_path}/bad.yaml:2:1: error: expected each name once, came 'Name' again." in result.stderr
