"""Two schedule roles over one PostgreSQL and one Kafka, with a real engine: one flow for each tick, also when a role dies in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sfc.ports import FlowQuery
from sfc.registry import Registry, Schedules
from sfc.runtime.schedules import ScheduleRole
from tests.acceptance.processes import wait_for
from tests.contract.registries import StillClock
from tests.integration.installation import installation

MINUTE = 60_000
TICKS = 6
BLUEPRINT = {
    "StartAt": "Done",
    "States": {"Done": {"Type": "Pass", "End": True}},
    "Sfc": {"Name": "report", "Triggers": [{"Id": "tick", "Schedule": "* * * * *", "Input": {"kind": "daily"}}]},
}


class Died(BaseException):
    """The process is gone."""


def dies(*_args: Any) -> None:
    raise Died


def test_each_tick_starts_one_flow_over_two_roles_one_of_which_dies(kafka: str, postgresql: str, tmp_path: Path) -> None:
    clock = StillClock(1_800_000_000_000 // MINUTE * MINUTE)
    with installation(kafka, tmp_path, database=postgresql, registry_clock=clock) as sfc:
        sfc.deploy(BLUEPRINT)
        registries = [Registry(postgresql, clock) for _ in range(2)]
        books = [Schedules(registry) for registry in registries]
        roles = [ScheduleRole(book, sfc.site.log, sfc.site.names, sfc.site.shards, sfc.definitions, clock) for book in books]
        repeated = 0
        for tick in range(TICKS):
            clock.ms += MINUTE
            first, second = tick % 2, 1 - tick % 2
            if tick % 3 == 2:  # killed between the append and the advance; another process takes its place
                with pytest.MonkeyPatch.context() as killed:
                    killed.setattr(books[first], "advance", dies)
                    with pytest.raises(Died):
                        roles[first].step(0)
                repeated += 1
            assert [roles[second].step(0), roles[first].step(0)] == [1, 0]

        def ended() -> list[str]:
            return [flow.flow for flow in sfc.index.find(FlowQuery(status="SUCCEEDED", blueprint="report")).flows]

        wait_for(f"{TICKS} flows", lambda: len(ended()) == TICKS)
        sfc.start("report", "last", {})
        sfc.end_of("report:last")
        flows = set(ended()) - {"report:last"}
        assert repeated == 2
        assert flows == {f"report:tick-20270115T080{n}00Z" for n in range(1, TICKS + 1)}
        for flow in flows:
            document = sfc.index.get(flow)
            assert document is not None
            assert document.origin is not None
            assert (document.origin.kind, document.origin.trigger) == ("schedule", "tick")
            assert [e["name"] for e in sfc.index.history(flow)].count("ExecutionStarted") == 1
        assert sfc.index.dead_letters().dead_letters == [], "a repeated start is dropped by its mark"
        for role in roles:
            role.close()
        for registry in registries:
            registry.close()
