"""Where a flow failed: the iteration, branch or child flow is named, with its error."""

from __future__ import annotations

import pytest

from sfc.engine.commands import Redrive
from tests.unit.runtime.explain_scene import Scene
from tests.unit.runtime.lane_bench import NAMES, Bench


@pytest.fixture
def scene(bench: Bench) -> Scene:
    return Scene(bench)


def test_a_failed_iteration_or_branch_is_named_with_its_place_and_error(scene: Scene) -> None:
    scene.started("nested:1", input=[[0, 1], [0, 9]])
    ended, where = scene.explain("nested:1").reasons
    assert (ended.code, where.code, where.state) == ("ended", "failed-in", "Stop")
    assert where.said == (
        "it failed at 'Stop', in branch 1 of the Parallel 'Both', in iteration 1 of the Map 'Inner', in iteration 1 of the Map 'Outer':"
        " Planned: for the test"
    )


def test_the_flow_of_a_failed_iteration_is_named_with_its_error_and_after_a_redrive_the_later_one(scene: Scene) -> None:
    scene.started("spread:1", input=[0, 9, 0])
    ended, where = scene.explain("spread:1").reasons
    assert ended.do == ["after mending the cause: sfc flows redrive spread:1"]
    failed = {r.flow for r in scene.bench.histories() if (flow := scene.find(r.flow)) is not None and flow.status == "FAILED"}
    assert failed == {"spread:1", where.child}
    assert where.said == f"iteration 1 of the Map 'Each' failed: {where.child}: Planned: for the test"
    assert (where.code, where.do, where.state) == ("child-failed", [f"sfc explain {where.child}"], "Each")
    scene.bench.command("spread:1", Redrive())
    scene.settled()
    again = scene.explain("spread:1").reasons[1]
    assert again.code == "child-failed"
    assert again.child != where.child


def test_the_flow_of_a_blueprint_state_that_failed_is_named(scene: Scene) -> None:
    scene.started("trusts:1")
    ended, where = scene.explain("trusts:1").reasons
    assert (ended.code, where.code) == ("ended", "child-failed")
    assert where.said == f"the flow of 'Child' failed: {where.child}: Planned: for the test"
    (why,) = scene.explain(where.child).reasons
    assert (why.code, len(why.do)) == ("ended", 2)
    assert why.do[0] == "after mending the cause: sfc flows redrive trusts:1, the flow above, once it has ended: it starts this one anew"
    assert f"sfc flows redrive {where.child} runs this one alone" in why.do[1]


def test_a_failed_reader_is_told_by_the_flows_own_error_without_a_child(scene: Scene) -> None:
    scene.started("reads:1")
    (job,) = scene.bench.all(NAMES.jobs)
    scene.bench.answer(job, b"null", ("sfc-error", b"States.ItemReaderFailed"), ("sfc-cause", b"there is no topic orders"))
    scene.settled()
    ended = scene.reason("reads:1", "ended")
    assert "States.ItemReaderFailed: there is no topic orders" in ended.said
