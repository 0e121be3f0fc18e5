"""The common workers: jobs that need no service of their own on the log. They call what a task's ``Http`` section, or a URL, names."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from sfc.asl import MISSING, Path, compile_path
from sfc.ports import Log
from sfc.runtime.definitions import Definitions
from sfc.wire.topics import Names
from sfc_workers.job import Job
from sfc_workers.runner import NoAnswer, Runner
from sfc_workers.tasks import Handler, TaskError

SOCKET = "States.Http.Socket"
CONNECT_S = 10.0
TRIES_MAX = 4  # of a status in RetryOn, within one attempt of the job
RETRY_S = 0.2  # before the second try; doubled for each further one
RETRY_AFTER_S_MAX = 30.0
CAUSE_CHARACTERS_MAX = 1_000
NO_DEADLINE_S = 60.0
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "DELETE")
_PLACE = re.compile(r"\{(\$[^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Call:
    """A task's Http section, prepared. ``url``: texts, and paths into the input between them."""

    url: tuple[str | Path, ...]
    method: str
    headers: Mapping[str, str]
    success: frozenset[int]
    retry_on: frozenset[int]


def prepare(http: Mapping[str, Any]) -> Call:
    """Raises ValueError for a path in the Url that is none."""
    parts = _PLACE.split(str(http["Url"]))
    return Call(
        tuple(compile_path(part) if i % 2 else part for i, part in enumerate(parts)),
        str(http.get("Method", "POST")),
        {str(k): str(v) for k, v in (http.get("Headers") or {}).items()},
        statuses(http.get("Success") or ["2xx"]),
        statuses(http.get("RetryOn") or []),
    )


def statuses(words: list[Any]) -> frozenset[int]:
    """``[404, "5xx"]`` as numbers."""
    found: set[int] = set()
    for word in map(str, words):
        found.update(range(int(word[0]) * 100, int(word[0]) * 100 + 100) if word.lower().endswith("xx") else [int(word)])
    return frozenset(found)


class CommonWorker(Runner):
    """Takes the jobs of ``sfc.jobs``. ``definitions``: where the tasks' documents are; somebody else steps them.
    ``transport``: in place of the network, for tests. Further options: see Runner."""

    def __init__(
        self,
        log: Log,
        names: Names,
        definitions: Definitions,
        *,
        instance: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
        **options: Any,
    ) -> None:
        super().__init__(log, self._handler, **options)
        self.instance = instance
        self._definitions = definitions
        self._names = names
        self._calls: dict[str, Call] = {}
        self._handle = Handler("http", self._do_http, True, False)
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._listening = False

    @property
    def ready(self) -> bool:
        return self._listening

    def step(self, timeout_s: float = 0.1) -> int:
        if not self._listening:
            if not self._definitions.ready:
                time.sleep(min(timeout_s, 0.01))
                return 0
            self._listening = True
            self.listen(self._names.jobs, self._names.workers_group)
        return super().step(timeout_s)

    async def before_end(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def _handler(self, _resource: str) -> Handler:
        return self._handle

    def _call_of(self, resource: str) -> Call:
        call = self._calls.get(resource)
        if call is None:
            call = self._calls[resource] = self._prepared(resource)
        return call

    def _prepared(self, resource: str) -> Call:
        kind, _, rest = resource.partition(":")
        if kind in ("http", "https"):
            return prepare({"Url": resource})
        name, _, version = rest.partition("@")
        task = self._definitions.task(name, int(version)) if kind == "task" and version.isdigit() else None
        http = (task.document.get("Http") or {}) if task is not None else {}
        if not http:
            raise TaskError("States.Runtime", f"{resource!r} is no HTTP task that this worker knows")
        try:
            return prepare(http)
        except ValueError as e:
            raise TaskError("States.Runtime", f"the Url of {resource} can't be used: {e}") from e

    async def _do_http(self, job: Job) -> Any:
        call = self._call_of(job.task)
        url = _url(call, job)
        if self._client is None:  # made here, since it belongs to the loop
            limits = httpx.Limits(max_connections=500, max_keepalive_connections=100)
            self._client = httpx.AsyncClient(
                transport=self._transport, limits=limits, timeout=httpx.Timeout(None, connect=CONNECT_S), follow_redirects=True
            )
        deadline = job.deadline
        left_s = NO_DEADLINE_S if deadline is None else (deadline - datetime.now(UTC)).total_seconds()
        try:
            async with asyncio.timeout(left_s):
                response = await self._ask(self._client, call, url, job)
        except TimeoutError as e:
            if deadline is not None:
                raise NoAnswer from e  # the flow has timed out by itself
            raise TaskError(SOCKET, f"no answer from {url} within {NO_DEADLINE_S:g} s") from e
        if response.status_code not in call.success:
            raise TaskError(f"Http.{response.status_code}", response.text[:CAUSE_CHARACTERS_MAX])
        return _output(response)

    async def _ask(self, client: httpx.AsyncClient, call: Call, url: str, job: Job) -> httpx.Response:
        body = None if call.method in _WITHOUT_BODY else job.record.value or b"null"
        own = {"Idempotency-Key": job.token, "X-Sfc-Flow": job.flow}
        if body is not None:
            own["Content-Type"] = "application/json"
        if trace := job.headers.get("traceparent"):
            own["traceparent"] = trace.decode("ascii", "replace")
        head = {**own, **call.headers}
        pause_s = RETRY_S
        for attempt in range(1, TRIES_MAX + 1):
            try:
                response = await client.request(call.method, url, content=body, headers=head)
            except (httpx.TransportError, httpx.InvalidURL, httpx.TooManyRedirects) as e:
                raise TaskError(SOCKET, f"{call.method} {url}: {e or type(e).__name__}") from e
            if response.status_code not in call.retry_on or attempt == TRIES_MAX:
                break
            await asyncio.sleep(_retry_after_s(response) or pause_s)
            pause_s *= 2
        return response


def _url(call: Call, job: Job) -> str:
    parts: list[str] = []
    for part in call.url:
        if isinstance(part, str):
            parts.append(part)
            continue
        value = part.find(job.input, None)
        if value is MISSING or isinstance(value, (dict, list)) or value is None:
            raise TaskError("States.ParameterPathFailure", f"the Url needs text or a number at {part.text} of the input, and there is none")
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        parts.append(quote(text, safe=""))
    return "".join(parts)


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds that the service asks for; 0 when it doesn't (or names a date)."""
    text = response.headers.get("Retry-After", "")
    return min(float(text), RETRY_AFTER_S_MAX) if text.isdigit() else 0.0


def _output(response: httpx.Response) -> Any:
    """JSON as it is, anything else as text; null for an empty answer."""
    if not response.content:
        return None
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return msgspec.json.decode(response.content)
        except msgspec.DecodeError as e:
            raise TaskError("States.Runtime", f"the answer says it is {kind}, and can't be read: {e}") from e
    return response.text
