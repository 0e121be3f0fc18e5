"""Schedules over both databases: what is due, in a clock's hand, and the role that starts flows, with a virtual clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from typing import Any

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Origin, Start
from sfc.errors import UnknownName
from sfc.ports import Partition, TopicSpec
from sfc.registry import Holds, Outbox, Registry, Schedules
from sfc.runtime.definitions import Definitions
from sfc.runtime.schedules import ScheduleRole, tick_flow
from sfc.wire.commands import decode_command
from sfc.wire.topics import Names, core_topics
from tests.contract.registries import Database, Documents, StillClock

NAMES = Names("test")
SHARDS = 3
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NIGHTLY = {"Id": "nightly", "Schedule": "0 3 * * *"}
EVERY_MINUTE = {"Id": "tick", "Schedule": "* * * * *"}


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture
def clock() -> StillClock:
    return StillClock(at("2026-01-31T00:00:00Z"))


def save(registry: Registry, *triggers: dict[str, Any], name: str = "report", **sfc: Any) -> None:
    registry.deploy([Documents.task(), Documents.blueprint(name, Triggers=list(triggers), **sfc)])


def due_ticks(registry: Registry, now_ms: int) -> list[int]:
    return [tick for one in Schedules(registry).due(now_ms) for tick in one.ticks]


def test_a_deploy_sets_the_next_tick_from_now_on(registry: Registry) -> None:
    save(registry, {**NIGHTLY, "TimeZone": "Asia/Shanghai", "Input": {"a": [1]}}, {"Id": "in", "Topic": "t"})
    (info,) = Schedules(registry).list()
    assert (info.blueprint, info.id, info.cron, info.time_zone, info.catch_up) == (
        "report",
        "nightly",
        "0 3 * * *",
        "Asia/Shanghai",
        "skip",
    )
    assert (info.input, info.status, info.last_ms, info.next_ms) == ({"a": [1]}, "enabled", 0, at("2026-01-31T19:00:00Z"))
    assert info.upcoming == [info.next_ms + n * DAY for n in range(5)]
    assert Schedules(registry).get("report", "nightly") == info
    assert [t.id for t in registry.blueprint("report").triggers] == ["in"], "topic triggers are the others"


def test_an_unknown_schedule_is_told_with_the_nearest(registry: Registry) -> None:
    save(registry, NIGHTLY)
    with pytest.raises(UnknownName, match="there is no schedule report:nihgtly") as told:
        Schedules(registry).get("report", "nihgtly")
    assert "report:nightly" in told.value.hint


def test_an_edit_keeps_a_schedule_that_ticks_as_before(registry: Registry, clock: StillClock) -> None:
    def uids() -> dict[str, str]:
        return {one.id: one.uid for one in Schedules(registry).list()}

    save(registry, NIGHTLY, EVERY_MINUTE)
    first = uids()
    before = Schedules(registry).get("report", "tick").next_ms
    clock.ms += HOUR
    save(registry, {**NIGHTLY, "TimeZone": "Asia/Tokyo"}, {**EVERY_MINUTE, "Input": 7, "CatchUp": "all"})
    kept = Schedules(registry).get("report", "tick")
    assert (kept.uid, kept.next_ms, kept.input, kept.catch_up) == (first["tick"], before, 7, "all")
    assert uids()["nightly"] != first["nightly"], "another zone"
    save(registry, {**EVERY_MINUTE, "Schedule": "*/2 * * * *"})
    (changed,) = Schedules(registry).list()
    assert changed.uid != first["tick"], "another expression"
    assert changed.next_ms > clock.ms
    save(registry)
    assert Schedules(registry).list() == []


def test_a_rollback_brings_the_schedules_of_its_version(registry: Registry) -> None:
    save(registry, NIGHTLY)
    save(registry, EVERY_MINUTE)
    registry.roll_back("report")
    assert [one.id for one in Schedules(registry).list()] == ["nightly"]


def test_a_tick_is_due_at_its_time_and_until_it_is_advanced(registry: Registry, clock: StillClock) -> None:
    save(registry, NIGHTLY)
    tick = at("2026-01-31T03:00:00Z")
    book = Schedules(registry)
    assert book.due(tick - 1) == []
    (due,) = book.due(tick)
    assert (due.ticks, due.was_ms, due.next_ms, due.input) == ((tick,), tick, tick + DAY, {})
    assert book.due(tick + 5) == [due]
    book.advance([due])
    assert book.due(tick + 5) == []
    info = book.get("report", "nightly")
    assert (info.last_ms, info.next_ms) == (tick, tick + DAY)
    book.advance([due])
    assert book.get("report", "nightly") == info, "who comes late changes nothing"


@pytest.mark.parametrize(
    ("policy", "late_ms", "expected"),
    [
        ("skip", MINUTE, [0]),
        ("skip", MINUTE + 1, []),
        ("skip", 3 * DAY, [3]),
        ("skip", 3 * DAY + 2 * MINUTE, []),
        ("one", MINUTE + 1, [0]),
        ("one", 3 * DAY + 2 * MINUTE, [3]),
        ("one", 3 * DAY, [2, 3]),
        ("all", 3 * DAY + 2 * MINUTE, [0, 1, 2, 3]),
    ],
)
def test_missed_ticks_go_by_the_policy(registry: Registry, policy: str, late_ms: int, expected: list[int]) -> None:
    """``expected``: days after the first tick."""
    save(registry, {**NIGHTLY, "CatchUp": policy})
    first = at("2026-01-31T03:00:00Z")
    (due,) = Schedules(registry).due(first + late_ms)
    assert [(tick - first) / DAY for tick in due.ticks] == expected
    assert due.next_ms == first + (late_ms // DAY + 1) * DAY


def test_all_means_the_latest_thousand(registry: Registry, clock: StillClock) -> None:
    save(registry, {**EVERY_MINUTE, "CatchUp": "all"})
    now = clock.ms + 2_000 * MINUTE + 30_000
    found = due_ticks(registry, now)
    assert len(found) == 1_001, "a thousand that were missed, and the one that is not late"
    assert (found[0], found[-1]) == (now - 30_000 - 1_000 * MINUTE, now - 30_000)


@pytest.mark.parametrize(("policy", "expected"), [("skip", []), ("one", [3]), ("all", [1, 2, 3])])
def test_ticks_of_a_pause_are_missed(registry: Registry, clock: StillClock, policy: str, expected: list[int]) -> None:
    """``expected``: hours after the pause; the last tick is hardly over."""
    save(registry, {"Id": "hourly", "Schedule": "0 * * * *", "CatchUp": policy})
    book, began = Schedules(registry), clock.ms
    registry.pause("report")
    for hour in range(1, 4):
        clock.ms = began + hour * HOUR
        due = book.due(clock.ms)
        assert all(one.ticks == () for one in due), "nothing starts while it is paused"
        book.advance(due)
    assert book.get("report", "hourly").status == "paused"
    registry.resume("report")
    clock.ms += 10
    found = due_ticks(registry, clock.ms)
    assert [(tick - began) / HOUR for tick in found] == expected


def test_one_tick_of_a_pause_is_started_however_late(registry: Registry, clock: StillClock) -> None:
    save(registry, {**NIGHTLY, "CatchUp": "one"})
    registry.pause("report")
    for day in range(3):
        clock.ms = at("2026-01-31T03:00:00Z") + day * DAY
        Schedules(registry).advance(Schedules(registry).due(clock.ms))
    registry.resume("report")
    assert due_ticks(registry, clock.ms + 5 * HOUR) == [at("2026-02-02T03:00:00Z")]


@pytest.mark.parametrize("subject", ["group:shop", "version:report@1"])
def test_other_holds_are_a_pause_too(registry: Registry, clock: StillClock, subject: str) -> None:
    save(registry, EVERY_MINUTE, Group="shop")
    Holds(registry).pause(subject)
    clock.ms += MINUTE
    assert due_ticks(registry, clock.ms) == []
    assert Schedules(registry).get("report", "tick").status == "paused"
    Holds(registry).resume(subject)
    assert due_ticks(registry, clock.ms) == [clock.ms]


@pytest.mark.parametrize("policy", ["skip", "one", "all"])
def test_ticks_of_a_disabled_blueprint_are_none(registry: Registry, clock: StillClock, policy: str) -> None:
    save(registry, {**EVERY_MINUTE, "CatchUp": policy})
    book = Schedules(registry)
    registry.disable("report")
    clock.ms += 5 * MINUTE
    (due,) = book.due(clock.ms)
    assert due.ticks == ()
    book.advance([due])
    registry.resume("report")
    assert due_ticks(registry, clock.ms) == []
    assert due_ticks(registry, clock.ms + MINUTE) == [clock.ms + MINUTE]


# The role


class Gateways:
    """Two schedule roles over one database and one log, with the clock in the test's hand."""

    def __init__(self, database: Database, log: EmbeddedLog) -> None:
        self.log = log
        self.clock = database.clock
        self.registries = [database.open(), database.open()]
        self.outbox = Outbox(self.registries[0], log, NAMES, SHARDS)
        self.definitions = Definitions(log, NAMES)
        self.books = [Schedules(registry) for registry in self.registries]
        self.roles = [self.role(n) for n in range(2)]

    def role(self, n: int) -> ScheduleRole:
        return ScheduleRole(self.books[n], self.log, NAMES, SHARDS, self.definitions, self.clock)

    def deploy(self, *triggers: dict[str, Any], **sfc: Any) -> None:
        save(self.registries[0], *triggers, **sfc)
        self.publish()

    def publish(self) -> None:
        while self.outbox.step():
            pass
        while self.definitions.step(0.01):
            pass

    def starts(self) -> list[tuple[str, str, tuple[int, ...], Start]]:
        """Key, source, mark and command of everything on the command topic, by mark."""
        reader = self.log.reader({Partition(NAMES.commands, n): 0 for n in range(SHARDS)})
        found = []
        while batch := reader.take(1000, 0.01):
            for record in batch:
                received = decode_command(record.key, record.value, list(record.headers))
                if isinstance(received.command, Start):
                    found.append(((record.key or b"").decode(), received.source, received.mark, received.command))
        reader.close()
        return sorted(found, key=lambda one: one[2])


