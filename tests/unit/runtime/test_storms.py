"""Much at once: it is taken in portions, and other flows get their turn between them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from sfc.adapters.clock import SystemClock
from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.memory_store import MemoryStateStore
from sfc.engine.commands import Start
from sfc.ports import Partition
from sfc.runtime import shard as shards
from sfc.runtime.definitions import Definitions
from sfc.runtime.lane import Lane, LaneLimits
from sfc.wire import headers
from sfc.wire.commands import encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from sfc.wire.partition import partition_of
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench

FLOWS = 400
PORTION = 50


class Jumping(SystemClock):
    """The system's, some time ahead."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


@pytest.fixture
def clock() -> Jumping:
    return Jumping()


@pytest.fixture
def bench(clock: Jumping) -> Iterator[Bench]:
    """Log and engine have one clock."""
    made = Bench(EmbeddedLog.memory(clock=clock))
    made.set_up()
    yield made
    made.log.close()


@pytest.fixture
def lane(bench: Bench, clock: Jumping, monkeypatch: pytest.MonkeyPatch) -> Lane:
    monkeypatch.setattr(shards, "FIRED_PER_TICK_MAX", PORTION)
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "MaxDelaySeconds": 2, "JitterStrategy": "FULL"}
    states = {
        "due": {"Type": "Wait", "TimestampPath": "$.at", "End": True},
        "storm": {"Type": "Task", "Resource": "task:echo@1", "Retry": [retry], "End": True},
        "quick": {"Type": "Pass", "End": True},
    }
    for name, state in states.items():
        bench.define(BlueprintVersion(name, 1, f"h-{name}", {"StartAt": "S", "States": {"S": state}, "Sfc": {"Name": name}}))
        bench.define(BlueprintHead(name, 1, "enabled", 1))
    limits = LaneLimits(interval_s=0.02)
    return Lane(bench.log, NAMES, SHARDS, Definitions(bench.log, NAMES), MemoryStateStore(), clock, limits)


def start_many(bench: Bench, name: str, given: object) -> None:
    for n in range(FLOWS):
        flow = f"{name}:{n}".encode()
        value, head = encode_command(Start(name, 1, f"h-{name}", given, wait=bench.reply_to(flow.decode())))
        bench.producer.send(NAMES.commands, value, flow, head, partition_of(flow, SHARDS))
    bench.producer.flush()


def test_timers_that_are_due_together_fire_in_portions_and_each_once(bench: Bench, clock: Jumping, lane: Lane) -> None:
    due_s = int(time.time()) + 3_600
    start_many(bench, "due", {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(due_s))})
    ends = bench.log.ends([Partition(NAMES.commands, n) for n in range(SHARDS)])
    bench.run([lane], lambda: all(s.state.next_offset >= ends[Partition(NAMES.commands, n)] for n, s in lane.shards.items()))
    assert not bench.answers
    clock.ahead_ms = 3_700_000
    bench.start("quick:1", 1)
    bench.run([lane], lambda: len(bench.answers) == FLOWS + 1, work=False, steps_max=5_000)
    order = [a.flow for a in bench.answers]
    assert sorted(order) == sorted([f"due:{n}" for n in range(FLOWS)] + ["quick:1"])
    assert order.index("quick:1") < FLOWS, "it did not wait until all had fired"
    ticks = [r for r in bench.all(NAMES.commands) if headers.text(r.headers, headers.COMMAND) == "tick"]
    assert len(ticks) >= FLOWS / PORTION, "no tick fired more than a portion"
    assert {a.status for a in bench.answers} == {"SUCCEEDED"}
    lane.close()


def test_a_storm_of_retries_ends_and_lets_others_through(bench: Bench, clock: Jumping, lane: Lane) -> None:
    start_many(bench, "storm", 1)
    failed = 0
    quick: list[int] = []

    def done() -> bool:
        nonlocal failed
        clock.ahead_ms += 20
        for job in bench.jobs.take(1_000, 0):
            bench.answer(job, b"", (headers.ERROR, b"Down"))
            failed += 1
        ended = [a for a in bench.answers if a.flow.startswith("storm:")]
        quick[:] = [n for n, a in enumerate(bench.answers) if a.flow.startswith("quick:")]
        if len(quick) == len(asked) and len(asked) < 5:
            asked.append(f"quick:{len(asked)}")
            bench.start(asked[-1], 1)
        return len(ended) == FLOWS and len(quick) == 5

    asked: list[str] = []
    bench.run([lane], done, work=False, steps_max=20_000)
    assert failed == 3 * FLOWS, "a first attempt and two retries of each"
    assert {(a.status, a.error) for a in bench.answers if a.flow.startswith("storm:")} == {("FAILED", "Down")}
    assert quick[-1] < FLOWS, "the others did not wait until the storm was over"
    assert not lane.stopped
    lane.close()
