"""The gateway's HTTP client, used by the command line and by anybody's Python program.

Errors are those of sfc.errors, as the gateway raised them; LogUnavailable when no gateway answers. Answers are plain JSON values.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from sfc.errors import BadInput, LogUnavailable, SfcError
from sfc.wire.payload import UNREADABLE
from sfc.wire.problems import error_of

Json = dict[str, Any]
Document = Mapping[str, Any] | tuple[str, Mapping[str, Any]]

_WAIT_S_MAX = 60.0  # the longest ``wait`` that the gateway takes


class Client:
    """``timeout``: seconds for one answer (a start that waits has as long as it waits on top). ``api_key``: shown with each request; '':
    none. A context manager. Raises BadInput for a key that is none."""

    def __init__(self, url: str, timeout: float = 30.0, *, api_key: str = "", transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout
        tls = self.url.startswith("https:")  # without it there is nothing to verify, and reading the certificates takes 0.2 s
        headers = {"Authorization": f"Bearer {_checked(api_key)}"} if api_key else None
        self._http = httpx.Client(base_url=self.url, timeout=timeout, transport=transport, headers=headers, trust_env=False, verify=tls)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # Flows

    def start(
        self,
        blueprint: str,
        input: Any = None,
        *,
        id: str | None = None,
        idempotency_key: str | None = None,
        wait: str | None = None,
    ) -> Json:
        """{flow, blueprint, version, status_url}; with ``wait`` (``10s``) and an end in time {flow, status, output | error, cause}."""
        query = _given(id=id, wait=wait)
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        timeout_s = self._timeout_s + (_WAIT_S_MAX if wait else 0.0)
        return self._object("POST", f"/blueprints/{_part(blueprint)}/flows", query, input, headers, timeout_s, body=True)

    def flows(
        self,
        *,
        status: str = "",
        blueprint: str = "",
        version: int = 0,
        state: str = "",
        error: str = "",
        q: str = "",
        started_from: str = "",
        started_to: str = "",
        limit: int = 50,
        cursor: str = "",
    ) -> Json:
        """{flows, next_cursor}, newest first."""
        query = _given(status=status, blueprint=blueprint, version=version, state=state, error=error, q=q, started_from=started_from)
        return self._object("GET", "/flows", {**query, **_given(started_to=started_to, limit=limit, cursor=cursor)})

    def flow(self, flow: str) -> Json:
        return self._object("GET", f"/flows/{_part(flow)}")

    def history(self, flow: str, run: int | None = None) -> list[Json]:
        """The events, in order: all of them, page by page."""
        return list(self._pages("events", f"/flows/{_part(flow)}/history", _given(run=run)))

    def runs(self, flow: str) -> list[int]:
        """The lives of the flow's id of which there is a history, latest first."""
        found: list[int] = self._object("GET", f"/flows/{_part(flow)}/runs")["runs"]
        return found

    def explain(self, flow: str) -> Json:
        """{flow, status, moving, reasons: [{code, said, do, …}], children}: why the flow does not move."""
        return self._object("GET", f"/flows/{_part(flow)}/explain")

    def pause(self, flow: str, reason: str = "") -> Json:
        return self._object("POST", f"/flows/{_part(flow)}/pause", body=True, content=_given(reason=reason))

    def resume(self, flow: str) -> Json:
        return self._object("POST", f"/flows/{_part(flow)}/resume")

    def stop(self, flow: str, reason: str = "", error: str = "") -> Json:
        return self._object("POST", f"/flows/{_part(flow)}/stop", body=True, content=_given(cause=reason, error=error))

    def redrive(self, flow: str, *, request: str = "", **edited: Any) -> Json:
        """``request``: an id under which a repetition changes nothing. ``input=…`` replaces the failed states' input."""
        headers = {"Idempotency-Key": request} if request else None
        return self._object("POST", f"/flows/{_part(flow)}/redrive", None, edited, headers, body=True)

    def signal(self, flow: str, name: str, *, request: str = "", **told: Any) -> Json:
        """``output=…``, or ``error=…`` and ``cause=…``. ``request``: an id under which a repetition changes nothing."""
        headers = {"Idempotency-Key": request} if request else None
        return self._object("POST", f"/flows/{_part(flow)}/signals/{_part(name)}", None, told, headers, body=True)

    # Definitions

    def deploy(self, documents: Iterable[Document]) -> list[Json]:
        """Blueprints and tasks, each a document or (source, document); all are saved or none.
        In the same order: {kind, name, version, created, …}."""
        pairs = [one if isinstance(one, tuple) else (_name_of(one), one) for one in documents]
        content = [{"source": source, "document": document} for source, document in pairs]
        return list(self._object("POST", "/deploy", content=content, body=True)["deployed"])

    def put_blueprint(self, name: str, document: Mapping[str, Any]) -> Json:
        return self._object("PUT", f"/blueprints/{_part(name)}", content=document, body=True)

    def put_task(self, name: str, document: Mapping[str, Any]) -> Json:
        return self._object("PUT", f"/tasks/{_part(name)}", content=document, body=True)

    def blueprints(self, *, all: bool = False) -> list[Json]:
        """``all``: retired ones too."""
        return self._list("blueprints", "/blueprints", {"all": True} if all else None)

    def blueprint(self, name: str, version: int | None = None) -> Json:
        return self._object("GET", f"/blueprints/{_part(name)}", _given(version=version))

    def blueprint_versions(self, name: str) -> list[Json]:
        """Oldest first: all of them, page by page."""
        return list(self._pages("versions", f"/blueprints/{_part(name)}/versions"))

    def pause_blueprint(self, name: str, reason: str = "", *, version: int | None = None, timers: str = "") -> Json:
        """The whole blueprint, or one version. ``timers``: freeze (default) or run."""
        return self._post(f"{_blueprint(name, version)}/pause", _given(reason=reason, timers=timers))

    def resume_blueprint(self, name: str, *, version: int | None = None) -> Json:
        return self._object("POST", f"{_blueprint(name, version)}/resume")

    def enable_blueprint(self, name: str) -> Json:
        return self._object("POST", f"/blueprints/{_part(name)}/enable")

    def disable_blueprint(self, name: str) -> Json:
        """{name, status, revision, changed, running}: ``running`` flows finish."""
        return self._object("POST", f"/blueprints/{_part(name)}/disable")

    def retire_blueprint(self, name: str) -> Json:
        """As disable_blueprint."""
        return self._object("POST", f"/blueprints/{_part(name)}/retire")

    def roll_back(self, name: str, to: int | None = None) -> Json:
        """{name, version, before, revision, changed}. Default: to the version before the current one."""
        return self._post(f"/blueprints/{_part(name)}/rollback", _given(to=to))

    def diff(self, name: str, old: int | None = None, new: int | None = None) -> Json:
        """{from, to, same, start, states, triggers, sfc, fields, text}. Default: the version before the current one, and that."""
        return self._object("GET", f"/blueprints/{_part(name)}/diff", {**_given(to=new), **({} if old is None else {"from": old})})

    def diff_with(self, name: str, document: Mapping[str, Any], old: int | None = None) -> Json:
        """As ``diff``: of a version (default: the current one) and a document that is not deployed."""
        query = {} if old is None else {"from": old}
        return self._object("POST", f"/blueprints/{_part(name)}/diff", query, document, body=True)

    def pause_task(self, name: str, reason: str = "", *, timers: str = "") -> Json:
        return self._post(f"/tasks/{_part(name)}/pause", _given(reason=reason, timers=timers))

    def resume_task(self, name: str) -> Json:
        return self._object("POST", f"/tasks/{_part(name)}/resume")

    def holds(self) -> list[Json]:
        """[{subject, freeze, reason, by, since_ms, revision}]: all but those of single flows."""
        return self._list("holds", "/holds")

    # Groups

    def groups(self) -> list[Json]:
        return self._list("groups", "/groups")

    def group(self, name: str) -> Json:
        """{name, blueprints: {name: status}, tasks, hold, flows: {status: count}, paused, versions: {blueprint: [those of the flows]}}."""
        return self._object("GET", f"/groups/{_part(name)}")

    def pause_group(self, name: str, reason: str = "", *, timers: str = "") -> Json:
        return self._post(f"/groups/{_part(name)}/pause", _given(reason=reason, timers=timers))

    def resume_group(self, name: str) -> Json:
        return self._object("POST", f"/groups/{_part(name)}/resume")

    def stop_group(self, name: str, reason: str = "", error: str = "") -> Json:
        """{group, asked}: how many flows have been asked to stop."""
        return self._post(f"/groups/{_part(name)}/stop", _given(cause=reason, error=error))

    # Drafts; ``kind`` is blueprint or task

    def drafts(self) -> list[Json]:
        """All of them, page by page."""
        return list(self._pages("drafts", "/drafts"))

    def draft(self, kind: str, name: str) -> Json:
        return self._object("GET", _draft(kind, name))

    def put_draft(self, kind: str, name: str, document: Mapping[str, Any]) -> Json:
        return self._object("PUT", _draft(kind, name), content=document, body=True)

    def delete_draft(self, kind: str, name: str) -> None:
        self._request("DELETE", _draft(kind, name))

    def validate_draft(self, kind: str, name: str) -> Json:
        """{valid, problems}."""
        return self._object("POST", f"{_draft(kind, name)}/validate")

    def deploy_draft(self, kind: str, name: str) -> Json:
        """As one of ``deploy``."""
        return self._object("POST", f"{_draft(kind, name)}/deploy")

    # Tasks

    def tasks(self) -> list[Json]:
        return self._list("tasks", "/tasks")

    def task(self, name: str, version: int | None = None) -> Json:
        return self._object("GET", f"/tasks/{_part(name)}", _given(version=version))

    # Workers

    def workers(self) -> Json:
        """{pools: [{pool, scale, override, lag, partitions, members: [{instance, host, partitions}]}], scheduler: {leader, waiting}}."""
        return self._object("GET", "/workers")

    def scale_workers(self, pool: str, min: int | None = None, max: int | None = None) -> Json:
        """None: as in the document."""
        return self._object("PUT", f"/workers/{_part(pool)}", content={"min": min, "max": max}, body=True)

    def drain_workers(self, pool: str) -> Json:
        return self._object("POST", f"/workers/{_part(pool)}/drain")

    def undrain_workers(self, pool: str) -> Json:
        return self._object("POST", f"/workers/{_part(pool)}/undrain")

    def schedules(self) -> list[Json]:
        """{blueprint, id, cron, time_zone, catch_up, input, status, next_ms, last_ms, upcoming}, by blueprint and id."""
        return self._list("schedules", "/schedules")

    def schedule(self, blueprint: str, id: str) -> Json:
        return self._object("GET", f"/schedules/{_part(blueprint)}/{_part(id)}")

    # Keys

    def keys(self) -> list[Json]:
        """{id, name, role, created_ms, revoked_ms}, by name."""
        return self._list("keys", "/keys")

    def create_key(self, name: str, role: str) -> Json:
        """The same with ``key``, which is shown this once."""
        return self._object("POST", "/keys", content={"name": name, "role": role}, body=True)

    def revoke_key(self, name: str) -> Json:
        """By its name or id."""
        return self._object("POST", f"/keys/{_part(name)}/revoke")

    # Overview

    def stats(self, blueprint: str = "") -> Json:
        """{blueprints: [{blueprint, version, flows, paused, states}], dead_letters: {reason: count}, replies_dropped}."""
        return self._object("GET", "/statistics", _given(blueprint=blueprint))

    def throughput(self, blueprint: str = "", *, begin: str | int = "", end: str | int = "", step: str = "") -> Json:
        """{from_ms, to_ms, step_ms, slices: [{from_ms, started, ended: {status: count}}]}. Times as RFC 3339 or in milliseconds since 1970;
        default: the last hour in slices of ``5m``."""
        return self._object("GET", "/statistics/throughput", _given(blueprint=blueprint, **{"from": begin, "to": end}, step=step))

    def dead_letters(self, limit: int = 50, cursor: str = "", state: str = "open") -> Json:
        """{dead_letters, next_cursor}, newest first. ``state``: open, replayed, discarded or all."""
        return self._object("GET", "/dead-letters", _given(limit=limit, cursor=cursor, state=state))

    def dead_letter(self, id: str) -> Json:
        return self._object("GET", f"/dead-letters/{_part(id)}")

    def replay_dead_letter(self, id: str, **mended: Any) -> Json:
        """Appends the record again to its topic: {id, state, topic}. ``value=…`` (any JSON) goes instead of its own value."""
        return self._object("POST", f"/dead-letters/{_part(id)}/replay", content=mended, body=True)

    def discard_dead_letter(self, id: str) -> Json:
        return self._object("POST", f"/dead-letters/{_part(id)}/discard")

    def cluster(self) -> Json:
        return self._object("GET", "/cluster")

    def ready(self) -> bool:
        """Whether the gateway answers and says that it is ready."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    # Development only

    def topics(self) -> list[Json]:
        return self._list("topics", "/dev/topics")

    def publish(self, topic: str, records: Sequence[tuple[bytes | None, bytes | None]]) -> Json:
        """A batch of (key, value)."""
        lines = [msgspec.json.encode({"key_base64": _base64(key), "value_base64": _base64(value)}) for key, value in records]
        answer = self._request("POST", f"/dev/topics/{_part(topic)}", data=b"\n".join(lines), media_type="application/x-ndjson")
        return _object(answer)

    def tail(self, topic: str, *, from_beginning: bool = False, limit: int = 0, timeout: float | None = None) -> Iterator[Json]:
        """The topic's records as they come; ends after ``limit`` records or ``timeout`` seconds, else never."""
        query = _given(**{"from": "earliest" if from_beginning else "end"}, limit=limit)
        if timeout is not None:
            query["timeout"] = timeout
        waits = httpx.Timeout(self._timeout_s, read=None)
        try:
            with self._http.stream("GET", f"/v1/dev/topics/{_part(topic)}/records", params=query, timeout=waits) as answer:
                if answer.is_error:
                    answer.read()
                    raise _error(answer)
                for line in answer.iter_lines():
                    if line:
                        yield msgspec.json.decode(line)
        except httpx.TransportError as e:
            raise self._unavailable(e) from e

    # Inside

    def _object(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        *,
        body: bool = False,
    ) -> Json:
        data = msgspec.json.encode(content) if body else None
        return _object(self._request(method, path, query, data, headers, timeout_s))

    def _post(self, path: str, content: Mapping[str, Any]) -> Json:
        return self._object("POST", path, content=content, body=True)

    def _pages(self, member: str, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Json]:
        cursor = ""
        while True:
            page = self._object("GET", path, {**(query or {}), **_given(cursor=cursor)})
            yield from page[member]
            cursor = page["next_cursor"]
            if not cursor:
                return

    def _list(self, member: str, path: str, query: Mapping[str, Any] | None = None) -> list[Json]:
        return list(self._object("GET", path, query)[member])

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        media_type: str = "application/json",
    ) -> httpx.Response:
        sent = {**(headers or {}), **({} if data is None else {"Content-Type": media_type})}
        try:
            answer = self._http.request(
                method, f"/v1{path}", params=query, content=data, headers=sent, timeout=timeout_s or self._timeout_s
            )
        except httpx.TransportError as e:
            raise self._unavailable(e) from e
        if answer.is_error:
            raise _error(answer)
        return answer

    def _unavailable(self, error: httpx.TransportError) -> SfcError:
        if isinstance(error, httpx.TimeoutException):
            return LogUnavailable(f"the gateway at {self.url} did not answer within {self._timeout_s:g} s", hint="is it overloaded?")
        return LogUnavailable(f"no gateway answers at {self.url} ({error})", hint="start one with `sfc dev`, or name another with SFC_URL")


