"""`sfc audit` without a broker: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sfc.adapters.embedded import EmbeddedLog
from sfc.cli.app import app
from sfc.wire.topics import Names
from tests.unit.runtime.lane_bench import NAMES, Bench, settle


def run(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["audit", *words], env={"SFC_DATA": str(folder), "SFC_KAFKA": ""})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory with the log of an installation that has run two flows."""
    log = EmbeddedLog.open(tmp_path / "log")
    bench = Bench(log)
    bench.set_up()
    lane = bench.lane()
    for flow in ("twice:1", "twice:2"):
        bench.start(flow, {"n": 1})
    bench.run([lane], lambda: len(bench.answers) == 2)
    settle(bench, [lane], 5)
    lane.close()
    log.close()
    return tmp_path


def test_the_log_of_the_data_directory_is_read_and_found_sound(folder: Path) -> None:
    result = run(folder)
    assert result.exit_code == 0, result.stderr
    assert "the log is sound" in result.stdout
    assert "2 runs of 2 flows" in result.stdout
    report = json.loads(run(folder, "--json", "--flow", "twice:1", "--from", "1h").stdout)
    assert (report["clean"], report["flows"], report["findings"]) == (True, 1, [])


def test_what_was_not_there_is_not_called_sound(folder: Path) -> None:
    unknown = run(folder, "--flow", "twice:7")
    assert (unknown.exit_code, "there is no flow twice:7" in unknown.stderr) == (4, True)
    backwards = run(folder, "--from", "1h", "--to", "2h")
    assert (backwards.exit_code, "--from 1h is behind --to 2h" in backwards.stderr) == (2, True)


def test_findings_are_shown_and_are_exit_code_9(folder: Path) -> None:
    log = EmbeddedLog.open(folder / "log")
    producer = log.producer()
    producer.send(Names("sfc").history, b"no history", b"twice:1", [], 0)
    producer.flush()
    log.close()
    result = run(folder)
    assert result.exit_code == 9
    assert "unreadable" in result.stdout
    assert "1 findings" not in result.stdout
    assert "1 finding" in result.stdout


def test_a_directory_without_a_log_is_not_found_and_stays_without(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 4
    assert "there is no log in" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_range_of_offsets_needs_a_shard(folder: Path) -> None:
    assert run(folder, "--from", "@3").exit_code == 3
    result = run(folder, "--from", "@3", "--to", "@5", "--shard", "0", "--json")
    assert (result.exit_code, json.loads(result.stdout)["clean"]) == (0, True)


def test_a_shard_that_there_is_not_is_bad_input(folder: Path) -> None:
    result = run(folder, "--shard", "9")
    assert result.exit_code == 3
    assert "0 to 1" in result.stderr


def test_a_time_that_is_none_is_wrong_usage(folder: Path) -> None:
    result = run(folder, "--from", "yesterday")
    assert result.exit_code == 2
    assert "2026-01-31T12:00:00Z" in result.stderr


def test_another_namespace_is_not_found(folder: Path) -> None:
    result = CliRunner().invoke(app, ["audit"], env={"SFC_DATA": str(folder), "SFC_KAFKA": "", "SFC_NAMESPACE": "other"})
    assert (NAMES.namespace, result.exit_code) == ("sfc", 4)
    assert "other.commands" in result.stderr
