"""An engine says which shards it has taken and left, in one line for each change."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sfc.adapters.embedded import EmbeddedLog
from sfc.bootstrap.assignment import GATHER_S, ShardsTold, shards
from sfc.bootstrap.roles import engine_role
from sfc.bootstrap.site import Site
from sfc.ports import TopicSpec
from sfc.settings import Settings
from sfc.wire.topics import Names, core_topics


@pytest.mark.parametrize(("numbers", "said"), [([3], "shard 3"), ([1, 0], "shards 0-1"), ([0, 1, 2, 5, 7, 8], "shards 0-2, 5, 7-8")])
def test_neighbours_are_one_range(numbers: list[int], said: str) -> None:
    assert shards(numbers) == said


def test_each_change_is_one_line_however_many_shards_it_is_about() -> None:
    told = ShardsTold(lambda: 0.0)
    with capture_logs() as lines:
        told.look([], settled=False)
        told.look([0], settled=False)
        told.look([0, 1], settled=False)
        told.look([0, 1, 2], settled=True)
        told.look([0, 1, 2], settled=True)
        told.look([1], settled=True)
        told.look([1, 7], settled=True)
        told.look([], settled=True)
    assert [(line["action"], line["event"], line["has"]) for line in lines] == [
        ("shards-taken", "shards 0-2 taken", 3),
        ("shards-left", "shards 0, 2 left", 1),
        ("shards-taken", "shard 7 taken", 2),
        ("shards-left", "shards 1, 7 left", 0),
    ]
    assert {line["log_level"] for line in lines} == {"info"}


def test_a_shard_whose_restore_is_long_does_not_keep_the_others_from_being_told() -> None:
    now = [0.0]
    told = ShardsTold(lambda: now[0])
    with capture_logs() as lines:
        told.look([0, 1], settled=False)
        now[0] = GATHER_S + 1
        told.look([0, 1], settled=False)
        told.look([0, 1, 2], settled=False)
        assert [line["event"] for line in lines] == ["shards 0-1 taken"], "the next ones are gathered anew"
        told.look([0, 1, 2], settled=True)
    assert [line["event"] for line in lines] == ["shards 0-1 taken", "shard 2 taken"]


def test_an_engine_tells_its_shards_when_it_has_them_and_when_it_ends(tmp_path: Path) -> None:
    log, names = EmbeddedLog.memory(), Names()
    log.create([TopicSpec(name, partitions, config) for name, (partitions, config) in core_topics(names, 3).items()])
    with capture_logs() as lines:
        engine = engine_role(Site(Settings(kafka="127.0.0.1:1", data=tmp_path, shards=3), log, names, 3, "test"))
        for _ in range(20):
            engine.step(0.0)
        engine.close()
    assert [line["event"] for line in lines if line["action"].startswith("shards-")] == ["shards 0-2 taken", "shards 0-2 left"]
    log.close()
