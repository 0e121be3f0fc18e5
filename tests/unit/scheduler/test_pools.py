"""Which pools there are, and how far behind they are."""

from __future__ import annotations

import pytest

from sfc.errors import LogError
from sfc.ports import Partition, Position
from sfc.runtime.pools import Lag, Pool, lags, pools_of
from sfc.wire.definitions import BlueprintHead
from sfc.wire.scale import Scale
from tests.unit.scheduler.conftest import Site

SHOP = {"Min": 1, "Max": 4, "LagPerReplica": 10, "Module": "shop.workers"}


def pools(site: Site) -> dict[str, Pool]:
    return pools_of(site.definitions(), site.names)


def test_tasks_of_sfcs_workers_are_pools_and_services_are_none(site: Site) -> None:
    site.task("own", Scale=SHOP)
    site.task("by-hand")
    site.task("service", Kafka={"Topic": "order_split"})
    site.task("ours-elsewhere", Kafka={"Topic": "order_pick", "ConsumerGroup": "pickers"}, Scale=SHOP)
    site.task("web", Http={"Url": "http://shop/"})
    assert pools(site) == {
        "task:own": Pool("task:own", {"t.task.own": "t.task.own"}, Scale(1, 4, 10, "shop.workers")),
        "task:by-hand": Pool("task:by-hand", {"t.task.by-hand": "t.task.by-hand"}, None),
        "task:ours-elsewhere": Pool("task:ours-elsewhere", {"order_pick": "pickers"}, Scale(1, 4, 10, "shop.workers")),
    }


def test_a_specific_blueprint_is_a_pool(site: Site) -> None:
    site.blueprint("plain")
    site.blueprint("shop", MessageType="specific", Scale={"Max": 3})
    assert pools(site) == {"blueprint:shop": Pool("blueprint:shop", {"t.jobs.shop": "t.workers.shop"}, Scale(0, 3, 100, ""))}


def test_what_has_moved_elsewhere_keeps_its_pool_without_a_minimum(site: Site) -> None:
    site.task("split", 1, Scale=SHOP)
    site.task("split", 2, Kafka={"Topic": "order_split"}, Scale=SHOP)
    site.task("pick", 1, Scale=SHOP)
    site.task("pick", 2, Http={"Url": "http://shop/"})
    site.blueprint("shop", 1, MessageType="specific", Scale=SHOP)
    site.blueprint("shop", 2, MessageType="common")
    site.blueprint("closed", 1, MessageType="specific", Scale=SHOP)
    site.define(BlueprintHead(name="closed", current=1, status="retired", revision=9))
    found = pools(site)
    assert found["task:split"].topics == {"t.task.split": "t.task.split", "order_split": "order_split"}
    minimums = {name: p.scale.min for name, p in found.items() if p.scale}
    assert minimums == {"task:pick": 0, "task:split": 1, "blueprint:closed": 0, "blueprint:shop": 0}


def test_the_lag_is_what_no_member_has_committed(site: Site) -> None:
    site.task("a")
    site.task("b")
    site.task("c")
    site.topic("t.task.a")
    site.topic("t.task.b", 3)
    site.jobs("t.task.a", 5, 2)
    site.jobs("t.task.b", 0, 4, 1)
    site.done("t.task.a", "t.task.a", 3, 2)
    assert lags(site.log, pools(site).values()) == {"task:a": Lag(2, 2), "task:b": Lag(5, 3), "task:c": Lag(0, 0)}
    assert lags(site.log, []) == {}


def test_a_group_that_the_log_does_not_tell_of_is_its_pools_trouble_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.task("a")
    site.task("b")
    site.topic("t.task.a", 3)
    site.topic("t.task.b")
    site.jobs("t.task.b", 1)

    def some(group: str) -> dict[Partition, Position]:
        if group == "t.task.a":
            raise LogError("Group authorization failed")
        return {}

    monkeypatch.setattr(site.log, "group_positions", some)
    assert lags(site.log, pools(site).values()) == {"task:a": Lag(0, 3, "Group authorization failed"), "task:b": Lag(1, 2)}
