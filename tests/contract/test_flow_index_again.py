"""What a flow index does when records come again, and when another index takes its place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from sfc.adapters.elasticsearch import ElasticsearchFlowIndex
from sfc.adapters.sql import SqliteFlowIndex
from sfc.engine import events as e
from sfc.errors import BadInput, IndexReplaced
from sfc.ports import FlowIndex, FlowQuery, IndexCounters, Partition, StateStatistics
from sfc.wire.history import HistoryRecord
from tests.contract.flow_records import AT, Open, dead_letter, record, started, take, whole
from tests.indices import delete_namespace, new_namespace


class Torn(dict[Partition, int]):
    """Positions that can't be written: all before them has been."""

    def items(self) -> Any:
        raise KeyboardInterrupt


def test_a_call_that_fails_before_its_end_is_repeated_without_doubling_anything(open_index: Open, index: FlowIndex) -> None:
    with pytest.raises(KeyboardInterrupt):
        index.index(whole("order:1"), [dead_letter(1)], Torn({AT: 2}))
    assert index.positions() == {}
    index.index([*whole("order:1"), *whole("order:2")], [dead_letter(1)], {AT: 4})
    assert index.positions() == {AT: 4}
    assert index.counters() == IndexCounters({"SUCCEEDED": 2}, 0, {"not-json": 1}, 8)
    assert len(index.history("order:1")) == 4
    assert index.statistics().blueprints[0].states == [StateStatistics("A", 2, 2, 0, 0, 10.0, 10.0, 10.0)]


def test_on_sqlite_a_call_that_fails_leaves_nothing_behind() -> None:
    index = SqliteFlowIndex()
    with pytest.raises(KeyboardInterrupt):
        index.index(whole("order:1"), [], Torn())
    assert index.get("order:1") is None
    index.close()


@pytest.mark.parametrize("seed", range(3))
def test_every_index_counts_as_sqlite_does_whatever_is_delivered_again(open_index: Open, index: FlowIndex, seed: int) -> None:
    """Flows with retries, catches, branches and second lives; in portions, some of them twice, by one process after another."""
    chance = Random(seed)
    records = [r for n in range(20) for r in random_flow(f"order:{n}", chance)]
    expected = SqliteFlowIndex()
    take(expected, *records)
    at = 0
    while at < len(records):
        portion = records[at : at + chance.randrange(1, 60)]
        with suppress(KeyboardInterrupt):
            index.index(portion, [], Torn({AT: at + len(portion)}) if chance.random() < 0.3 else {AT: at + len(portion)})
        if chance.random() < 0.3:
            index = open_index() if isinstance(index, ElasticsearchFlowIndex) else index
        at = index.positions().get(AT, 0)
    assert index.statistics() == expected.statistics()
    assert index.counters() == expected.counters()
    assert index.find(FlowQuery()) == expected.find(FlowQuery())
    expected.close()


def random_flow(flow: str, chance: Random) -> list[HistoryRecord]:
    """Up to two runs of events that need not make sense together."""
    records = []
    for run in sorted(chance.sample(range(1, 9), chance.choice([1, 1, 2]))):
        first, at_ms = 1, 1_000 * run
        for _ in range(chance.randrange(1, 5)):
            events: list[e.AnyEvent] = []
            for seq in range(first, first + chance.randrange(1, 8)):
                at_ms += chance.randrange(200)
                events.append(random_event(seq, at_ms, flow, chance) if seq > 1 else started(flow, run, at_ms))
            first += len(events)
            ended = isinstance(events[-1], e.ExecutionFailed)
            records.append(
                record(
                    flow, *events, run=run, first=events[0].seq, started_ms=1_000 * run, updated_ms=at_ms,
                    status="FAILED" if ended else "RUNNING", ended_ms=at_ms if ended else 0, paused_by=chance.choice([[], [], ["own"]]),
                )
            )  # fmt: skip
    return records


def random_event(seq: int, at_ms: int, flow: str, chance: Random) -> e.AnyEvent:
    branch, state = chance.randrange(3), chance.choice("ABC")
    makers: list[Callable[[], e.AnyEvent]] = [
        lambda: e.StateEntered(seq, 0, at_ms, branch=branch, state=state, kind="Task"),
        lambda: e.StateEntered(seq, 0, at_ms, branch=branch, state=state, kind="Task"),
        lambda: e.StateExited(seq, 0, at_ms, branch=branch, state=state, kind="Task", caught=chance.choice([None, None, "Boom"])),
        lambda: e.TaskFailed(seq, 0, at_ms, branch=branch, error="Boom"),
        lambda: e.RetryScheduled(seq, 0, at_ms, branch=branch, retrier=0, due_ms=0),
        lambda: e.ExecutionFailed(seq, 0, at_ms, error="Boom"),
    ]
    return chance.choice(makers)()


def test_a_rebuilt_index_takes_the_others_place_for_everybody(request: pytest.FixtureRequest, open_index: Open) -> None:
    if "memory" in request.node.callspec.id:
        pytest.skip("an index in memory ends with its process")
    writer, reader = open_index(), open_index()
    assert writer.positions() == {}
    writer.index([*whole("order:1"), *whole("order:2")], [dead_letter(1)], {AT: 4})
    fresh = reader.fresh()
    fresh.index(whole("order:2"), [], {AT: 2})
    assert reader.counters().flows == {"SUCCEEDED": 2}, "nobody looks at it yet"
    reader.replace_by(fresh)
    assert reader.counters() == IndexCounters({"SUCCEEDED": 1}, 0, {}, 4)
    with pytest.raises(IndexReplaced):
        writer.index(whole("order:3"), [], {AT: 6})
    assert writer.positions() == {AT: 2}
    writer.index(whole("order:4"), [], {AT: 4})
    assert open_index().counters().flows == {"SUCCEEDED": 2}


def test_an_index_that_somebody_deletes_is_made_anew_from_the_logs_start(elasticsearch: str) -> None:
    with new_namespace(elasticsearch) as namespace:
        index = ElasticsearchFlowIndex(elasticsearch, namespace, refresh=True)
        assert index.positions() == {}
        index.index(whole("order:1"), [], {AT: 2})
        delete_namespace(elasticsearch, namespace)
        assert index.get("order:1") is None
        with pytest.raises(IndexReplaced):
            index.index(whole("order:2"), [], {AT: 4})
        assert index.positions() == {}
        index.index([*whole("order:1"), *whole("order:2")], [], {AT: 4})
        assert index.counters() == IndexCounters({"SUCCEEDED": 2}, 0, {}, 8)
        index.close()


@pytest.mark.parametrize(
    "query",
    [
        FlowQuery(cursor=f"{2**63 - 1}:a"), FlowQuery(started_from_ms=10**15), FlowQuery(version=2**40), FlowQuery(text="*?\\" * 2_000),
        FlowQuery(text="\x00\ud7ff'\""), FlowQuery(cursor="0:"), FlowQuery(blueprint="x" * 40_000),
    ],
)  # fmt: skip
def test_a_strange_query_finds_nothing_or_is_refused(index: FlowIndex, query: FlowQuery) -> None:
    take(index, *whole("order:1"))
    with suppress(BadInput):
        assert index.find(query).flows in ([], list(index.find(FlowQuery()).flows))
