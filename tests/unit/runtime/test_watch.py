"""What is looked at while engines run (EXACTLY-ONCE 29 and 33)."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import TopicSpec
from sfc.runtime.watch import Watch
from sfc.wire.topics import Names, core_topics

NAMES = Names("t")
SHARDS = 2
SPECS = [TopicSpec(name, partitions, config) for name, (partitions, config) in core_topics(NAMES, SHARDS).items()]


def held(shard: int) -> float:
    return REGISTRY.get_sample_value("sfc_shard_held_seconds", {"shard": str(shard)}) or 0.0


def test_a_foreign_transaction_that_holds_a_shard_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfc.runtime.watch.HELD_S", 0.0)
    monkeypatch.setattr("sfc.runtime.watch.SAY_HELD_S", 0.0)
    said: list[str] = []
    monkeypatch.setattr("sfc.runtime.watch._log.error", lambda message, **_: said.append(message))
    log = EmbeddedLog.memory()
    log.create(SPECS)
    watch = Watch(log, NAMES, SHARDS, SPECS)
    watch.step(0)
    foreign = log.transaction("a-service")
    foreign.begin()
    foreign.send(NAMES.commands, b"1", b"k", None, 1)
    for _ in range(3):
        watch.step(0.002)
    assert held(1) > 0
    assert held(0) == 0
    assert [m for m in said if "shard 1 is held" in m]
    foreign.commit()
    watch.step(0)
    assert held(1) == 0
    assert len(said) == 1
    log.close()


def test_a_topic_whose_setting_was_changed_is_shown_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("sfc.runtime.watch._log.error", lambda message, **_: said.append(message))
    log = EmbeddedLog.memory()
    changed = [s._replace(config={**s.config, "message.timestamp.type": "CreateTime"}) if s.name == NAMES.commands else s for s in SPECS]
    log.create(changed)
    Watch(log, NAMES, SHARDS, SPECS).step(0)
    assert REGISTRY.get_sample_value("sfc_topics_wrong") == 1
    assert "LogAppendTime" in said[0]
    Watch(log, NAMES, SHARDS, changed).step(0)
    assert REGISTRY.get_sample_value("sfc_topics_wrong") == 0
    log.close()
