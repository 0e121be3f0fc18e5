"""`sfc doctor` and `sfc topics create` without a broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sfc.adapters.embedded import EmbeddedLog
from sfc.cli.app import app
from tests.unit.runtime.lane_bench import Bench


def run(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(app, list(words), env={"SFC_DATA": str(folder), "SFC_KAFKA": "", "SFC_SHARDS": "3"})


def test_the_embedded_log_is_looked_at_too(tmp_path: Path) -> None:
    assert run(tmp_path, "doctor").exit_code == 4
    log = EmbeddedLog.open(tmp_path / "log")
    Bench(log).set_up()
    log.close()
    found = json.loads(run(tmp_path, "doctor", "--json").stdout)
    assert (found["brokers"], found["shards"]) == (0, 2)
    assert {finding["code"] for finding in found["findings"]} <= {"message-bytes"}
    assert "2 shards" in run(tmp_path, "doctor").stdout


@pytest.mark.parametrize("words", [("--accept-rules", "99"), ("--skip", "99@0"), ("--retry", "2@0")])
def test_a_shard_that_there_is_not_is_told_with_those_there_are(tmp_path: Path, words: tuple[str, str]) -> None:
    log = EmbeddedLog.open(tmp_path / "log")
    nothing = run_beside(log, tmp_path, words)
    Bench(log).set_up()
    refused = run_beside(log, tmp_path, words)
    log.close()
    assert (nothing.exit_code, "there is no topic sfc.commands" in nothing.stderr) == (4, True)
    shard = words[1].partition("@")[0]
    assert (refused.exit_code, f"shard {shard}: expected 0-1" in refused.stderr) == (3, True), refused.stderr


def run_beside(log: EmbeddedLog, folder: Path, words: tuple[str, ...]) -> Any:
    """The command with a log that this process has open."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sfc.bootstrap.open_log", lambda _settings: log)
        patched.setattr(log, "close", lambda: None)
        return run(folder, "doctor", *words)


@pytest.mark.parametrize("command", ["doctor", "audit"])
def test_beside_a_running_sfc_dev_it_says_what_is_the_matter_and_what_to_do(tmp_path: Path, command: str) -> None:
    log = EmbeddedLog.open(tmp_path / "log")
    refused = run(tmp_path, command)
    log.close()
    assert refused.exit_code == 5
    for said in ("`sfc dev` is running there", "belongs to that process alone", "Stop it and run this again", "`sfc explain FLOW`"):
        assert said in refused.stderr


def test_topics_are_written_down_without_a_broker_and_made_by_none(tmp_path: Path) -> None:
    printed = run(tmp_path, "topics", "create", "--print")
    assert printed.exit_code == 0, printed.stderr
    assert "--bootstrap-server HOST:PORT --create --topic sfc.commands --partitions 3" in printed.stdout
    refused = run(tmp_path, "topics", "create")
    assert refused.exit_code == 3
    assert "or --print" in refused.stderr
    assert list(tmp_path.iterdir()) == []
