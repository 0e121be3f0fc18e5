"""HTTP tasks: calls what a task's ``Http`` section, or a URL, names."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from sfc.asl import TaskState
from sfc.errors import InvalidDocument
from sfc.runtime.definitions import Definitions
from sfc.wire.http_call import HttpCall, prepare
from sfc_workers.http_request import Request, make_request
from sfc_workers.http_response import Answer, output_of, read_answer, retry_after_s
from sfc_workers.job import Job
from sfc_workers.runner import NoAnswer
from sfc_workers.secrets import Opened, Secrets
from sfc_workers.tasks import Handler, TaskError

SOCKET = "States.Http.Socket"
TRIES_MAX = 4  # of a status in RetryOn, within one attempt of the job
RETRY_S = 0.2  # before the second try; doubled for each further one
RETRY_AFTER_S_MAX = 600.0  # a job that waits longer than that is better failed, and retried by its blueprint
NO_DEADLINE_S = 60.0
KNOWN_S = 5.0  # how long a job waits for the definition of its task
CONNECTIONS_MAX = 500
_HOPS_MAX = 10
_PORTS = {"http": 80, "https": 443}


class HttpTasks:
    """Does HTTP jobs. ``definitions``: where the tasks' documents are; somebody else steps them. ``connections_max``: open at once, to
    all services together. ``transport``: in place of the network, for tests."""

    def __init__(
        self,
        definitions: Definitions,
        secrets: Secrets | None = None,
        *,
        connections_max: int = CONNECTIONS_MAX,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.handler = Handler("http", self.do, True, False)
        self._definitions = definitions
        self._secrets = secrets or Secrets()
        self._connections_max = connections_max
        self._transport = transport
        self._calls: dict[str, HttpCall] = {}
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def section(self, resource: str) -> dict[str, Any]:
        """The Http section of a job's ``sfc-task``; {} where it has none. A task that was deployed just now may be known a moment later."""
        if resource.startswith(("http:", "https:")):
            return {"Url": resource}
        kind, _, rest = resource.partition(":")
        name, _, version = rest.partition("@")
        if kind != "task" or not version.isdigit():
            return {}
        until_s = asyncio.get_running_loop().time() + KNOWN_S
        while (task := self._definitions.task(name, int(version))) is None:
            if asyncio.get_running_loop().time() >= until_s:
                return {}
            await asyncio.sleep(0.02)
        return task.document.get("Http") or {}

    async def _call_of(self, resource: str) -> HttpCall:
        call = self._calls.get(resource)
        if call is None:
            call = self._calls[resource] = await self._prepared(resource)
        return call

    async def _prepared(self, resource: str) -> HttpCall:
        section = await self.section(resource)
        if not section:
            raise TaskError("States.Runtime", f"{resource!r} is no HTTP task that this worker knows")
        try:
            return prepare(section)
        except (ValueError, InvalidDocument) as e:
            raise TaskError("States.Runtime", f"the Http section of {resource} can't be used: {e}") from None

    async def do(self, job: Job) -> Any:
        """Whatever is said, the secrets are not: neither in an output nor in a cause, nor as an exception that somebody may log."""
        look = Opened(self._secrets, job.credentials)
        try:
            return look.masked(await self._done(job, look))
        except TaskError as e:
            raise TaskError(look.mask(e.error), look.mask(e.cause)) from None
        except NoAnswer:
            raise
        except Exception as e:
            raise TaskError(type(e).__name__, look.mask(str(e))) from None

    async def _done(self, job: Job, look: Opened) -> Any:
        call = await self._call_of(job.task)
        request = make_request(call, job, look)
        if self._client is None:  # made here, since it belongs to the loop
            for name in ("httpx", "httpcore"):  # they tell URLs and headers, with the secrets in them
                logging.getLogger(name).setLevel(logging.WARNING)
            limits = httpx.Limits(max_connections=self._connections_max, max_keepalive_connections=min(100, self._connections_max))
            no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # one flow's session is not the next one's
            self._client = httpx.AsyncClient(transport=self._transport, limits=limits, cookies=no_cookies, follow_redirects=False)
        deadline = job.deadline
        left_s = NO_DEADLINE_S if deadline is None else (deadline - datetime.now(UTC)).total_seconds()
        ends_s = asyncio.get_running_loop().time() + left_s
        try:
            async with asyncio.timeout(left_s), self._beating(job):
                answer = await self._ask(self._client, call, request, ends_s)
        except TimeoutError as e:
            if deadline is not None:
                raise NoAnswer from e  # the flow has timed out by itself
            raise TaskError(SOCKET, f"no answer from {request.shown} within {NO_DEADLINE_S:g} s") from None
        return output_of(call, answer, look)

    @contextlib.asynccontextmanager
    async def _beating(self, job: Job) -> AsyncIterator[None]:
        """Signs of life, three in each silence that the flow allows."""
        silence_s = self._silence_s(job)
        if not silence_s:
            yield
            return

        async def beat() -> None:
            while True:
                await asyncio.sleep(silence_s / 3)
                await job.heartbeat()

        beats = asyncio.create_task(beat())
        try:
            yield
        finally:
            beats.cancel()

    def _silence_s(self, job: Job) -> float:
        name, _, version = job.blueprint.partition("@")
        program = self._definitions.program(name, int(version)) if version.isdigit() else None
        state = program.machine.states.get(job.state) if program is not None else None
        if program is None or not isinstance(state, TaskState):
            return 0.0
        if state.heartbeat is None:
            return program.targets[job.state].heartbeat_s
        return state.heartbeat if isinstance(state.heartbeat, int) else 1.0  # by a path into what only the flow has: the least there is

    async def _ask(self, client: httpx.AsyncClient, call: HttpCall, request: Request, ends_s: float) -> Answer:
        """Tries until the answer is none of RetryOn, and as long as the next try would come in time."""
        pause_s = RETRY_S
        for _ in range(TRIES_MAX - 1):
            answer = await self._try(client, call, request)
            if answer.response.status_code not in call.retry_on:
                return answer
            asked_s = retry_after_s(answer.response)
            wait_s = pause_s if asked_s is None else asked_s
            if wait_s > RETRY_AFTER_S_MAX or asyncio.get_running_loop().time() + wait_s >= ends_s:
                return answer
            await asyncio.sleep(wait_s)
            pause_s *= 2
        return await self._try(client, call, request)

    async def _try(self, client: httpx.AsyncClient, call: HttpCall, request: Request) -> Answer:
        try:
            async with asyncio.timeout(call.timeout_s) as limit:
                return await self._exchange(client, call, request)
        except TimeoutError:
            if not limit.expired():
                raise  # the job's deadline, not the call's
            raise TaskError(SOCKET, f"{call.method} {request.shown}: no answer within {call.timeout_s:g} s") from None
        except (httpx.RequestError, httpx.InvalidURL) as e:
            raise TaskError(SOCKET, f"{call.method} {request.shown}: {e or type(e).__name__}") from None

    async def _exchange(self, client: httpx.AsyncClient, call: HttpCall, request: Request) -> Answer:
        timeout = httpx.Timeout(None, connect=call.connect_s)
        asked = client.build_request(call.method, request.url, content=request.body, headers=list(request.headers.items()), timeout=timeout)
        for _ in range(_HOPS_MAX):
            response = await client.send(asked, stream=True)
            try:
                following = None if response.status_code in call.success else _allowed(call, response)
                if following is None:
                    return await read_answer(response)
            finally:
                await response.aclose()
            if not _same_host(asked.url, following.url):
                for name in request.secret:
                    following.headers.pop(name, None)
            asked = following
        raise TaskError(SOCKET, f"{call.method} {request.shown}: more than {_HOPS_MAX} redirects")


def _allowed(call: HttpCall, response: httpx.Response) -> httpx.Request | None:
    """The request that a redirect asks for, where it may be made."""
    following = response.next_request
    if following is None or call.redirects == "none":
        return None
    if call.redirects == "any" or _same_host(response.request.url, following.url):
        return following
    return None


def _same_host(one: httpx.URL, other: httpx.URL) -> bool:
    """Scheme, host and port; from http to https is the same host too, where the ports are the usual ones."""
    if one.host != other.host:
        return False
    ports = (one.port or _PORTS.get(one.scheme), other.port or _PORTS.get(other.scheme))
    return (one.scheme == other.scheme and ports[0] == ports[1]) or ((one.scheme, other.scheme) == ("http", "https") and ports == (80, 443))
