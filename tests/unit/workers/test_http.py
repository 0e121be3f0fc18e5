"""HTTP tasks of the common workers: the network is a function."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sfc_workers import http
from sfc_workers.common import CommonWorker

from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import Partition, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.wire import headers
from sfc.wire.definitions import TaskVersion, encode_definition, key_of
from sfc.wire.jobs import rfc3339
from sfc.wire.topics import Names, core_topics

NAMES = Names("t")
Answer = Callable[[httpx.Request], httpx.Response]


class Site:
    def __init__(self) -> None:
        self.log = EmbeddedLog.memory()
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(NAMES, 1).items()])
        self._producer = self.log.producer()
        self.requests: list[httpx.Request] = []
        self._worker: CommonWorker | None = None
        self.definitions = Definitions(self.log, NAMES)

    def do(
        self, given: Any, answer: Answer | Exception, *, task: str = "task:call@1", seconds: float = 60, **section: Any
    ) -> tuple[Any, str | None, str]:
        """Output, error and cause of one job."""
        document = {"Name": "call", "Http": {"Url": "http://shop.example/orders", **section}}
        definition = TaskVersion("call", 1, "hash", document)
        self._producer.send(NAMES.definitions, encode_definition(definition), key_of(definition).encode())
        while self.definitions.step(0):
            pass

        async def network(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            if isinstance(answer, Exception):
                raise answer
            response = answer(request)
            if response.headers.get("X-Wait"):
                await asyncio.sleep(float(response.headers["X-Wait"]))
            return response

        self._worker = CommonWorker(self.log, NAMES, self.definitions, transport=httpx.MockTransport(network), pumps=False)
        head = [
            (headers.JOB, b"f/0/1/x"),
            (headers.FLOW, b"f"),
            (headers.TASK, task.encode()),
            (headers.REPLY_TO, NAMES.commands.encode()),
            (headers.DEADLINE, rfc3339(time.time_ns() // 1_000_000 + int(seconds * 1000)).encode()),
            (headers.TRACEPARENT, b"00-ab-cd-01"),
        ]
        self._producer.send(NAMES.jobs, json.dumps(given).encode(), b"f", head, 0)
        deadline = time.monotonic() + 30
        while not self._worker.counts.finished:
            self._worker.step(0.005)
            assert time.monotonic() < deadline, "no answer came"
        reader = self.log.reader({Partition(NAMES.commands, 0): 0})
        found = reader.take(1, 0)
        if not found:
            return None, None, ""
        return (
            json.loads(found[0].value or b"null"),
            headers.text(found[0].headers, headers.ERROR),
            headers.text(found[0].headers, headers.CAUSE) or "",
        )

    @property
    def late(self) -> int:
        assert self._worker is not None
        return self._worker.counts.late

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self.definitions.close()
        self.log.close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def ok(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"id": 7})


def test_the_input_is_posted_as_json_with_the_token_as_idempotency_key(site: Site) -> None:
    assert site.do({"sku": "x"}, ok, Headers={"X-Shop": "1"}) == ({"id": 7}, None, "")
    [request] = site.requests
    assert (request.method, str(request.url), json.loads(request.content)) == ("POST", "http://shop.example/orders", {"sku": "x"})
    assert request.headers["Idempotency-Key"] == "f/0/1/x"
    assert request.headers["X-Shop"] == "1"
    assert request.headers["traceparent"] == "00-ab-cd-01"
    assert request.headers["Content-Type"] == "application/json"


def test_a_url_may_be_the_resource_itself(site: Site) -> None:
    assert site.do(1, ok, task="https://pay.example/v1/charge")[0] == {"id": 7}
    assert (site.requests[0].method, str(site.requests[0].url)) == ("POST", "https://pay.example/v1/charge")


def test_places_in_the_url_are_taken_from_the_input_and_quoted(site: Site) -> None:
    site.do({"order": {"id": "a/b c"}, "n": 3}, ok, Url="http://shop.example/orders/{$.order.id}?n={$.n}", Method="GET")
    [request] = site.requests
    assert str(request.url) == "http://shop.example/orders/a%2Fb%20c?n=3"
    assert request.content == b""


def test_a_place_that_the_input_does_not_have_fails_the_job(site: Site) -> None:
    _, error, cause = site.do({}, ok, Url="http://shop.example/{$.id}")
    assert error == "States.ParameterPathFailure"
    assert "$.id" in cause
    assert site.requests == []


@pytest.mark.parametrize("status", [400, 404, 503, 304])
def test_another_status_than_success_is_an_error_with_the_beginning_of_the_answer(site: Site, status: int) -> None:
    _, error, cause = site.do({}, lambda r: httpx.Response(status, text="no " * 1_000))
    assert error == f"Http.{status}"
    assert cause == ("no " * 1_000)[:1_000]


def test_what_success_is_may_be_said(site: Site) -> None:
    assert site.do({}, lambda r: httpx.Response(404, text="gone"), Success=["2xx", 404]) == ("gone", None, "")


def test_an_empty_answer_is_null(site: Site) -> None:
    assert site.do({}, lambda r: httpx.Response(204)) == (None, None, "")


@pytest.mark.parametrize("content", [b"{", b'"\xff"', b"[" * 5_000 + b"]" * 5_000], ids=["half of it", "no UTF-8", "deep"])
def test_an_answer_that_says_it_is_json_and_is_not_fails_the_job(site: Site, content: bytes) -> None:
    bad = httpx.Response(200, content=content, headers={"Content-Type": "application/problem+json; charset=utf-8"})
    assert site.do({}, lambda r: bad)[1] == "States.Runtime"


@pytest.mark.parametrize("exception", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.ReadError("reset")])
def test_a_connection_that_fails_is_a_socket_error(site: Site, exception: Exception) -> None:
    _, error, cause = site.do({}, exception)
    assert error == "States.Http.Socket"
    assert "http://shop.example/orders" in cause


def test_a_status_to_retry_on_is_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "RETRY_S", 0.001)
    answers = iter([429, 503, 200])
    output, error, _ = site.do({}, lambda r: httpx.Response(next(answers), json=1), RetryOn=[429, "5xx"])
    assert (output, error, len(site.requests)) == (1, None, 3)


def test_trying_again_has_an_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "RETRY_S", 0.001)
    assert site.do({}, lambda r: httpx.Response(503), RetryOn=[503])[1] == "Http.503"
    assert len(site.requests) == http.TRIES_MAX


def test_after_the_deadline_nothing_is_answered(site: Site) -> None:
    slow = httpx.Response(200, headers={"X-Wait": "30"})
    assert site.do({}, lambda r: slow, seconds=0.3) == (None, None, "")
    assert len(site.requests) == 1
    assert site.late == 1


def test_a_job_of_a_task_that_is_not_known_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "KNOWN_S", 0.05)
    assert site.do({}, ok, task="task:other@4")[1] == "States.Runtime"
