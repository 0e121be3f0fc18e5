"""What every flow index must do, whatever it stores in."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from sfc.adapters.sql import SqliteFlowIndex
from sfc.engine import events as e
from sfc.engine.commands import Origin
from sfc.errors import BadInput, SfcError
from sfc.ports import (
    DeadLetterMark,
    FlowDocument,
    FlowIndex,
    FlowQuery,
    Partition,
    StateStatistics,
    Throughput,
)
from tests.contract.flow_records import AT, Open, dead_letter, entered, ids, record, started, take, whole


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
    assert (index.runs("order:1"), index.runs("order:2")) == ([90, 3], [])
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
