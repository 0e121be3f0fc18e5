"""Why a flow does not move: each reason, with the command that helps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from sfc.engine.commands import Pause, Resume, Stop
from sfc.engine.flow import Flow
from sfc.errors import LogError, UnknownName
from sfc.ports import Partition, Position
from sfc.runtime.explain import Facts, explain, folded, in_state
from sfc.wire.definitions import BlueprintHead, PoolScale, SubjectHold, TaskHead, TaskVersion
from sfc.wire.partition import partition_of
from sfc.wire.state import encode_flow
from tests.unit.runtime.explain_scene import Scene
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

LATER_MS = 60_000


@pytest.fixture
def scene(bench: Bench) -> Scene:
    return Scene(bench)


def test_a_job_that_nobody_consumes_names_group_topic_and_worker(scene: Scene) -> None:
    scene.started("twice:1", "twice:2")
    found = scene.reason("twice:1", "no-consumer", moving=False)
    assert "nobody consumes sfc.task.echo: the consumer group sfc.task.echo has no members; 2 jobs" in found.said
    assert found.do == ["sfc worker MODULE"]
    assert (found.state, found.attempt, found.lag, found.topic) == ("One", 1, 2, "sfc.task.echo")
    assert found.token.startswith("twice:1/")
    assert found.due_ms > found.since_ms > 0


def test_the_module_that_the_task_names_is_in_the_command(scene: Scene) -> None:
    scene.bench.define(TaskVersion("echo", 2, "h-echo2", {"Name": "echo", "Scale": {"Min": 1, "Module": "shop.workers"}}))
    scene.bench.define(TaskHead("echo", 2, 2))
    scene.started("twice:1")
    assert scene.reason("twice:1", "no-consumer").do == ["sfc worker shop.workers"]


def test_a_service_and_the_common_workers_are_named_as_what_they_are(scene: Scene) -> None:
    scene.started("serves:1", "calls:1")
    service = scene.reason("serves:1", "no-consumer")
    assert (service.group, service.do) == ("the-service", ["start the service that reads service as consumer group the-service"])
    assert (scene.reason("calls:1", "no-consumer").group, scene.reason("calls:1", "no-consumer").do) == ("sfc.workers", ["sfc worker"])


def test_a_drained_pool_is_told(scene: Scene) -> None:
    scene.bench.define(PoolScale("task:echo", 1, drained=True))
    scene.started("twice:1")
    assert scene.reason("twice:1", "drained").do == ["sfc workers undrain task:echo"]


def test_a_job_that_waits_behind_others_and_one_that_is_at_work(scene: Scene) -> None:
    flows = [f"twice:{n}" for n in range(40)]
    scene.started(*flows)
    consumer = scene.bench.log.consumer(NAMES.task("echo"), [NAMES.task("echo")])
    consumer.take(1, 0.5)
    by_partition = [f for f in flows if partition_of(f.encode(), SHARDS) == partition_of(b"twice:39", SHARDS)]
    queued = scene.reason("twice:39", "job-queued", moving=True)
    assert queued.before == len(by_partition) - 1 > 0
    assert (queued.members, queued.lag) == (["sfc"], 40)
    assert queued.do[0] == "sfc workers scale task:echo --min 2"
    consumer.commit({Partition(NAMES.task("echo"), n): Position(40) for n in range(SHARDS)})
    taken = scene.reason("twice:39", "job-at-work", moving=True)
    assert "has taken the job, and has not answered; it has until" in taken.said
    consumer.close()


def test_a_partition_that_nobody_of_the_group_reads_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.started("twice:1")
    consumer = scene.bench.log.consumer(NAMES.task("echo"), [NAMES.task("echo")])
    consumer.take(1, 0.5)
    asked = scene.bench.log.group_members
    monkeypatch.setattr(scene.bench.log, "group_members", lambda g: [m._replace(partitions=()) if "task" in g else m for m in asked(g)])
    assert "reads sfc.task.echo-" in scene.reason("twice:1", "partition-unread").said
    consumer.close()


def test_a_group_that_may_not_be_looked_at_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.started("twice:1")
    asked = scene.bench.log.group_members

    def refused(group: str) -> Any:
        if group == NAMES.task("echo"):
            raise LogError("GROUP_AUTHORIZATION_FAILED")
        return asked(group)

    monkeypatch.setattr(scene.bench.log, "group_members", refused)
    assert "GROUP_AUTHORIZATION_FAILED" in scene.reason("twice:1", "group-unknown").said


def test_a_topic_that_is_missing_comes_with_the_command_that_makes_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.started("twice:1")
    topics = {name: count for name, count in scene.bench.log.topics().items() if name != NAMES.task("echo")}
    monkeypatch.setattr(scene.bench.log, "topics", lambda: topics)
    found = scene.reason("twice:1", "topic-missing")
    assert found.do[0].startswith("kafka-topics.sh --bootstrap-server localhost:9092 --create --topic sfc.task.echo")


def test_a_job_that_is_not_in_its_topic_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.started("twice:1")
    consumer = scene.bench.log.consumer(NAMES.task("echo"), [NAMES.task("echo")])
    consumer.take(1, 0.5)
    monkeypatch.setattr(Facts, "place_of_job", lambda self, topic, token, flow, since: (Partition(topic, 0), -1))
    assert scene.reason("twice:1", "job-not-found").do == ["sfc audit --flow twice:1"]
    consumer.close()


def test_a_signal_comes_with_the_command_that_sends_it(scene: Scene) -> None:
    scene.started("ask:1")
    found = scene.reason("ask:1", "signal", moving=False)
    assert found.do == ["sfc signal ask:1 approve --output '{…}'"]
    assert found.due_ms > 0


def test_a_child_is_explained_too(scene: Scene) -> None:
    scene.started("up:1")
    scene.settled()
    found = scene.explain("up:1")
    assert [r.code for r in found.reasons] == ["child"]
    (child,) = found.children
    assert (child.flow, child.parent) == (found.reasons[0].child, "up:1")
    assert [r.code for r in child.reasons] == ["signal"]
    assert not found.moving


def test_a_map_says_how_many_iterations_are_out(scene: Scene) -> None:
    scene.started("many:1", input=[1, 2, 3])
    scene.started("inline:1", input=[1, 2, 3])
    scene.settled()
    found = scene.explain("many:1")
    assert [r.code for r in found.reasons] == ["map"]
    assert "waits for 2 iterations, flows of their own" in found.reasons[0].said
    assert "2 were started, 2 may be at work at once" in found.reasons[0].said
    assert [r.code for child in found.children for r in child.reasons] == ["no-consumer"] * 2
    inline = scene.explain("inline:1")
    assert [r.code for r in inline.reasons] == ["map", "signal", "signal", "signal"]
    assert "3 iterations at work" in inline.reasons[0].said


def test_a_map_whose_items_nobody_reads_says_so(scene: Scene) -> None:
    scene.started("reads:1")
    found = scene.explain("reads:1")
    assert [reason.code for reason in found.reasons] == ["map", "no-consumer"]
    assert "'Each' waits for items to be read" in found.reasons[1].said
    assert "topic:orders" in found.reasons[1].said
    assert found.reasons[1].token


def test_a_parallel_says_how_many_branches_are_out(scene: Scene) -> None:
    scene.started("sides:1")
    found = scene.explain("sides:1")
    assert [r.code for r in found.reasons] == ["branches", "signal", "signal"]
    assert "waits for 2 of its 2 branches" in found.reasons[0].said


def test_a_join_says_what_it_waits_for(scene: Scene) -> None:
    scene.started("beside:1")
    found = scene.explain("beside:1")
    assert [r.code for r in found.reasons] == ["join", "signal", "signal"]
    assert "the Join 'Join' waits for the branches of 'Ship': 0 of 2 are done, all must be, in" in found.reasons[0].said


def test_a_timer_says_when(scene: Scene) -> None:
    scene.started("later:1")
    found = scene.reason("later:1", "timer", moving=True)
    assert ", in 59 min" in found.said
    scene.later_ms = 2 * 3_600_000
    late = scene.reason("later:1", "timer-late", moving=False)
    assert "its timer has not fired" in late.said
    assert late.do[0] == "sfc doctor"


def test_a_job_whose_deadline_has_passed_is_a_late_timer(scene: Scene) -> None:
    scene.started("twice:1")
    scene.later_ms = 8 * 86_400_000
    assert "the job had until" in scene.reason("twice:1", "timer-late", moving=False).said


def test_a_pause_before_a_retry_says_which_attempt_and_when(scene: Scene) -> None:
    scene.started("again:1")
    assert scene.lane is not None
    (job,) = scene.bench.jobs.take(10, 0)
    scene.bench.answer(job, b"null", ("sfc-error", b"Busy"))
    scene.settled()
    assert "attempt 2 begins at" in scene.reason("again:1", "retrying", moving=True).said


def test_what_holds_a_flow_comes_with_the_command_that_lifts_it(scene: Scene) -> None:
    scene.started("ask:1", "twice:1")
    scene.bench.command("ask:1", Pause("lunch"))
    scene.settled()
    scene.bench.define(BlueprintHead("ask", 1, "paused", 2, hold_reason="stocktaking"))
    for subject in ("version:ask@1", "group:retail", "task:echo"):
        scene.bench.define(SubjectHold(subject, 3, True, reason="why", by="ann", since_ms=1))
    found = scene.explain("ask:1")
    assert [r.code for r in found.reasons] == ["paused"] * 4 + ["signal"]
    assert [r.do[0] for r in found.reasons[:4]] == [
        "sfc flows resume ask:1",
        "sfc blueprints resume ask",
        "sfc blueprints resume ask@1",
        "sfc groups resume retail",
    ]
    assert "(lunch)" in found.reasons[0].said
    assert "(stocktaking)" in found.reasons[1].said
    assert "by ann (why)" in found.reasons[2].said
    assert [r.do[0] for r in scene.explain("twice:1").reasons] == ["sfc tasks resume echo", "sfc worker MODULE"]


def test_a_child_whose_parent_is_paused_and_answers_that_came_meanwhile(scene: Scene) -> None:
    scene.started("up:1", "twice:1")
    scene.settled()
    scene.bench.command("up:1", Pause())
    scene.bench.command("twice:1", Pause())
    scene.settled()
    (child,) = scene.explain("up:1").children
    assert [(r.code, r.do[0]) for r in child.reasons[:1]] == [("paused", "sfc flows resume up:1")]
    scene.bench.work()
    scene.settled()
    assert [r.code for r in scene.explain("twice:1").reasons][:2] == ["paused", "answers-kept"]
    scene.bench.command("twice:1", Resume())
    scene.settled()
    assert [r.code for r in scene.explain("twice:1").reasons] == ["no-consumer"]


def test_an_ended_flow_says_how_and_how_to_go_on(scene: Scene) -> None:
    scene.started("breaks:1", "ask:1")
    scene.bench.command("ask:1", Stop())
    scene.settled()
    failed = scene.reason("breaks:1", "ended")
    assert "FAILED" in failed.said
    assert "Planned: for the test" in failed.said
    assert failed.do == ["after mending the cause: sfc flows redrive breaks:1"]
    stopped = scene.reason("ask:1", "ended")
    assert "ABORTED" in stopped.said
    assert stopped.do == ["sfc flows redrive ask:1"]


def test_without_an_engine_the_shard_is_told_first(scene: Scene) -> None:
    scene.started("ask:1")
    assert scene.lane is not None
    scene.lane.close()
    assert [r.code for r in scene.explain("ask:1").reasons] == ["no-engine-seen", "signal"]
    scene.bench.command("ask:1", Pause())
    scene.later_ms = LATER_MS
    found = scene.explain("ask:1")
    assert [r.code for r in found.reasons] == ["no-engine", "signal"]
    assert (found.reasons[0].do[0], found.moving) == ("sfc engine", False)
    assert "no engine takes the 1 command of shard" in found.reasons[0].said


def test_a_start_that_no_engine_has_taken_is_found_on_the_log(scene: Scene) -> None:
    assert scene.lane is not None
    settle(scene.bench, [scene.lane], 5)
    scene.lane.close()
    scene.bench.start("ask:9")
    scene.later_ms = LATER_MS
    found = scene.explain("ask:9")
    assert (found.status, [r.code for r in found.reasons]) == ("UNKNOWN", ["not-started", "no-engine"])


def test_engines_of_which_none_has_the_shard(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.started("ask:1")
    asked = scene.bench.log.group_members
    monkeypatch.setattr(scene.bench.log, "group_members", lambda g: [m._replace(partitions=()) for m in asked(g)])
    assert [r.code for r in scene.explain("ask:1").reasons] == ["shard-without-engine", "signal"]


def test_a_shard_that_does_not_get_on_is_told(scene: Scene) -> None:
    scene.started("ask:1")
    scene.bench.command("ask:1", Pause())  # and the lane is not stepped
    scene.later_ms = LATER_MS
    found = scene.explain("ask:1")
    assert [r.code for r in found.reasons] == ["shard-behind", "signal"]
    assert "1 command behind; the first has waited for" in found.reasons[0].said


def test_a_shard_that_an_open_transaction_holds_is_told(scene: Scene) -> None:
    scene.started("ask:1")
    transaction = scene.bench.log.transaction("a-service")
    transaction.begin()
    transaction.send(NAMES.commands, b"{}", b"ask:1", [], partition_of(b"ask:1", SHARDS))
    found = scene.explain("ask:1")
    assert [r.code for r in found.reasons] == ["shard-held", "signal"]
    assert "ReplyTopic" in found.reasons[0].do[0]
    transaction.abort()


def test_a_flow_whose_timers_were_passed_over_is_told(scene: Scene) -> None:
    scene.started("later:1")
    assert scene.lane is not None
    shard = partition_of(b"later:1", SHARDS)
    scene.lane.shards[shard].state.passed_over = ["later:1"]
    scene.bench.command("later:1", Resume())
    scene.settled()
    found = scene.explain("later:1")
    assert [r.code for r in found.reasons] == ["timers-passed-over", "timer"]
    assert (found.reasons[0].do[0], found.moving) == ("sfc flows stop later:1", False)


def test_a_monitor_that_is_behind_is_told(scene: Scene) -> None:
    scene.started("ask:1")
    scene.bench.log.set_group_positions(NAMES.monitor_group, {Partition(NAMES.history, n): Position(0) for n in range(SHARDS)})
    assert [r.code for r in scene.explain("ask:1").reasons] == ["signal", "monitor-behind"]
    unknown = next(f"ask:{n}" for n in range(99, 200) if partition_of(f"ask:{n}".encode(), SHARDS) == partition_of(b"ask:1", SHARDS))
    assert [r.code for r in scene.explain(unknown).reasons] == ["monitor-behind"]


def test_a_version_that_can_not_be_run_here_is_told(scene: Scene) -> None:
    scene.started("ask:1")
    flow = scene.find("ask:1")
    assert flow is not None
    flow.version = 7
    found: Callable[[str], Flow | None] = lambda _one: flow  # noqa: E731
    scene.definitions.read_to_end()
    explained = explain("ask:1", found, Facts(scene.bench.log, NAMES, SHARDS, scene.definitions, int(time.time() * 1000)))
    assert [r.code for r in explained.reasons] == ["definition-missing"]
    assert "ask@7 is not known" in explained.reasons[0].said


def test_what_is_about_to_happen_is_told(scene: Scene) -> None:
    """A flow in the moment in which it yields, and one in front of its first state."""
    scene.started("later:1")
    flow = scene.find("later:1")
    assert flow is not None
    now_ms = int(time.time() * 1000)
    scene.definitions.read_to_end()
    facts = Facts(scene.bench.log, NAMES, SHARDS, scene.definitions, now_ms)
    flow.branches[0].phase = "entered"
    assert [r.code for r in explain("later:1", lambda _one: flow, facts).reasons] == ["entering"]
    flow.yielded_ms = now_ms + 1
    assert [r.code for r in explain("later:1", lambda _one: flow, facts).reasons] == ["yielded"]


def test_a_record_that_is_about_to_be_published_is_told(scene: Scene) -> None:
    scene.started("twice:1")
    flow = scene.find("twice:1")
    assert flow is not None
    flow.blueprint, flow.branches[0].state = "tell", "Tell"
    scene.definitions.read_to_end()
    facts = Facts(scene.bench.log, NAMES, SHARDS, scene.definitions, int(time.time() * 1000))
    assert [r.code for r in explain("twice:1", lambda _one: flow, facts).reasons] == ["publishing"]


def test_a_flow_of_which_nothing_is_known_is_an_error(scene: Scene) -> None:
    scene.settled()
    with pytest.raises(UnknownName, match="there is no flow ask:404"):
        scene.explain("ask:404")


def test_the_state_is_found_without_the_history(scene: Scene) -> None:
    scene.started("ask:1")
    flow = in_state(scene.bench.log, NAMES, SHARDS, "ask:1")
    known = scene.find("ask:1")
    assert flow is not None
    assert known is not None
    assert encode_flow(flow) == encode_flow(known)
    assert in_state(scene.bench.log, NAMES, SHARDS, "ask:2") is None
    assert folded([{"seq": 2}]) is None


def test_a_lifted_hold_is_none(scene: Scene) -> None:
    scene.started("ask:1")
    scene.bench.define(SubjectHold("group:retail", 4, True))
    assert [r.code for r in scene.explain("ask:1").reasons] == ["paused", "signal"]
    scene.bench.define(SubjectHold("group:retail", 5, False))
    scene.reason("ask:1", "signal")