def _checked(api_key: str) -> str:
    if not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
        raise BadInput(
            "the API key has characters that no key has: is it cut, quoted, or copied with a line's end?", hint="see SFC_API_KEY"
        )
    return api_key


def _object(answer: httpx.Response) -> Json:
    try:
        found = msgspec.json.decode(answer.content)
    except UNREADABLE:
        found = None
    if not isinstance(found, dict):
        raise error_of(answer.status_code, None)
    return found


def _error(answer: httpx.Response) -> SfcError:
    try:
        return error_of(answer.status_code, msgspec.json.decode(answer.content))
    except UNREADABLE:
        return error_of(answer.status_code, None)


def _given(**members: Any) -> Json:
    """Without what was left out."""
    return {name: value for name, value in members.items() if value not in (None, "", 0)}


def _part(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe=":")


def _blueprint(name: str, version: int | None) -> str:
    return f"/blueprints/{_part(name)}" + ("" if version is None else f"/versions/{version}")


def _draft(kind: str, name: str) -> str:
    return f"/drafts/{_part(kind)}/{_part(name)}"


def _base64(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def _name_of(document: Mapping[str, Any]) -> str:
    section = document.get("Sfc")
    name = section.get("Name") if isinstance(section, Mapping) else document.get("Name")
    return str(name or "a document without a name")
