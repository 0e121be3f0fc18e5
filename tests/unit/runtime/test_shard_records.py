"""The shard's own record, looked for from the end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sfc.errors import LogUnavailable
from sfc.ports import Partition, Record
from sfc.runtime import shard_records
from sfc.runtime.shard_records import last_record
from sfc.wire.partition import partition_of
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle


def test_the_last_one_is_found_however_far_back_it_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert last_record(bench.log, NAMES, 0) is None
    lane = bench.lane()
    for n in range(20):
        bench.start(f"twice:{n}")
    bench.run([lane], lambda: len(bench.answers) == 20)
    settle(bench, [lane])
    monkeypatch.setattr(shard_records, "TAIL_RECORDS", 1)
    for number in (0, 1):
        found = last_record(bench.log, NAMES, number)
        assert found is not None
        assert found.interval == lane.shards[number].state.interval


def test_what_is_not_read_to_the_end_is_no_record(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one would be written back by whoever mends a shard."""
    lane = bench.lane()
    bench.start("twice:1")
    bench.run([lane], lambda: len(bench.answers) == 1)
    settle(bench, [lane])
    reader = bench.log.reader

    def silent(*args: object, **more: object) -> object:
        made = reader(*args, **more)  # type: ignore[arg-type]

        def nothing(count: int, timeout_s: float) -> list[Record]:
            return []

        monkeypatch.setattr(made, "take", nothing)
        return made

    monkeypatch.setattr(bench.log, "reader", silent)
    with pytest.raises(LogUnavailable, match="was not read to offset"):
        last_record(bench.log, NAMES, 0)


def test_whoever_holds_the_fence_reads_to_the_high_watermark(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last stable offset may lag behind the last commit, and an older record must not be written back."""
    lane = bench.lane()
    bench.start("twice:1")
    bench.run([lane], lambda: len(bench.answers) == 1)
    settle(bench, [lane])
    ends, home = bench.log.ends, partition_of(b"twice:1", SHARDS)

    def lagging(partitions: Sequence[Partition], *, committed: bool = True) -> dict[Partition, int]:
        """By the last interval: the shard's record, and the transaction's marker."""
        return {at: end - 2 * committed for at, end in ends(partitions, committed=committed).items()}

    monkeypatch.setattr(bench.log, "ends", lagging)
    last = last_record(bench.log, NAMES, home, fenced=True)
    assert last is not None
    assert last.interval == lane.shards[home].state.interval
    before = last_record(bench.log, NAMES, home)
    assert before is None or before.interval < last.interval
