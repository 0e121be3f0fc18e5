"""Files that PowerShell and Excel have written begin with a byte order mark. It is none of their content."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sfc.cli.app import app
from sfc.cli.starts import read_input
from sfc.cli.topics import read_lines
from sfc.registry.places import read_document

MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "task:a", "End": True}}}


def marked(file: Path, text: str) -> str:
    file.write_text(text, encoding="utf-8-sig")
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    return str(file)


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_blueprints_mocks_and_inputs_may_have_one(suffix: str, tmp_path: Path) -> None:
    blueprint = marked(tmp_path / f"a.{suffix}", json.dumps(MACHINE))
    mocks = marked(tmp_path / f"m.{suffix}", '{"A": {"return": 1}}')
    given = marked(tmp_path / "i.json", '{"n": 1}')
    assert CliRunner().invoke(app, ["validate", blueprint]).output == "1 document, 0 problems\n"
    done = CliRunner().invoke(app, ["run", blueprint, "-m", mocks, "-i", f"@{given}", "--json"])
    assert (done.exit_code, json.loads(done.stdout)["output"]) == (0, 1)


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_test_files_and_golden_histories_may_have_one(suffix: str, tmp_path: Path) -> None:
    marked(tmp_path / f"a.{suffix}", json.dumps(MACHINE))
    case = {"name": "one", "mocks": {"A": {"return": 1}}, "expect": {"output": 1, "history": "golden.json"}}
    marked(tmp_path / f"a.test.{suffix}", json.dumps({"cases": [case]}))
    assert CliRunner().invoke(app, ["test", str(tmp_path), "--update"]).exit_code == 0
    golden = tmp_path / "golden.json"
    marked(golden, golden.read_text())
    done = CliRunner().invoke(app, ["test", str(tmp_path)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("source", ["a.json", "a.yaml"])
def test_places_are_counted_from_behind_it(source: str) -> None:
    text = '{"A": 1, "A": 2}'
    assert read_document(f"\ufeff{text}", source).problems == read_document(text, source).problems != []


def test_an_input_from_a_pipe_may_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.read", lambda: '\ufeff{"n": 1}', raising=False)
    assert read_input("-") == {"n": 1}


def test_records_are_sent_without_it(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    marked(file, '{"n": 1}\n{"n": 2}\n')
    assert read_lines(file) == [b'{"n": 1}', b'{"n": 2}']
