"""The scheduler on a real Kafka: workers come and go with the backlog, whoever dies is replaced, and no job is lost."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sfc.bootstrap import open_log
from sfc.client import Client
from sfc.ports import Log
from sfc.settings import Settings
from sfc.wire.topics import Names
from tests.acceptance.evidence import judge, read_histories, read_ledger
from tests.acceptance.processes import Process, Processes, environment, wait_for

FLOWS = 120  # at a time
MODULE = "sfc_workers.examples.tmall"
ITEMS = [{"sku": "cup", "warehouse": "east", "quantity": 2, "price": 100}]
SPLIT = {"Name": "order-split", "Scale": {"Min": 1, "Max": 3, "LagPerReplica": 20, "Module": MODULE}}
PICK = {"Name": "order-pick", "Scale": {"Min": 1, "Max": 2, "LagPerReplica": 1000, "Module": MODULE}}
PACKING = {
    "StartAt": "Pack",
    "States": {"Pack": {"Type": "Task", "Resource": "task:order-split", "End": True}},
    "Sfc": {"Name": "packing", "MessageType": "specific", "Scale": {"Min": 1, "Module": MODULE}},
}
SECRET = "open-sesame"
SPLITTING = {
    "StartAt": "Split",
    "States": {"Split": {"Type": "Task", "Resource": "task:order-split", "End": True}},
    "Sfc": {"Name": "splitting"},
}


@pytest.fixture
def log(kafka: str) -> Iterator[Log]:
    opened = open_log(Settings(kafka=kafka))
    yield opened
    opened.close()


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def told(process: Process, action: str) -> list[dict[str, Any]]:
    """What a process has logged under an action, in order. Lines of its workers are among its own."""
    lines = [line for line in process.log.splitlines() if line.startswith("{") and f'"{action}"' in line and line.endswith("}")]
    return [line for line in map(json.loads, lines) if line["action"] == action]


def workers_of(scheduler: Process) -> list[int]:
    """Process ids of the workers that a scheduler has started and that run."""
    return [line["pid"] for line in told(scheduler, "replica-started") if alive(line["pid"])]


def test_workers_follow_the_backlog_and_whoever_dies_is_replaced(kafka: str, log: Log, tmp_path: Path) -> None:
    names, ledger = Names(f"scheduler-{uuid.uuid4().hex[:8]}"), tmp_path / "ledger"
    ledger.mkdir()
    settings = environment(
        SFC_KAFKA=kafka,
        SFC_NAMESPACE=names.namespace,
        SFC_DATA=str(tmp_path / "data"),
        SFC_LEDGER=str(ledger),
        SFC_PORT="0",
        SFC_SHARDS="4",
        SFC_API_KEY=SECRET,
        SFC_WORKER_JOBS_MAX="2",  # ten jobs a second
        SFC_KAFKA_HEARTBEAT_INTERVAL_MS="300",  # members hear of each other sooner
        SFC_SCHEDULER_LOOK_S="0.3",
        SFC_SCHEDULER_DOWN_AFTER_S="2",
        SFC_SCHEDULER_RESTART_S="0.2",
        SFC_SCHEDULER_STOP_S="5",
    )
    split = names.task("order-split")

    def at_work(group: str = split) -> int:
        return sum(bool(member.partitions) for member in log.group_members(group))

    with Processes(tmp_path, settings) as processes:
        gateway, engine = processes.start("gateway", "gateway"), processes.start("engine", "engine")
        schedulers = [processes.start(f"scheduler-{n}", "scheduler", SFC_INSTANCE=f"scheduler-{n}") for n in (1, 2)]
        wait_for("the gateway's being ready", lambda: gateway.ready)
        with Client(gateway.url) as client:
            client.deploy([SPLIT, SPLITTING])
            wait_for("Min workers", lambda: at_work() == 1)
            leader, other = schedulers if told(schedulers[0], "replica-started") else reversed(schedulers)
            assert not told(other, "replica-started"), "both schedulers started workers"
            assert client.workers()["scheduler"] == {"leader": leader.name, "waiting": [other.name]}

            flows: set[str] = set()
            order = {"order_id": "T1", "items": ITEMS}

            def backlogged(workers: Callable[[], int]) -> bool:
                """Whether there are Max workers, for a backlog that lasts until then however slowly they come."""
                (lag,) = [p["lag"] for p in client.workers()["pools"] if p["pool"] == "task:order-split"]
                if lag < FLOWS / 2:
                    more = range(len(flows), len(flows) + FLOWS)
                    with ThreadPoolExecutor(8) as pool:
                        flows.update(pool.map(lambda n: client.start("splitting", order, id=f"o-{n}")["flow"], more))
                return workers() == 3

            wait_for("Max workers for a backlog", lambda: backlogged(at_work), 60)

            # A worker dies in the midst of its work: another life of the same name follows.
            victim = told(leader, "replica-started")[0]
            os.kill(victim["pid"], signal.SIGKILL)
            wait_for("a worker's coming back", lambda: bool(told(leader, "replica-died")) and backlogged(lambda: len(workers_of(leader))))
            (death,) = told(leader, "replica-died")
            assert victim["event"] == f"started {death['instance']}"

            # Workers of a new task and of a new specific blueprint come by themselves.
            client.deploy([PICK, PACKING])
            wait_for("workers of a new task", lambda: at_work(names.task("order-pick")) == 1)
            wait_for("workers of a new blueprint", lambda: at_work(names.specific_group("packing")) == 1)

            # The leader dies: its workers end, and the other one's take their place.
            orphans = workers_of(leader)
            assert len(orphans) >= 3, "one of each pool at least"
            assert SECRET not in "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in orphans)
            leader.kill()
            wait_for("the orphans' end", lambda: not any(map(alive, orphans)))
            assert not told(other, "replica-started"), "two schedulers' workers at a time"
            wait_for("the other scheduler's workers", lambda: bool(told(other, "replica-started")), 60)

            wait_for("the end of the backlog", lambda: not any(p["lag"] for p in client.workers()["pools"]), 60)
            wait_for("no more than Min workers", lambda: at_work() == 1 and len(workers_of(other)) == 3)

            # By hand.
            def sfc(*command: str) -> str:
                process = processes.start(f"sfc-{len(processes.all)}", *command, SFC_URL=gateway.url)
                assert process.exit_code() == 0, process.log
                return process.log

            assert "task:order-split is drained" in sfc("workers", "drain", "task:order-split")
            wait_for("a drained pool", lambda: log.group_members(split) == [])
            assert "none: drained" in sfc("workers", "list")
            client.scale_workers("task:order-split", min=2)
            client.undrain_workers("task:order-split")
            wait_for("the minimum of an operator", lambda: at_work() == 2)
            (pool,) = [p for p in client.workers()["pools"] if p["pool"] == "task:order-split"]
            assert [m["instance"] for m in pool["members"]] == [f"{other.name}.task.order-split.{n}" for n in (1, 2)]
            assert sorted(p for m in pool["members"] for p in m["partitions"]) == [f"{split}-{n}" for n in range(4)]
            client.scale_workers("task:order-split")
            wait_for("the minimum of the document", lambda: len(workers_of(other)) == 3)

        left = workers_of(other)
        for process in (other, engine, gateway):
            process.ask_to_stop()
        assert [process.exit_code() for process in (other, engine, gateway)] == [0, 0, 0]
        assert not any(map(alive, left))
        said = "".join(p.log for p in processes.all)
        assert "is no setting" not in said
        assert SECRET not in said

    done = read_ledger(ledger)
    histories = read_histories(log, names.history)
    assert {flow: judge(history, done) for flow, history in histories.items()} == dict.fromkeys(flows, "SUCCEEDED")
