"""A blueprint moves from the common workers to its own and back, on a real Kafka, with jobs under way at each move."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from sfc_workers import Handler, Job, Worker
from sfc_workers.common import CommonWorker, SpecificWorker
from sfc_workers.secrets import Secrets

from sfc.engine import events as e
from sfc.wire.history import HistoryRecord
from tests.acceptance.evidence import Ledger, judge, read_histories, read_topic
from tests.acceptance.processes import wait_for
from tests.integration.installation import Installation, installation
from tests.unit.workers.http_service import Asked, Said, Service, serving

PORTION = 40  # flows started at once


@pytest.fixture
def sfc(kafka: str, tmp_path: Path) -> Iterator[Installation]:
    with installation(kafka, tmp_path) as running:
        yield running


@pytest.fixture
def shop() -> Iterator[Service]:
    with serving() as service:
        yield service


def moving(message_type: str) -> dict[str, Any]:
    work = {"Type": "Task", "Resource": "task:work", "TimeoutSeconds": 60, "ResultPath": None, "Next": "Call"}
    call = {"Type": "Task", "Resource": "task:call", "TimeoutSeconds": 60, "End": True}
    return {"StartAt": "Work", "States": {"Work": work, "Call": call}, "Sfc": {"Name": "moving", "MessageType": message_type}}


class Work:
    """The task ``work``. While ``closed`` its jobs wait. ``topics``: where each came from, as often as it was done, by token."""

    def __init__(self) -> None:
        self.topics: dict[str, list[str]] = {}
        self.closed = threading.Event()
        self.waiting = 0
        self.handlers = {"work": Handler("work", self._do, True, False)}

    async def _do(self, job: Job) -> Any:
        self.waiting += 1
        while self.closed.is_set():
            await asyncio.sleep(0.01)
        self.waiting -= 1
        self.topics.setdefault(job.token, []).append(job.record.topic)
        return job.input


def scheduled(history: list[HistoryRecord]) -> list[tuple[str, str]]:
    """Resource and token of each job of a flow."""
    return [(event.task, event.token) for one in history for event in one.events if isinstance(event, e.TaskScheduled)]


def test_no_job_is_lost_when_a_blueprint_moves_to_workers_of_its_own_and_back(sfc: Installation, shop: Service) -> None:
    site, names, definitions, work = sfc.site, sfc.site.names, sfc.definitions, Work()
    shop.answer = lambda asked: Said(body={"called": True})
    call = {"Name": "call", "Http": {"Url": shop.url}}
    sfc.deploy({"Name": "work"}, call, moving("common"))
    sfc.crew.add("worker", lambda: Worker(site.log, names, work.handlers, definitions))
    sfc.crew.add("common", lambda: CommonWorker(site.log, names, definitions))
    sfc.crew.add("specific", lambda: SpecificWorker(site.log, names, work.handlers, definitions))
    wait_for("the workers' being ready", lambda: sfc.crew.ready)

    flows: list[str] = []

    def start_portion() -> None:
        flows.extend([sfc.start("moving", str(len(flows) + n), {"n": len(flows) + n}) for n in range(PORTION)])

    start_portion()
    for message_type in ("specific", "common"):
        work.closed.set()
        start_portion()
        wait_for("jobs that wait while their blueprint moves", lambda: work.waiting >= PORTION // 2)
        sfc.deploy(moving(message_type))
        start_portion()
        work.closed.clear()
    for flow in flows:
        assert sfc.end_of(flow).status == "SUCCEEDED"

    called = Counter(asked.headers["idempotency-key"] for asked in shop.asked)
    done = Counter({token: len(topics) for token, topics in work.topics.items()}) + called
    ledger: Ledger = {token: {"SUCCEEDED"} for token in done}
    histories = read_histories(site.log, names.history)
    assert sorted(histories) == sorted(flows)
    assert {judge(history, ledger) for history in histories.values()} == {"SUCCEEDED"}
    jobs = {token: (resource, history[0].summary.version) for history in histories.values() for resource, token in scheduled(history)}
    assert done == Counter(jobs.keys()), "a job was lost, or done twice"
    own, common = names.specific_jobs("moving"), names.task("work")
    came = {token: topics[0] for token, topics in work.topics.items()}
    assert came == {token: own if version == 2 else common for token, (resource, version) in jobs.items() if "work" in resource}
    versions = Counter(version for resource, version in jobs.values() if "work" in resource)
    assert versions == {1: 3 * PORTION, 2: 2 * PORTION}  # moved back it is what it was, version 1

    def all_committed(group: str) -> bool:
        positions = site.log.group_positions(group)
        ends = site.log.ends(list(positions))
        return bool(positions) and all(positions[at].offset == end for at, end in ends.items())

    for group in (common, names.workers_group, names.specific_group("moving")):
        wait_for(f"the last commit of {group}", lambda group=group: all_committed(group))  # type: ignore[misc]


def test_a_job_that_the_specific_worker_can_t_do_fails_and_may_be_caught(sfc: Installation) -> None:
    site = sfc.site
    states: dict[str, Any] = {
        "Pack": {"Type": "Task", "Resource": "task:pack", "Catch": [{"ErrorEquals": ["SFC.NoWorker"], "Next": "Work"}], "Next": "Work"},
        "Work": {"Type": "Task", "Resource": "task:work", "End": True},
    }
    sfc.deploy(
        {"Name": "pack"}, {"Name": "work"}, {"StartAt": "Pack", "States": states, "Sfc": {"Name": "shop", "MessageType": "specific"}}
    )
    sfc.crew.add("specific", lambda: SpecificWorker(site.log, site.names, Work().handlers, sfc.definitions, ["shop"]))
    caught = sfc.output_of(sfc.start("shop", "1", {}))
    assert caught["Error"] == "SFC.NoWorker"
    assert "task:pack@1" in caught["Cause"]


def test_a_secret_is_in_the_call_and_nowhere_else(
    sfc: Installation, shop: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """All topics, the flow index, the log and the metrics are searched for it."""
    value = "hunter2-9f1c"
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "shop-token").write_text(value + "\n")
    caplog.set_level("DEBUG")
    site = sfc.site

    def echo(asked: Asked) -> Said:
        return Said(200 if asked.path.startswith("/good") else 403, {"path": asked.path, "headers": asked.headers})

    shop.answer = echo
    common: dict[str, Any] = {"Query": {"key": "${secret:shop-token}"}, "Auth": {"Bearer": "${secret:shop-token}"}, "Result": "response"}
    task = {"Name": "call", "Http": {"Url": shop.url + "/{$.path}", **common}}
    states = {"Call": {"Type": "Task", "Resource": "task:call", "TimeoutSeconds": 30, "End": True}}
    sfc.deploy(task, {"StartAt": "Call", "States": states, "Sfc": {"Name": "shop"}})
    sfc.crew.add("common", lambda: CommonWorker(site.log, site.names, sfc.definitions, secrets=Secrets(folder)))
    good = sfc.output_of(sfc.start("shop", "good", {"path": "good"}))
    assert good["body"]["headers"]["authorization"] == "Bearer ********"
    bad = sfc.end_of(sfc.start("shop", "bad", {"path": "bad"}))
    assert (bad.status, bad.error) == ("FAILED", "Http.403")
    assert [value in asked.path and asked.headers["authorization"] == f"Bearer {value}" for asked in shop.asked] == [True, True]

    written = [r for topic in site.log.topics() if topic.startswith(site.names.namespace + ".") for r in read_topic(site.log, topic)]
    assert len(written) > 10
    assert not [r for r in written if value.encode() in (r.value or b"") + (r.key or b"") + repr(r.headers).encode()]
    assert value not in caplog.text + "".join(capfd.readouterr()) + generate_latest().decode()
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and file.parent != folder and value.encode() in file.read_bytes()]
