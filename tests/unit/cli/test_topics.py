"""publish and tail with a broker named: straight to the log, here a log in memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import sfc
from sfc.adapters.embedded import EmbeddedLog
from sfc.cli.app import app
from sfc.cli.topics import Read, reader
from sfc.ports import Partition, TopicSpec

BROKER = ("--kafka", "memory:1")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedLog]:
    made = EmbeddedLog.memory()
    made.create([TopicSpec("order_created", 2)])
    stand_in = ModuleType("sfc.bootstrap")
    close = made.close
    monkeypatch.setattr(made, "close", lambda: None)  # one log for several commands
    monkeypatch.setattr(stand_in, "open_log", lambda _settings: made, raising=False)
    monkeypatch.setitem(sys.modules, "sfc.bootstrap", stand_in)
    monkeypatch.setattr(sfc, "bootstrap", stand_in, raising=False)
    yield made
    close()


def run(*words: str) -> Any:
    return CliRunner().invoke(app, [*words, *BROKER])


def test_what_is_published_is_tailed(log: EmbeddedLog, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b'{"order_id": "o-1"}\nnot json\n\xff\n')
    result = run("publish", "order_created", str(file), "--key", "$.order_id")
    assert result.exit_code == 0, result.stderr
    result = run("tail", "order_created", "--from-beginning", "--limit", "3", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert sorted((row["key"], row["value"]) for row in rows if row["key"]) == [("o-1", '{"order_id": "o-1"}')]
    assert {row.get("value") or row["value_base64"] for row in rows if row["key"] is None} == {"not json", "/w=="}
    assert sum(log.ends([Partition("order_created", n) for n in range(2)]).values()) == 3


def test_a_topic_that_is_missing_is_exit_code_4_with_the_nearest_name(log: EmbeddedLog, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text("{}\n")
    for words in (("publish", "order_create", str(file)), ("tail", "order_create")):
        result = run(*words)
        assert result.exit_code == 4
        assert result.stderr == "error: there is no topic order_create on Kafka at memory:1\nhint: Did you mean 'order_created'?\n"
    made = "kafka-topics.sh --bootstrap-server memory:1 --create --topic zzz --partitions 8"
    assert run("tail", "zzz").stderr.endswith(f"hint: this makes it: {made}\n")
    assert log.describe("order_create") is None


@pytest.mark.parametrize("line", [b'"\xff\xfe"', b"[" * 5_000 + b"]" * 5_000, b"9" * 5_000])
def test_a_line_that_no_reader_takes_is_told_as_no_json(line: bytes) -> None:
    assert reader("$.id")(line) == Read(None, line, is_json=False)
