"""What every flow index must do, whatever it stores in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec import structs

from sfc.adapters.elasticsearch import ElasticsearchFlowIndex
from sfc.adapters.sql import SqliteFlowIndex
from sfc.engine import events as e
from sfc.engine.commands import Origin
from sfc.errors import BadInput, IndexReplaced, SfcError
from sfc.ports import (
    DeadLetterDocument,
    DeadLetterMark,
    FlowDocument,
    FlowIndex,
    FlowQuery,
    IndexCounters,
    Partition,
    RebuildableIndex,
    StateStatistics,
    Throughput,
)
from sfc.wire.history import HistoryRecord, Summary
from tests.indices import empty, new_namespace

AT = Partition("sfc.history", 0)
Open = Callable[[], RebuildableIndex]


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "elasticsearch"])
def open_index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the index; each call of the file's and of Elasticsearch's is a further process's view of the same one."""
    opened: list[RebuildableIndex] = []
    open_one: Callable[[], RebuildableIndex] = SqliteFlowIndex
    if request.param == "sqlite-file":
        open_one = partial(SqliteFlowIndex, tmp_path / "deep" / "index.db")
    elif request.param == "elasticsearch":
        open_one = request.getfixturevalue("elasticsearch_index")

    def open_() -> RebuildableIndex:
        opened.append(open_one())
        return opened[-1]

    yield open_
    for index in opened:
        index.close()


@pytest.fixture(scope="module")
def namespace(elasticsearch: str) -> Iterator[str]:
    with new_namespace(elasticsearch) as name:
        yield name


@pytest.fixture
def elasticsearch_index(elasticsearch: str, namespace: str) -> Callable[[], RebuildableIndex]:
    """Opens an index that was empty when the test began. To empty one takes much less time than to make one."""
    empty(elasticsearch, namespace)
    return partial(ElasticsearchFlowIndex, elasticsearch, namespace, refresh=True)


@pytest.fixture
def index(open_index: Open) -> FlowIndex:
    return open_index()


def record(flow: str, *events: e.AnyEvent, run: int = 0, first: int = 1, **summary: Any) -> HistoryRecord:
    fields: dict[str, Any] = {
        "blueprint": flow.partition(":")[0], "version": 1, "status": "RUNNING", "seq": first + len(events) - 1,
        "started_ms": 1_000, "updated_ms": 1_000, **summary,
    }  # fmt: skip
    return HistoryRecord(flow, run, first, list(events), Summary(**fields))


def started(flow: str, run: int = 0, at_ms: int = 1_000) -> e.ExecutionStarted:
    return e.ExecutionStarted(1, run, at_ms, flow=flow, blueprint=flow.partition(":")[0], version=1, hash="h", input={"n": 1})


def entered(seq: int, state: str, at_ms: int = 1_000, branch: int = 0) -> e.StateEntered:
    return e.StateEntered(seq, 0, at_ms, branch=branch, state=state, kind="Pass")


def exited(seq: int, state: str, at_ms: int = 1_000, **more: Any) -> e.StateExited:
    return e.StateExited(seq, 0, at_ms, branch=0, state=state, kind="Pass", **more)


def whole(flow: str, took_ms: int = 10, run: int = 0) -> list[HistoryRecord]:
    """A flow of one state, in two records."""
    end_ms = 1_000 + took_ms
    return [
        record(flow, started(flow, run), entered(2, "A"), run=run, states=["A"]),
        record(
            flow, exited(3, "A", end_ms, output={"n": 2}), e.ExecutionSucceeded(4, 0, end_ms),
            run=run, first=3, status="SUCCEEDED", updated_ms=end_ms, ended_ms=end_ms,
        ),
    ]  # fmt: skip


def take(index: FlowIndex, *records: HistoryRecord) -> None:
    index.index(records, [], {})


def ids(index: FlowIndex, **query: Any) -> list[str]:
    return [d.flow for d in index.find(FlowQuery(**query)).flows]


def test_an_empty_index_has_nothing(index: FlowIndex) -> None:
    assert index.get("order:1") is None
    assert index.history("order:1") == []
    assert index.find(FlowQuery()).flows == []
    assert index.statistics().blueprints == []
    assert index.dead_letters().dead_letters == []
    assert index.dead_letter("x") is None
    assert index.positions() == {}
    assert index.counters().flows == {}


def test_a_flow_is_shown_as_its_last_record_says(index: FlowIndex) -> None:
    origin = Origin("topic", "in", "orders", 2, 17)
    take(index, record("order:1", started("order:1"), run=5, states=["A", "B"], paused_by=["own"], origin=origin, redrives=2))
    assert index.get("order:1") == FlowDocument(
        "order:1", 5, "order", 1, "RUNNING", 1, 1_000, 1_000, states=["A", "B"], paused_by=["own"], origin=origin, redrives=2
    )
    failed = e.ExecutionFailed(2, 0, 1_500, error="Boom", cause="why")
    take(index, record("order:1", failed, run=5, first=2, status="FAILED", updated_ms=1_500, ended_ms=1_500, error="Boom", cause="why"))
    shown = index.get("order:1")
    assert shown is not None
    assert (shown.status, shown.error, shown.cause, shown.ended_ms, shown.seq) == ("FAILED", "Boom", "why", 1_500, 2)


