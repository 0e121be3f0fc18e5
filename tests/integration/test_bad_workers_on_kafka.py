"""Workers as processes on a real Kafka that do what they should not: raise, answer twice, lack a task; and one of a specific blueprint."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sfc.client import Client
from tests.acceptance.processes import Processes, environment, wait_for
from tests.unit.workers.http_service import Said, serving

FLOWS = 5
SECRET = "hunter2-7c2e"

TASKS = """
from sfc_workers import Job, task


@task("price")
def price(job: Job) -> dict:
    return {"price": 100 // job.input["pieces"]}
"""

TWICE = '''
"""Answers each job twice, and not in the same way."""
import json, sys
from confluent_kafka import Consumer, Producer

bootstrap, topic = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
producer = Producer({"bootstrap.servers": bootstrap})
consumer.subscribe([topic])
while True:
    job = consumer.poll(0.2)
    if job is None or job.error():
        continue
    head = dict(job.headers())
    for answer in ("first", "second"):
        place = {"topic": head["sfc-reply-to"].decode(), "partition": int(head["sfc-reply-partition"])}
        producer.produce(**place, key=job.key(), headers=job.headers(), value=json.dumps(answer))
        producer.flush()
'''


@dataclass
class Shop:
    """Gateway, engine and monitor as processes; ``folder`` is where all of them run."""

    processes: Processes
    client: Client
    url: str
    namespace: str
    folder: Path

    def deploy(self, *documents: dict[str, Any]) -> None:
        self.client.deploy([("test", document) for document in documents])

    def end_of(self, flow: str) -> dict[str, Any]:
        wait_for(f"the end of {flow}", lambda: self._status(flow) not in (None, "RUNNING"))
        return self.client.flow(flow)

    def _status(self, flow: str) -> Any:
        found = {one["flow"]: one["status"] for one in self.client.flows(limit=100)["flows"]}
        return found.get(flow)


@pytest.fixture(scope="module")
def shop(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder, namespace = tmp_path_factory.mktemp("shop"), f"bad-{uuid.uuid4().hex[:8]}"
    (folder / "pricing.py").write_text(TASKS)
    (folder / "twice.py").write_text(TWICE)
    settings = environment(SFC_KAFKA=kafka, SFC_NAMESPACE=namespace, SFC_DATA=str(folder / "data"), SFC_PORT="0", SFC_SHARDS="2")
    with Processes(folder, settings) as processes:
        gateway = processes.start("gateway", "gateway")
        wait_for("the gateway's being ready", lambda: gateway.ready)
        others = [processes.start(role, role) for role in ("engine", "monitor")]
        wait_for("engine and monitor being ready", lambda: all(one.ready for one in others))
        with Client(gateway.url) as client:
            yield Shop(processes, client, gateway.url, namespace, folder)


def blueprint(name: str, resource: str, **section: Any) -> dict[str, Any]:
    work = {"Type": "Task", "Resource": resource, "TimeoutSeconds": 60, "End": True}
    return {"StartAt": "Work", "States": {"Work": work}, "Sfc": {"Name": name, **section}}


def test_an_exception_fails_the_attempt_with_its_class_and_nothing_else(shop: Shop) -> None:
    shop.deploy({"Name": "price"}, blueprint("pricing", "task:price"))
    worker = shop.processes.start("worker", "worker", "pricing", "--no-common")
    pieces = {str(n): n for n in range(FLOWS)}
    for rest, n in pieces.items():
        shop.client.start("pricing", {"pieces": n}, id=rest)
    missing = shop.client.start("pricing", {}, id="none")["flow"]
    ended = {rest: shop.end_of(f"pricing:{rest}") for rest in pieces}
    assert {rest: one["status"] for rest, one in ended.items()} == {rest: "SUCCEEDED" if n else "FAILED" for rest, n in pieces.items()}
    assert (ended["0"]["error"], "division" in ended["0"]["cause"]) == ("ZeroDivisionError", True)
    assert (shop.end_of(missing)["error"], worker.alive) == ("KeyError", True)


def test_of_two_answers_the_first_counts_and_the_second_is_dropped_and_counted(shop: Shop, kafka: str) -> None:
    shop.deploy({"Name": "twice"}, blueprint("doubling", "task:twice"))
    before = shop.client.stats()["replies_dropped"]
    shop.processes.start_python("twice", "twice.py", kafka, f"{shop.namespace}.task.twice")
    flows = [shop.client.start("doubling", None, id=str(n))["flow"] for n in range(FLOWS)]
    for flow in flows:
        assert shop.end_of(flow)["status"] == "SUCCEEDED"
        assert [event["output"] for event in shop.client.history(flow) if event["name"] == "TaskSucceeded"] == ["first"]
    wait_for("the second answers' being counted", lambda: shop.client.stats()["replies_dropped"] == before + FLOWS)
    stats = shop.processes.start("stats", "stats", SFC_URL=shop.url)
    assert stats.exit_code(60) == 0, stats.log
    assert re.search(rf"replies dropped\s+{before + FLOWS}\b", stats.log)


def test_the_worker_of_a_specific_blueprint_does_its_tasks_and_calls_and_says_what_it_lacks(shop: Shop) -> None:
    with serving() as service:
        service.answer = lambda asked: Said(body={"paid": asked.headers["authorization"].endswith(SECRET)})
        http = {"Url": service.url + "/{$.order}", "Auth": {"Bearer": "${secret:pay-token}"}}
        machine: dict[str, Any] = {
            "StartAt": "Price",
            "States": {
                "Price": {"Type": "Task", "Resource": "task:price", "ResultPath": "$.price", "Next": "Pay"},
                "Pay": {"Type": "Task", "Resource": "task:pay", "ResultPath": "$.pay", "Next": "Pack"},
                "Pack": {"Type": "Task", "Resource": "task:pack", "End": True},
            },
            "Sfc": {"Name": "own", "MessageType": "specific"},
        }
        shop.deploy({"Name": "price"}, {"Name": "pay", "Http": http}, {"Name": "pack"}, machine)
        worker = shop.processes.start("own", "worker", "pricing", "--blueprint", "own", SFC_SECRET_PAY_TOKEN=SECRET, SFC_LOG_LEVEL="debug")
        flow = shop.client.start("own", {"order": "o/1", "pieces": 4}, id="1")["flow"]
        ended = shop.end_of(flow)
    assert (ended["status"], ended["error"]) == ("FAILED", "SFC.NoWorker")
    assert "task:pack@1" in ended["cause"]
    assert "pricing" in ended["cause"]
    outputs = [event["output"] for event in shop.client.history(flow) if event["name"] == "TaskStateExited"]
    assert outputs[-1] == {"order": "o/1", "pieces": 4, "price": {"price": 25}, "pay": {"paid": True}}
    assert [asked.path for asked in service.asked] == ["/o%2F1"]
    assert SECRET not in json.dumps(shop.client.history(flow)) + "".join(process.log for process in shop.processes.all)
    worker.ask_to_stop()
    assert worker.exit_code() == 0
    assert "is no setting" not in worker.log
