"""Work is done by programs that know a Kafka client and nothing of SFC."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer

from tests.acceptance.processes import Processes, environment
from tests.integration.installation import Installation, installation


@pytest.fixture
def sfc(kafka: str, tmp_path: Path) -> Iterator[Installation]:
    with installation(kafka, tmp_path) as running:
        yield running


def blueprint(name: str, task: str) -> dict[str, Any]:
    work = {"Type": "Task", "Resource": f"task:{task}", "TimeoutSeconds": 60, "End": True}
    return {"StartAt": "Work", "States": {"Work": work}, "Sfc": {"Name": name}}


@pytest.fixture
def service(kafka: str) -> Iterator[Callable[[str, Callable[[Message, Producer], None]], None]]:
    """Starts bare services: each consumes a topic, and does with each record what it was given to do."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def serve(topic: str, answer: Callable[[Message, Producer], None]) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": f"{topic}-service",
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )
        producer = Producer({"bootstrap.servers": kafka})
        consumer.subscribe([topic])
        while not stop.is_set():
            record = consumer.poll(0.1)
            if record is not None and record.error() is None:
                answer(record, producer)
                producer.flush()
        consumer.close()

    def start(topic: str, answer: Callable[[Message, Producer], None]) -> None:
        threads.append(threading.Thread(target=serve, args=(topic, answer)))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(10)


def test_a_worker_without_the_sdk_does_a_task(sfc: Installation, kafka: str, tmp_path: Path) -> None:
    sfc.deploy({"Name": "hello"}, blueprint("plain", "hello"))
    with Processes(tmp_path, environment()) as processes:
        topic = sfc.site.names.task("hello")
        worker = processes.start_python("plain", "-m", "sfc_workers.examples.plain_worker", "--bootstrap", kafka, "--topic", topic)
        good, bad = sfc.start("plain", "good", {"name": "Kafka"}), sfc.start("plain", "bad", "no object")
        assert sfc.output_of(good) == {"greeting": "Hello, Kafka!"}
        failed = sfc.end_of(bad)
        assert (failed.status, failed.error) == ("FAILED", "AttributeError")
        worker.ask_to_stop()
        assert worker.exit_code() == 0


def test_an_answer_finds_its_flow_by_a_header(sfc: Installation, service: Any) -> None:
    """The service hands back the headers that came, whatever they are, and no key."""
    jobs, answers = f"{sfc.site.names.namespace}.split", f"{sfc.site.names.namespace}.split-done"
    task = {
        "Name": "split",
        "Kafka": {"Topic": jobs, "ConsumerGroup": f"{jobs}-service", "ReplyTopic": answers, "Correlate": {"Header": "sfc-job"}},
    }
    sfc.deploy(task, blueprint("by-header", "split"), topics=[jobs, answers])

    def split(record: Message, producer: Producer) -> None:
        order = json.loads(record.value() or b"")
        producer.produce(answers, json.dumps({"parcels": order["lines"] * 2}).encode(), headers=record.headers())

    service(jobs, split)
    flows = {number: sfc.start("by-header", str(number), {"lines": number}) for number in range(5)}
    assert {number: sfc.output_of(flow) for number, flow in flows.items()} == {number: {"parcels": number * 2} for number in flows}


def test_an_answer_finds_its_flow_by_the_key(sfc: Installation, service: Any) -> None:
    """The service hands the record's key back, and no headers; an answer that is no JSON fails its attempt and is a dead letter."""
    jobs, answers = f"{sfc.site.names.namespace}.pick", f"{sfc.site.names.namespace}.pick-done"
    task = {"Name": "pick", "Kafka": {"Topic": jobs, "ConsumerGroup": f"{jobs}-service", "ReplyTopic": answers, "Correlate": "Key"}}
    sfc.deploy(task, blueprint("by-key", "pick"), topics=[jobs, answers])

    def pick(record: Message, producer: Producer) -> None:
        pieces = json.loads(record.value() or b"")["pieces"]
        producer.produce(answers, json.dumps({"picked": pieces}).encode() if pieces else b"nothing to pick", record.key())

    service(jobs, pick)
    flows = {number: sfc.start("by-key", str(number), {"pieces": number}) for number in range(4)}
    empty = sfc.end_of(flows.pop(0))
    assert (empty.status, empty.error) == ("FAILED", "States.Runtime")
    assert {number: sfc.output_of(flow) for number, flow in flows.items()} == {number: {"picked": number} for number in flows}
    assert sfc.index.counters().dead_letters == {"not-json": 1}
