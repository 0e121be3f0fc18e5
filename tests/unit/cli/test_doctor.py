"""`sfc doctor` and `sfc topics create` without a broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def test_topics_are_written_down_without_a_broker_and_made_by_none(tmp_path: Path) -> None:
    printed = run(tmp_path, "topics", "create", "--print")
    assert printed.exit_code == 0, printed.stderr
    assert "--bootstrap-server HOST:PORT --create --topic sfc.commands --partitions 3" in printed.stdout
    refused = run(tmp_path, "topics", "create")
    assert refused.exit_code == 3
    assert "or --print" in refused.stderr
    assert list(tmp_path.iterdir()) == []