@pytest.fixture
def gateways(database: Database) -> Iterator[Gateways]:
    log = EmbeddedLog.memory()
    log.create([TopicSpec(name, n, config) for name, (n, config) in core_topics(NAMES, SHARDS).items()])
    made = Gateways(database, log)
    yield made
    for role in made.roles:
        role.close()
    made.definitions.close()
    log.close()


def test_a_tick_starts_one_flow_over_two_gateways(gateways: Gateways) -> None:
    gateways.deploy({**NIGHTLY, "Input": {"day": "yesterday"}})
    tick = gateways.clock.ms = at("2026-01-31T03:00:00Z")
    assert [role.step(0) for role in gateways.roles] == [1, 0]
    ((flow, source, mark, start),) = gateways.starts()
    assert flow == "report:nightly-20260131T030000Z" == tick_flow("report", "nightly", tick)
    assert source == f"schedule/{gateways.books[0].list()[0].uid}"
    assert mark == (tick,)
    assert (start.blueprint, start.version, start.input, start.keep_id) == ("report", 1, {"day": "yesterday"}, True)
    assert start.origin == Origin("schedule", trigger="nightly")
    gateways.clock.ms += DAY
    assert [role.step(0) for role in reversed(gateways.roles)] == [1, 0]
    assert [one[2] for one in gateways.starts()] == [(tick,), (tick + DAY,)]


