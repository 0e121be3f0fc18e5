"""Credentials: a state names them, the worker knows them, and nobody else ever sees them."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sfc_workers import Handler, Job, Worker
from sfc_workers.common import CommonWorker
from sfc_workers.secrets import Secrets
from structlog.testing import capture_logs

from sfc.ports import Record
from sfc.runtime.definitions import Definitions
from sfc.wire import headers
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, TaskVersion
from tests.unit.runtime.lane_bench import NAMES, Bench

SECRET = 'hunter2/"ü&9'
ENVIRONMENT = {
    "SFC_SECRET_BILLING": SECRET,
    "SFC_SECRET_BILLING_USER": "hunter2-user",
    "SFC_SECRET_SUPPORT": "hunter2-support",
    "SFC_SECRET_OTHER": "hunter2-other",
}
BY_INPUT = {"RoleArn.$": "$.role"}


def job_of(credentials: str, secrets: Secrets | None = None) -> Job:
    head = [(headers.CREDENTIALS, credentials.encode())] if credentials else []
    return Job(Record("t", 0, 0, b"k", b"null", head, 0, None), lambda _job: None, secrets or Secrets(None, ENVIRONMENT))


class Shop:
    """A lane, a common worker whose network says back all that it hears, and a worker of the task ``echo`` that tells its secret."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.lane = self.bench.lane()
        self.definitions = Definitions(self.bench.log, NAMES)
        self.requests: list[httpx.Request] = []
        self.seen: list[str] = []
        secrets = Secrets(None, ENVIRONMENT)
        network = httpx.MockTransport(self.hear)
        self.common = CommonWorker(self.bench.log, NAMES, self.definitions, secrets=secrets, transport=network, pumps=False)
        handlers = {"echo": Handler("echo", self.tell, True, False)}
        self.worker = Worker(self.bench.log, NAMES, handlers, secrets=secrets, pumps=False)

    def hear(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status = 401 if request.url.path == "/refuse" else 200
        return httpx.Response(status, json={"url": str(request.url), "headers": dict(request.headers)})

    async def tell(self, job: Job) -> Any:
        """What a function should never do: it tells the secret, in its output, or in an exception."""
        self.seen.append(f"{job.credentials} {job.secret()}")
        if job.input.get("raise"):
            raise ValueError(f"{job.secret()} was refused")
        return {"told": job.secret(), job.secret(): [job.secret()]}

    def run(self, name: str, states: dict[str, Any], given: Any) -> Any:
        self.bench.define(BlueprintVersion(name, 1, f"h-{name}", {"StartAt": next(iter(states)), "States": states, "Sfc": {"Name": name}}))
        self.bench.define(BlueprintHead(name, 1, "enabled", 1))
        self.bench.start(f"{name}:1", given)
        before, until_s = len(self.bench.answers), time.monotonic() + 30

        def done() -> bool:
            self.definitions.step(0)
            self.common.step(0.002)
            self.worker.step(0.002)
            return len(self.bench.answers) > before or time.monotonic() > until_s

        self.bench.run([self.lane], done, work=False, steps_max=100_000)
        assert len(self.bench.answers) > before, "the flow did not end"
        return self.bench.answers[-1]

    def everything(self) -> str:
        """Each record of each topic: key, headers and value."""
        told = []
        for topic in self.bench.log.topics():
            for record in self.bench.all(topic):
                told.append(f"{topic} {record.key!r} {record.headers!r} {(record.value or b'').decode()}")
        return "\n".join(told)

    def close(self) -> None:
        for part in (self.common, self.worker, self.lane, self.definitions, self.bench.log):
            part.close()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


def called(path: str, **more: Any) -> dict[str, Any]:
    """An HTTP task's document, with the credentials wherever they may stand."""
    section = {
        "Url": f"https://pay.example{path}",
        "Headers": {"X-Key": "key ${credentials}"},
        "Query": {"k": "${credentials}"},
        "Auth": {"Bearer": "${credentials}"},
        "Result": "response",
    }
    return {"Name": "pay", "Http": {**section, **more}}


def test_what_a_state_names_reaches_the_service_and_is_in_no_topic_and_no_log(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    basic = {"Basic": {"User": "${credentials:user}", "Password": "${credentials}"}}
    shop.bench.define(TaskVersion("pay", 1, "h1", called("/pay")))
    shop.bench.define(TaskVersion("pay", 2, "h2", called("/pay", Auth=basic)))
    shop.bench.define(TaskVersion("pay", 3, "h3", called("/refuse")))
    states = {
        "Bearer": {"Type": "Task", "Resource": "task:pay@1", "Credentials": BY_INPUT, "ResultPath": "$.one", "Next": "Basic"},
        "Basic": {"Type": "Task", "Resource": "task:pay@2", "Credentials": {"RoleArn": "billing"}, "ResultPath": "$.two", "Next": "Sdk"},
        "Sdk": {"Type": "Task", "Resource": "task:echo@1", "Credentials": {"RoleArn": "support"}, "ResultPath": "$.three", "Next": "Bad"},
        "Bad": {
            "Type": "Task", "Resource": "task:echo@1", "Parameters": {"raise": True}, "Credentials": BY_INPUT, "Next": "No",
            "Catch": [{"ErrorEquals": ["ValueError"], "ResultPath": "$.why", "Next": "No"}],
        },
        "No": {"Type": "Task", "Resource": "task:pay@3", "Credentials": BY_INPUT, "End": True},
    }  # fmt: skip
    with capture_logs() as lines:
        answer = shop.run("shop", states, {"role": "billing"})
    assert (answer.status, answer.error) == ("FAILED", "Http.401")

    heard = [request.headers["Authorization"] for request in shop.requests]
    pair = b64encode(f"hunter2-user:{SECRET}".encode()).decode()
    assert heard == [f"Bearer {SECRET}", f"Basic {pair}", f"Bearer {SECRET}"]
    assert shop.requests[0].url.params["k"] == SECRET
    assert shop.seen == ["support hunter2-support", f"billing {SECRET}"]

    written = shop.everything()
    assert "ValueError" in written, "the topics were read"
    assert "********" in written, "what came back was hidden"
    assert '"told":"********"' in written
    assert [line["action"] for line in lines if line["action"] == "task-raised"] == ["task-raised"]
    for place in (written, caplog.text, json.dumps(lines, default=repr), str(answer)):
        for secret in ("hunter2", pair):
            assert secret not in place


def test_credentials_that_a_task_needs_and_a_state_does_not_name_fail_it(shop: Shop) -> None:
    shop.bench.define(TaskVersion("pay", 1, "h1", called("/pay")))
    answer = shop.run("bare", {"A": {"Type": "Task", "Resource": "task:pay@1", "End": True}}, {})
    assert answer.error == "SFC.SecretMissing"
    assert "Credentials: {RoleArn: NAME}" in (answer.cause or "")
    assert shop.requests == []


@pytest.mark.parametrize("name", ["../other", "..", ".hidden", "a/b", "a b", "a\nb", "x" * 129, "arn:aws:iam::1:role/"])
def test_a_name_that_comes_from_an_input_leads_to_no_other_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "other").write_text("hunter2-other")
    (tmp_path / "inner").mkdir()
    with pytest.raises(Exception, match="can't be a secret's name") as raised:
        job_of(name, Secrets(tmp_path / "inner", {})).secret()
    assert "hunter2" not in str(raised.value)


def test_the_name_of_a_role_stands_for_its_arn() -> None:
    assert job_of("arn:aws:iam::123456789012:role/service/support").secret() == "hunter2-support"


def test_parts_of_credentials_are_secrets_of_their_own() -> None:
    job = job_of("billing")
    assert (job.credentials, job.secret("user"), job.secret()) == ("billing", "hunter2-user", SECRET)
    assert job_of("").credentials == ""


def test_credentials_that_a_worker_does_not_know_are_told_by_their_name() -> None:
    with pytest.raises(Exception, match="SFC_SECRET_NOBODY"):
        job_of("nobody").secret()