def test_reading_the_log_again_changes_nothing(index: FlowIndex) -> None:
    records = whole("order:1") + whole("order:2")
    take(index, *records)
    before = (index.get("order:1"), index.history("order:1"), index.statistics(), index.counters())
    for again in (records, records[:1], records[2:3]):
        take(index, *again)
    assert (index.get("order:1"), index.history("order:1"), index.statistics(), index.counters()) == before


def test_a_document_never_steps_back_to_an_earlier_run(index: FlowIndex) -> None:
    take(index, *whole("order:1", run=3), *whole("order:1", run=90)[:1])
    take(index, *whole("order:1", run=3))
    shown = index.get("order:1")
    assert shown is not None
    assert (shown.run, shown.status) == (90, "RUNNING")
    assert index.counters().events == 6


def test_a_second_life_replaces_the_first_and_the_history_has_both(index: FlowIndex) -> None:
    take(index, *whole("order:1", run=3), *whole("order:1", run=90)[:1])
    assert [h["seq"] for h in index.history("order:1")] == [1, 2]
    assert [h["seq"] for h in index.history("order:1", 3)] == [1, 2, 3, 4]
    assert index.history("order:1", 4) == []
    assert index.counters().flows == {"RUNNING": 1}


def test_an_interval_in_several_records_is_taken_whole(index: FlowIndex) -> None:
    parts = whole("order:1")
    end: dict[str, Any] = {"status": "SUCCEEDED", "seq": 4, "ended_ms": 1_010, "updated_ms": 1_010}
    take(index, record("order:1", *parts[0].events, **end))
    take(index, record("order:1", *parts[1].events, first=3, **end))
    assert len(index.history("order:1")) == 4
    assert index.statistics().blueprints[0].states[0].completed == 1


def test_a_summary_without_events_is_taken_when_it_is_newer(index: FlowIndex) -> None:
    take(index, record("order:1", started("order:1"), updated_ms=1_000))
    take(index, record("order:1", first=2, updated_ms=1_200, paused_by=["blueprint:order"]))
    take(index, record("order:1", first=2, updated_ms=1_100, paused_by=["own"]))
    shown = index.get("order:1")
    assert shown is not None
    assert shown.paused_by == ["blueprint:order"]


def test_history_has_names_and_the_payloads_in_their_places(index: FlowIndex) -> None:
    take(index, *whole("order:1"))
    history = index.history("order:1")
    assert [h["name"] for h in history] == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert history[1]["input"] == {"n": 1}
    assert history[2]["output"] == {"n": 2}
    assert history[2]["at_ms"] == 1_010


def test_history_whose_beginning_is_gone_is_shown_as_it_is(index: FlowIndex) -> None:
    take(index, whole("order:1")[1])
    history = index.history("order:1")
    assert [h["seq"] for h in history] == [3, 4]
    assert history[0]["output"] == {"n": 2}
    assert index.statistics().blueprints[0].states == [StateStatistics("A", 0, 1, 0, 0, 0.0, 0.0, 0.0)]


def test_positions_are_kept_with_what_was_read(open_index: Open, index: FlowIndex) -> None:
    index.index(whole("order:1"), [], {AT: 2, Partition("sfc.history", 1): 7})
    index.index([], [], {AT: 3})
    assert index.positions() == {AT: 3, Partition("sfc.history", 1): 7}


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


def test_flows_are_found_by_what_is_asked(index: FlowIndex) -> None:
    take(
        index,
        record("order:a", started("order:a"), started_ms=1_000, states=["Pay", "Pack"], version=2),
        record("order:b", started("order:b"), started_ms=2_000, states=["Pay"], paused_by=["own"]),
        record("order:c_1", started("order:c_1"), started_ms=3_000, status="FAILED", error="Card.Declined", cause="100% Empty"),
        record("other:d", started("other:d"), started_ms=4_000, status="SUCCEEDED"),
    )
    assert ids(index) == ["other:d", "order:c_1", "order:b", "order:a"], "newest first"
    assert ids(index, status="RUNNING") == ["order:b", "order:a"]
    assert ids(index, status="PAUSED") == ["order:b"]
    assert ids(index, blueprint="order", status="FAILED") == ["order:c_1"]
    assert ids(index, blueprint="order", version=2) == ["order:a"]
    assert ids(index, state="Pay") == ["order:b", "order:a"]
    assert ids(index, state="Pack") == ["order:a"]
    assert ids(index, state="Pa") == []
    assert ids(index, error="Card.Declined") == ["order:c_1"]
    assert ids(index, started_from_ms=2_000, started_to_ms=4_000) == ["order:c_1", "order:b"]
    assert ids(index, text="ORDER:") == ["order:c_1", "order:b", "order:a"]
    assert ids(index, text="c_1") == ["order:c_1"]
    assert ids(index, text="0% e") == ["order:c_1"]
    assert ids(index, text="r_") == [], "no wildcard"
    assert ids(index, text="declined") == ["order:c_1"]