class Died(BaseException):
    """The process is gone."""


def dies(*_args: Any) -> None:
    raise Died


def test_a_gateway_that_dies_before_it_advances_leaves_a_start_that_is_recognised(
    gateways: Gateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateways.deploy(NIGHTLY)
    gateways.clock.ms = at("2026-01-31T03:00:00Z")
    monkeypatch.setattr(gateways.books[0], "advance", dies)
    with pytest.raises(Died):
        gateways.roles[0].step(0)
    assert gateways.roles[1].step(0) == 1
    first, again = gateways.starts()
    assert first == again, "same key, source, mark and command: the shard drops the second"
    assert gateways.roles[1].step(0) == 0


@pytest.mark.parametrize("where", ["append", "flush"])
def test_a_gateway_that_dies_before_the_log_has_the_start_leaves_the_tick_due(
    gateways: Gateways, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    gateways.deploy(NIGHTLY)
    tick = gateways.clock.ms = at("2026-01-31T03:00:00Z")
    monkeypatch.setattr(gateways.roles[0]._appender, where, dies)
    with pytest.raises(Died):
        gateways.roles[0].step(0)
    assert gateways.books[1].get("report", "nightly").next_ms == tick
    assert gateways.roles[1].step(0) == 1
    assert {start[2] for start in gateways.starts()} == {(tick,)}


def test_a_gateway_that_lost_its_turn_repeats_what_is_recognised(gateways: Gateways, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stalled between reading and appending; the other one has started the tick and gone on."""
    gateways.deploy(EVERY_MINUTE)
    gateways.clock.ms += MINUTE
    stalled = gateways.books[0].due(gateways.clock.ms)
    gateways.roles[1].step(0)
    gateways.clock.ms += MINUTE
    gateways.roles[1].step(0)
    monkeypatch.setattr(gateways.books[0], "due", lambda _now: stalled)
    monkeypatch.setattr(gateways.books[0], "alone", lambda: nullcontext(True))
    gateways.roles[0].step(0)
    starts = gateways.starts()
    assert len(starts) == 3
    assert starts[0] == starts[1]
    assert gateways.books[1].get("report", "tick").next_ms == gateways.clock.ms + MINUTE, "the late advance has not set it back"


def test_two_gateways_do_not_do_the_same_work(gateways: Gateways) -> None:
    gateways.deploy(EVERY_MINUTE)
    gateways.clock.ms += MINUTE
    with gateways.books[0].alone() as mine:
        assert mine
        assert gateways.roles[1].step(0) == 0
    assert gateways.starts() == []
    assert gateways.roles[1].step(0) == 1


def test_a_tick_waits_until_its_blueprint_is_known_here(gateways: Gateways) -> None:
    save(gateways.registries[0], EVERY_MINUTE)
    gateways.definitions.load()
    gateways.clock.ms += MINUTE
    assert gateways.roles[0].step(0) == 0
    gateways.publish()
    assert gateways.roles[0].step(0) == 1
    assert len(gateways.starts()) == 1


def test_a_day_of_clock_changes_starts_each_tick_once(gateways: Gateways) -> None:
    """In Berlin, clocks go back on 2026-10-25: the hour from two to three is there twice."""
    gateways.clock.ms = at("2026-10-24T20:00:00Z")
    gateways.deploy(
        {"Id": "fixed", "Schedule": "30 2 * * *", "TimeZone": "Europe/Berlin"},
        {"Id": "hourly", "Schedule": "0 * * * *", "TimeZone": "Europe/Berlin"},
    )
    for step in range(8 * 60):
        gateways.clock.ms += MINUTE
        gateways.roles[step % 2].step(0)
    flows = [one[0].removeprefix("report:") for one in gateways.starts()]
    assert [f for f in flows if f.startswith("fixed")] == ["fixed-20261025T003000Z"]
    assert [f for f in flows if f.startswith("hourly")] == [f"hourly-2026102{4 + hour // 24}T{hour % 24:02}0000Z" for hour in range(21, 29)]
