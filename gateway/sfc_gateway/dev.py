"""/v1/dev: the embedded log's topics, for ``sfc publish`` and ``sfc tail``. Only where ``sfc dev`` runs; Kafka has its own clients."""

from __future__ import annotations

import binascii
import difflib
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from sfc.errors import BadInput, LogError, NotPossible, UnknownName
from sfc.ports import Headers, Partition, Reader, TopicSpec
from sfc.runtime.record_lines import record_line
from sfc.runtime.starts import did_you_mean
from sfc.runtime.topics import creating
from sfc_gateway.bodies import decode_json, json_response, read_body
from sfc_gateway.services import Services

PUBLISH_BYTES_MAX = 64 * 1024 * 1024
_TAKE_S = 0.25  # how long a tail may hold a thread while nothing comes
MEDIA_TYPE = "application/x-ndjson"


class _Line(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/dev/topics", tags=["development only"])

    @routes.get("", summary="All topics with their partition counts")
    def list_topics() -> Response:
        return json_response({"topics": [{"name": name, "partitions": n} for name, n in sorted(services.log.topics().items())]})

    @routes.post("/{topic}", summary="Publish a batch of records")
    async def publish_records(topic: str, request: Request) -> Response:
        """Body: JSON lines {"key", "value"} with text, or {"key_base64", "value_base64"}; optionally "headers", an object of texts.
        The embedded log makes a topic that is missing (``made``). ``triggers``: the blueprints that it starts; where it starts none,
        ``near`` is the topic of a trigger with a similar name."""
        body = await read_body(request, PUBLISH_BYTES_MAX, "a batch of records")
        lines = [_line(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
        made = await run_in_threadpool(_publish, services, topic, lines)
        return json_response({"topic": topic, "published": len(lines), "made": made, **_readers_of(services, topic)})

    @routes.get("/{topic}/records", summary="Follow a topic, as JSON lines")
    async def tail_topic(
        topic: str,
        start: Annotated[Literal["end", "earliest"], Query(alias="from")] = "end",
        limit: Annotated[int, Query(ge=0, description="0: no limit.")] = 0,
        timeout: Annotated[float | None, Query(ge=0, le=3600, description="Seconds; none: until the caller leaves.")] = None,
    ) -> StreamingResponse:
        reader = await run_in_threadpool(_reader, services, topic, start)
        return StreamingResponse(_follow(services, reader, limit, timeout), media_type=MEDIA_TYPE)

    return routes


def absent() -> APIRouter:
    """In place of it where it is not offered: who publishes or tails is told how it is done."""
    routes = APIRouter(prefix="/dev", include_in_schema=False)

    @routes.api_route("/{path:path}", methods=["GET", "POST"])
    def no_topics(path: str) -> Response:
        raise UnknownName(
            "this gateway gives no access to topics: its log is Kafka", hint="name the broker with --kafka HOST:PORT or SFC_KAFKA"
        )

    return routes


def _line(number: int, line: bytes) -> _Line:
    found = decode_json(line, f"line {number} of a batch")
    if not isinstance(found, dict):
        raise BadInput(f'line {number} of a batch must be an object such as {{"key": "k", "value": "v"}}; it is {found!r:.80}')
    headers = found.get("headers", {})
    if not isinstance(headers, dict):
        raise BadInput(f"line {number} of a batch: headers must be an object of texts; it is {headers!r:.80}")
    return _Line(_bytes(number, found, "key"), _bytes(number, found, "value"), [(str(k), str(v).encode()) for k, v in headers.items()])


def _bytes(number: int, found: dict[str, Any], name: str) -> bytes | None:
    text, encoded = found.get(name), found.get(f"{name}_base64")
    if text is None and encoded is None:
        return None
    if text is not None:
        if not isinstance(text, str):
            raise BadInput(f"line {number} of a batch: {name} must be text (a record's bytes), it is {text!r:.80}; write JSON as text")
        return text.encode()
    try:
        return b64decode(str(encoded), validate=True)
    except (binascii.Error, ValueError) as e:
        raise BadInput(f"line {number} of a batch: {name}_base64 is no base64: {e}") from e


def _publish(services: Services, topic: str, lines: list[_Line]) -> bool:
    """Whether the topic was made for it. Raises NotPossible for those that SFC alone writes: a stray record stops the engine for good."""
    names = services.names
    if topic in (names.state, names.history, names.definitions):
        raise NotPossible(
            f"{topic} is written by SFC alone", hint=f"steer flows by records of {names.control}; `sfc deploy` brings definitions"
        )
    made = topic not in services.log.topics()
    if made:
        if not services.embedded:
            raise _no_topic(services, topic)
        services.log.create([TopicSpec(topic, services.shards)])
    lost: list[str] = []
    producer = services.log.producer(busy=True)
    try:
        for line in lines:
            headers: Headers = line.headers
            producer.send(topic, line.value, line.key, headers, on_failure=lost.append)
        producer.flush()
    finally:
        producer.close()
    if lost:
        raise LogError(f"{len(lost)} of {len(lines)} records were not taken by {topic}: {lost[0]}")
    return made


def _readers_of(services: Services, topic: str) -> dict[str, Any]:
    triggers = [(trigger.topic, head.name) for head in services.definitions.heads.values() for trigger in head.triggers]
    found: dict[str, Any] = {"triggers": sorted({name for read, name in triggers if read == topic})}
    if services.names.is_own(topic):
        return {**found, "own": True}  # its reader is SFC itself
    near = [] if found["triggers"] else difflib.get_close_matches(topic, {read for read, _ in triggers}, n=1)
    return {**found, "near": near[0]} if near else found


def _no_topic(services: Services, topic: str) -> UnknownName:
    create = creating(TopicSpec(topic, services.shards), services.bootstrap)
    return UnknownName(f"there is no topic {topic}", hint=f"{did_you_mean(topic, services.log.topics())} ({create} would make it)")


def _reader(services: Services, topic: str, start: str) -> Reader:
    count = services.log.topics().get(topic)
    if count is None:
        raise UnknownName(f"there is no topic {topic}", hint=did_you_mean(topic, services.log.topics()))
    partitions = [Partition(topic, n) for n in range(count)]
    return services.log.reader(services.log.starts(partitions) if start == "earliest" else services.log.ends(partitions))


async def _follow(services: Services, reader: Reader, limit: int, timeout_s: float | None) -> AsyncIterator[bytes]:
    """Lines as records come. Ends after ``limit`` records or ``timeout_s``; starts with an empty line, so that headers leave at once."""
    until = None if timeout_s is None else services.clock.monotonic_s() + timeout_s
    sent = 0
    try:
        yield b"\n"
        while True:
            left_s = _TAKE_S if until is None else until - services.clock.monotonic_s()
            records = await run_in_threadpool(reader.take, limit - sent if limit else 500, max(0.0, min(_TAKE_S, left_s)))
            if records:
                yield b"".join(msgspec.json.encode(record_line(r)) + b"\n" for r in records)
            sent += len(records)
            if (limit and sent >= limit) or (not records and left_s <= 0):
                return
    finally:
        reader.close()