def test_text_is_found_as_it_is_written(index: FlowIndex) -> None:
    take(index, *[record(f"order:{n}", started(f"order:{n}"), cause=cause) for n, cause in enumerate(["a*b?c\\d", "aXbXc", "A*B"])])
    assert ids(index, text="a*b") == ["order:2", "order:0"]
    assert ids(index, text="?c\\") == ["order:0"]


def test_errors_of_any_length_and_payloads_of_any_shape_are_kept(index: FlowIndex) -> None:
    deep: Any = 10**1_500
    for _ in range(60):
        deep = {"a.b": [deep, None, "x" * 40_000 if not isinstance(deep, dict) else 1.5]}
    event = e.ExecutionStarted(1, 0, 1_000, flow="order:1", blueprint="order", version=1, hash="h", input=deep)
    take(index, record("order:1", event, error="E" * 40_000, cause="ä" * 40_000))
    assert index.history("order:1")[0]["input"] == deep
    shown = index.get("order:1")
    assert shown is not None
    assert (shown.error, shown.cause) == ("E" * 40_000, "ä" * 40_000)


def test_pages_go_through_everything_once(index: FlowIndex) -> None:
    flows = [f"order:{n:02}" for n in range(25)]
    take(index, *[record(f, started(f), started_ms=1_000 + int(f[-2:]) // 10) for f in flows])
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = index.find(FlowQuery(limit=7, cursor=cursor))
        seen += [d.flow for d in page.flows]
        cursor = page.next_cursor
    assert cursor == ""
    assert seen == sorted(flows, reverse=True)


@pytest.mark.parametrize("query", [FlowQuery(limit=0), FlowQuery(limit=1_001), FlowQuery(cursor="x"), FlowQuery(cursor="9" * 30 + ":a")])
def test_a_query_that_makes_no_sense_is_refused(index: FlowIndex, query: FlowQuery) -> None:
    with pytest.raises(BadInput):
        index.find(query)


def test_statistics_count_flows_and_time_states(index: FlowIndex) -> None:
    take(index, *[r for n in range(1, 101) for r in whole(f"order:{n}", took_ms=n * 10)])
    take(index, record("order:p", started("order:p"), entered(2, "A"), states=["A"], paused_by=["own"]))
    take(index, *whole("other:1"))
    both = index.statistics().blueprints
    assert [(b.blueprint, b.version, b.flows, b.paused) for b in both] == [
        ("order", 1, {"RUNNING": 1, "SUCCEEDED": 100}, 1),
        ("other", 1, {"SUCCEEDED": 1}, 0),
    ]
    state = both[0].states[0]
    assert (state.state, state.entered, state.completed, state.failed, state.retries) == ("A", 101, 100, 0, 0)
    assert state.mean_ms == 505
    assert state.p50_ms == pytest.approx(500, rel=0.03)
    assert state.p95_ms == pytest.approx(950, rel=0.03)
    assert index.statistics("other").blueprints == both[1:]


def dead_letter(n: int, reason: str = "not-json") -> DeadLetterDocument:
    return DeadLetterDocument(f"orders-0-{n}", 1_000 + n, reason, "why", "orders", 0, n, b"k", b"\xff\x00", [("h", b"\xfe")])


def test_dead_letters_are_kept_byte_for_byte_and_paged_newest_first(index: FlowIndex) -> None:
    letters = [dead_letter(n) for n in range(5)]
    index.index([], letters, {})
    index.index([], [dead_letter(4), dead_letter(5, "flow-exists")], {})
    assert index.dead_letter("orders-0-3") == letters[3]
    first = index.dead_letters(4)
    assert [d.offset for d in first.dead_letters] == [5, 4, 3, 2]
    second = index.dead_letters(4, first.next_cursor)
    assert [d.offset for d in second.dead_letters] == [1, 0]
    assert second.next_cursor == ""
    assert index.counters().dead_letters == {"not-json": 5, "flow-exists": 1}
    with pytest.raises(BadInput):
        index.dead_letters(0)


def test_a_mark_closes_its_dead_letter(index: FlowIndex) -> None:
    index.index([], [dead_letter(n) for n in range(3)], {})
    index.index([], [], {}, [DeadLetterMark("orders-0-1", "replayed", 5_000, "ann"), DeadLetterMark("orders-0-2", "discarded", 6_000)])
    closed = index.dead_letter("orders-0-1")
    assert closed == structs.replace(dead_letter(1), state="replayed", resolved_ms=5_000, resolved_by="ann")
    assert [d.offset for d in index.dead_letters(state="open").dead_letters] == [0]
    assert [d.offset for d in index.dead_letters(state="discarded").dead_letters] == [2]
    assert [d.state for d in index.dead_letters().dead_letters] == ["discarded", "replayed", "open"]
    assert index.counters().dead_letters == {"not-json": 1}


def test_a_mark_that_comes_before_its_letter_applies(index: FlowIndex) -> None:
    index.index([], [], {}, [DeadLetterMark("orders-0-1", "replayed", 5_000)])
    assert index.dead_letter("orders-0-1") is None
    assert index.dead_letters().dead_letters == []
    index.index([], [dead_letter(1)], {})
    shown = index.dead_letter("orders-0-1")
    assert shown is not None
    assert (shown.state, shown.resolved_ms) == ("replayed", 5_000)
    assert index.counters().dead_letters == {}


def test_a_letter_that_is_written_again_does_not_open_again_and_the_latest_mark_counts(index: FlowIndex) -> None:
    index.index([], [dead_letter(1)], {}, [DeadLetterMark("orders-0-1", "discarded", 6_000)])
    again = structs.replace(dead_letter(1), at_ms=9_000)
    index.index([], [again], {}, [DeadLetterMark("orders-0-1", "replayed", 5_000)])
    shown = index.dead_letters().dead_letters
    assert [(d.at_ms, d.state, d.resolved_ms) for d in shown] == [(1_001, "discarded", 6_000)]


def test_throughput_has_every_slice(index: FlowIndex) -> None:
    take(
        index,
        *[r for n in (1, 2) for r in whole(f"order:{n}", took_ms=10)],
        *whole("order:3", took_ms=250),
        record("other:1", started("other:1"), started_ms=1_350, updated_ms=1_350, ended_ms=1_350, status="FAILED"),
        record("order:4", started("order:4"), started_ms=1_299),
    )
    both = index.throughput(None, 900, 1_400, 100)
    assert both == [
        Throughput(900),
        Throughput(1_000, 3, {"SUCCEEDED": 2}),
        Throughput(1_100),
        Throughput(1_200, 1, {"SUCCEEDED": 1}),
        Throughput(1_300, 1, {"FAILED": 1}),
    ]
    assert index.throughput("order", 1_290, 1_301, 10) == [Throughput(1_290, 1), Throughput(1_300)]
    assert index.throughput("order", 1_000, 1_001, 60_000) == [Throughput(1_000, 3)]


@pytest.mark.parametrize("asked", [(5, 5, 1), (-1, 5, 1), (0, 5, 0), (0, 1_001, 1)])
def test_slices_that_make_no_sense_are_refused(asked: tuple[int, int, int]) -> None:
    index = SqliteFlowIndex()
    with pytest.raises(BadInput):
        index.throughput(None, *asked)
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


def test_counters_add_up(index: FlowIndex) -> None:
    take(index, *whole("order:1"), record("order:2", started("order:2"), paused_by=["own"]))
    counters = index.counters()
    assert counters.flows == {"SUCCEEDED": 1, "RUNNING": 1}
    assert (counters.paused, counters.events) == (1, 5)


def test_readers_in_other_threads_see_what_is_indexed(index: FlowIndex) -> None:
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            flows = index.counters().flows.get("SUCCEEDED", 0)
            counted = sum(b.flows.get("SUCCEEDED", 0) for b in index.statistics().blueprints)
            if not flows <= counted <= 300:
                wrong.append(f"{flows} then {counted}")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(10):
        take(index, *[r for m in range(30) for r in whole(f"order:{n}-{m}")])
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert index.counters().flows == {"SUCCEEDED": 300}


def test_a_file_is_there_after_reopening_and_emptied_when_its_format_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "index.db"
    first = SqliteFlowIndex(path)
    first.index(whole("order:1"), [dead_letter(1)], {AT: 2})
    first.close()
    second = SqliteFlowIndex(path)
    assert second.positions() == {AT: 2}
    assert second.get("order:1") is not None
    second.close()
    monkeypatch.setattr("sfc.adapters.sql.statements.FORMAT", 999)
    third = SqliteFlowIndex(path)
    assert third.positions() == {}
    assert third.get("order:1") is None
    third.close()


def test_a_file_that_is_no_index_is_told(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    path.write_bytes(b"no database at all, and more than a header long" * 100)
    with pytest.raises(SfcError, match="can't be opened") as caught:
        SqliteFlowIndex(path)
    assert "Delete it" in caught.value.hint
