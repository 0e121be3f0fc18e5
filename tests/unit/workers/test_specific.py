"""Workers of specific blueprints: one topic with jobs of many tasks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sfc_workers import Handler, Job
from sfc_workers.common import SpecificWorker
from structlog.testing import capture_logs

from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import Partition, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.wire import headers
from sfc.wire.definitions import BlueprintVersion, Definition, TaskVersion, encode_definition, key_of
from sfc.wire.topics import Names, core_topics

NAMES = Names("t")
MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}


async def split(job: Job) -> dict[str, Any]:
    return {"split": job.input}


HANDLERS = {"split": Handler("split", split, True, False)}


class Site:
    def __init__(self) -> None:
        self.log = EmbeddedLog.memory()
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(NAMES, 1).items()])
        self._producer = self.log.producer()
        self.definitions = Definitions(self.log, NAMES)
        self.workers: list[SpecificWorker] = []

    def define(self, *definitions: Definition, read: bool = True) -> None:
        for definition in definitions:
            self._producer.send(NAMES.definitions, encode_definition(definition), key_of(definition).encode())
        while read and self.definitions.step(0):
            pass

    def specific(self, name: str, version: int = 1, message_type: str = "specific") -> None:
        if NAMES.specific_jobs(name) not in self.log.topics():
            self.log.create([TopicSpec(NAMES.specific_jobs(name), 1)])
        section = {"Name": name, "MessageType": message_type}
        self.define(BlueprintVersion(name, version, f"{name}-{version}", {**MACHINE, "Sfc": section}))

    def worker(self, blueprints: list[str] | None) -> SpecificWorker:
        network = httpx.MockTransport(lambda request: httpx.Response(200, json={"asked": str(request.url)}))
        worker = SpecificWorker(self.log, NAMES, HANDLERS, self.definitions, blueprints, transport=network, pumps=False)
        self.workers.append(worker)
        return worker

    def job(self, blueprint: str, task: str, given: Any = None) -> None:
        head = [
            (headers.JOB, f"{blueprint}:1/0/1/{task}".encode()),
            (headers.FLOW, f"{blueprint}:1".encode()),
            (headers.BLUEPRINT, f"{blueprint}@1".encode()),
            (headers.TASK, task.encode()),
            (headers.REPLY_TO, NAMES.commands.encode()),
        ]
        self._producer.send(NAMES.specific_jobs(blueprint), json.dumps(given).encode(), f"{blueprint}:1".encode(), head, 0)

    def answers(self, count: int) -> dict[str, tuple[Any, str | None, str]]:
        """Output, error and cause by token."""
        until_s = time.monotonic() + 30
        while sum(worker.counts.finished for worker in self.workers) < count:
            for worker in self.workers:
                worker.step(0.005)
            assert time.monotonic() < until_s, "an answer is missing"
        reader = self.log.reader({Partition(NAMES.commands, 0): 0})
        found = {}
        for record in reader.take(100, 0):
            error, cause = headers.text(record.headers, headers.ERROR), headers.text(record.headers, headers.CAUSE)
            found[headers.text(record.headers, headers.JOB) or ""] = (json.loads(record.value or b"null"), error, cause or "")
        reader.close()
        return found

    def committed(self, blueprint: str) -> int:
        for worker in self.workers:
            worker.close()
        return sum(x.offset for x in self.log.group_positions(NAMES.specific_group(blueprint)).values())

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self.definitions.close()
        self.log.close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def test_workers_of_a_specific_blueprint_read_the_items_of_its_maps(site: Site) -> None:
    site.specific("shop")
    site.log.create([TopicSpec("orders", 1)])
    site._producer.send("orders", b'{"n": 1}', b"k", [], 0)
    site._producer.flush()
    site.worker(["shop"])
    site.job("shop", "read:topic:orders", {"Parameters": {}, "ReaderConfig": {"MaxItems": 0}})
    [(output, error, cause)] = site.answers(1).values()
    assert (output, error, cause) == ({"Items": [{"n": 1}], "Next": None}, None, "")


def test_one_topic_has_the_jobs_of_modules_and_of_http_tasks(site: Site) -> None:
    site.specific("shop")
    site.define(TaskVersion("call", 2, "h", {"Name": "call", "Http": {"Url": "http://shop.example/{$.id}"}}))
    site.worker(["shop"])
    site.job("shop", "task:split@1", [1])
    site.job("shop", "task:call@2", {"id": 5})
    site.job("shop", "https://pay.example/", {})
    assert site.answers(3) == {
        "shop:1/0/1/task:split@1": ({"split": [1]}, None, ""),
        "shop:1/0/1/task:call@2": ({"asked": "http://shop.example/5"}, None, ""),
        "shop:1/0/1/https://pay.example/": ({"asked": "https://pay.example/"}, None, ""),
    }


def test_a_job_that_no_module_does_fails_with_its_task_and_the_modules_and_holds_nobody_up(site: Site) -> None:
    site.specific("shop")
    site.define(TaskVersion("pack", 3, "h", {"Name": "pack"}))
    site.worker(["shop"])
    site.job("shop", "task:pack@3")
    site.job("shop", "task:split@1", 1)
    answers = site.answers(2)
    output, error, cause = answers["shop:1/0/1/task:pack@3"]
    assert (output, error) == (None, "SFC.NoWorker")
    assert "task:pack@3" in cause
    assert f"({__name__}) do split" in cause
    assert answers["shop:1/0/1/task:split@1"][0] == {"split": 1}
    assert site.committed("shop") == 2


def test_a_task_that_was_deployed_a_moment_ago_is_waited_for(site: Site) -> None:
    site.specific("shop")
    worker = site.worker(["shop"])
    site.job("shop", "task:call@7", {})
    until_s = time.monotonic() + 30
    while not worker.open:
        worker.step(0.005)
        assert time.monotonic() < until_s
    site.define(TaskVersion("call", 7, "h", {"Name": "call", "Http": {"Url": "http://shop.example/"}}))
    assert site.answers(1)["shop:1/0/1/task:call@7"][0] == {"asked": "http://shop.example/"}


def test_a_worker_takes_only_the_jobs_of_its_blueprints(site: Site) -> None:
    site.specific("shop")
    site.specific("other")
    site.worker(["shop"])
    site.job("other", "task:split@1", 1)
    site.job("shop", "task:split@1", 2)
    assert list(site.answers(1)) == ["shop:1/0/1/task:split@1"]
    assert site.committed("other") == 0


def test_a_blueprint_that_is_not_specific_is_warned_of_once(site: Site) -> None:
    site.specific("common", message_type="common")
    worker = site.worker(["common"])
    with capture_logs() as lines:
        worker.step(0.005)
        site.specific("other")
        worker.step(0.005)
    assert [(line["action"], line["blueprint"]) for line in lines] == [("not-specific", "common")]


def test_the_worker_of_all_follows_new_ones_and_keeps_those_that_became_common(site: Site) -> None:
    worker = site.worker(None)
    site.specific("early")
    site.specific("early", 2, "common")
    worker.step(0.005)
    site.specific("late")
    site.job("early", "task:split@1", 1)
    site.job("late", "task:split@1", 2)
    assert {output["split"] for output, _, _ in site.answers(2).values()} == {1, 2}
