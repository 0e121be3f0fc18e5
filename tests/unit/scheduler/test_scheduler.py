"""The scheduler over a log in memory: what it starts and stops, and who leads."""

from __future__ import annotations

import time
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sfc_scheduler.scheduler import LOST_STOP_S

from sfc.errors import LogError, LogUnavailable
from tests.unit.scheduler.conftest import NotedReplicas, Site

TOPIC = "t.task.split"
SCALE = {"Min": 1, "Max": 4, "LagPerReplica": 10, "Module": "shop.workers"}


@pytest.fixture
def replicas() -> NotedReplicas:
    return NotedReplicas()


@pytest.fixture
def shop(site: Site) -> Site:
    site.task("split", Scale=SCALE)
    site.topic(TOPIC, 8)
    return site


def test_a_backlog_raises_replicas_and_an_empty_one_lowers_them_later(shop: Site, replicas: NotedReplicas) -> None:
    scheduler = shop.scheduler(replicas)
    shop.turn(scheduler)
    assert [r.instance for r in replicas.kept] == ["r1"]
    shop.jobs(TOPIC, 25, 10)
    shop.turn(scheduler)
    assert len(replicas.kept) == 4
    shop.done(TOPIC, TOPIC, 25, 10)
    shop.turn(scheduler, 27)
    assert replicas.stopped == []
    shop.turn(scheduler)
    assert replicas.stopped == ["r4", "r3", "r2"]  # the newest go first


def test_a_new_task_gets_workers_and_an_edit_counts_before_the_next_look(shop: Site, replicas: NotedReplicas) -> None:
    scheduler = shop.scheduler(replicas)
    shop.turn(scheduler)
    shop.task("pick", Scale=SCALE)
    shop.topic("t.task.pick")
    shop.turn(scheduler, 0.5)
    assert replicas.pools() == {"task:split", "task:pick"}
    shop.override("task:split", 7, drained=True)
    shop.turn(scheduler, 0.5)
    assert replicas.pools() == {"task:pick"}
    shop.override("task:split", 8, min=2)
    shop.turn(scheduler, 0.5)
    assert len(replicas.list("task:split")) == 2


def test_another_module_replaces_the_replicas(shop: Site, replicas: NotedReplicas) -> None:
    scheduler = shop.scheduler(replicas)
    shop.turn(scheduler)
    shop.task("split", 2, Scale={**SCALE, "Module": "shop.better"})
    shop.turn(scheduler)
    assert [(r.instance, r.module) for r in replicas.kept] == [("r2", "shop.better")]


def test_a_pool_that_is_scaled_no_more_is_let_go(shop: Site, replicas: NotedReplicas) -> None:
    scheduler = shop.scheduler(replicas)
    shop.turn(scheduler)
    shop.task("split", 2)
    shop.turn(scheduler)
    assert (replicas.kept, replicas.stopped) == ([], ["r1"])


def test_everything_stays_as_it_is_while_the_log_does_not_answer(
    shop: Site, replicas: NotedReplicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = shop.scheduler(replicas)
    shop.turn(scheduler)

    def away(*_: Any, **__: Any) -> Any:
        raise LogUnavailable("no broker answers")

    monkeypatch.setattr(shop.log, "ends", away)
    shop.override("task:split", 7, drained=True)
    shop.turn(scheduler)
    assert len(replicas.kept) == 1
    monkeypatch.undo()
    shop.turn(scheduler)
    assert replicas.kept == []


def test_a_pool_whose_lag_is_not_known_stays_and_the_others_go_on(
    shop: Site, replicas: NotedReplicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = shop.scheduler(replicas)
    shop.turn(scheduler)
    positions = shop.log.group_positions

    def refused(group: str) -> Any:
        if group == TOPIC:
            raise LogError("Group authorization failed")
        return positions(group)

    monkeypatch.setattr(shop.log, "group_positions", refused)
    shop.jobs(TOPIC, 30)
    shop.task("pick", Scale=SCALE)
    shop.topic("t.task.pick")
    shop.turn(scheduler)
    assert [r.pool for r in replicas.kept] == ["task:split", "task:pick"]
    monkeypatch.undo()
    shop.turn(scheduler)
    assert len(replicas.list("task:split")) == 3


def test_of_two_schedulers_one_leads_and_the_other_takes_over_when_it_leaves(shop: Site, replicas: NotedReplicas) -> None:
    others = NotedReplicas()
    first, second = shop.scheduler(replicas), shop.scheduler(others)
    for scheduler in (first, second):
        shop.turn(scheduler)
    assert (first.leads, second.leads, len(replicas.kept), len(others.kept)) == (True, False, 1, 0)
    assert first.ready
    assert second.ready
    first.close()
    assert (replicas.kept, replicas.stops_of_all[0], replicas.closed) == ([], 9, True)
    shop.turn(second)
    shop.turn(second)
    assert (second.leads, len(others.kept)) == (True, 1)


def test_replicas_are_gone_before_the_partition_is_given_back(shop: Site, replicas: NotedReplicas) -> None:
    """Whoever leads next can't begin before."""
    scheduler = shop.scheduler(replicas)
    shop.turn(scheduler)
    led: list[bool] = []

    def stop_all(grace_s: float) -> None:
        led.append(any(member.partitions for member in shop.log.group_members(shop.names.scheduler_group)))

    replicas.stop_all = stop_all  # type: ignore[method-assign]
    scheduler.close()
    assert led[0]
    assert shop.log.group_members(shop.names.scheduler_group) == []


def test_a_leader_that_was_put_out_of_the_group_stops_its_replicas_quickly(replicas: NotedReplicas) -> None:
    shop = Site(max_poll_s=0.05)
    shop.task("split", Scale=SCALE)
    shop.topic(TOPIC, 8)
    others = NotedReplicas()
    stuck, waiting = shop.scheduler(replicas), shop.scheduler(others)
    shop.turn(stuck)
    assert len(replicas.kept) == 1
    time.sleep(0.06)  # it does not ask the group for so long
    shop.turn(waiting)
    shop.turn(stuck)
    assert (replicas.kept, replicas.stops_of_all) == ([], [LOST_STOP_S])
    shop.turn(waiting)
    shop.turn(waiting)
    assert (stuck.leads, waiting.leads, len(others.kept)) == (False, True, 1)
    shop.close()


def test_numbers_are_told_while_it_leads(shop: Site, replicas: NotedReplicas) -> None:
    def told(name: str) -> float | None:
        return REGISTRY.get_sample_value(f"sfc_scheduler_{name}", {} if name == "leader" else {"pool": "task:split"})

    scheduler = shop.scheduler(replicas)
    shop.jobs(TOPIC, 15)
    shop.turn(scheduler)
    shop.turn(scheduler, 0)
    assert [told(name) for name in ("leader", "replicas_wanted", "replicas_running", "lag")] == [1, 2, 2, 15]
    shop.override("task:split", 7, drained=True)
    shop.turn(scheduler)
    shop.turn(scheduler, 0)
    assert [told(name) for name in ("replicas_wanted", "replicas_running", "lag")] == [0, 0, 15]
    scheduler.close()
    assert [told(name) for name in ("leader", "replicas_wanted", "replicas_running", "lag")] == [0, None, None, None]
