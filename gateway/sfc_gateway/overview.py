"""/v1/statistics, /v1/cluster; probes and metrics."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sfc.ports import Partition
from sfc.wire.state import decode_shard, shard_key
from sfc_gateway.bodies import json_response, step_ms, time_ms
from sfc_gateway.services import Services

HOUR_MS = 3_600_000
_LAST_RECORDS = 50  # a shard's record is the last of its transaction; markers and aborted records may follow it


def release() -> str:
    """SFC's version."""
    try:
        return version("service-flow-conductor")
    except PackageNotFoundError:  # a checkout that was never installed
        return "unknown"


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["overview"])

    @routes.get("/statistics", summary="Flows by status and version, times per state, dead letters, dropped replies")
    def get_statistics(blueprint: str = "") -> Response:
        if blueprint:
            services.registry.blueprint(blueprint)  # one that is unknown is an error, one without flows is not
        found: dict[str, Any] = msgspec.to_builtins(services.index.statistics(blueprint or None))
        return json_response(
            {**found, "dead_letters": services.index.counters().dead_letters, "replies_dropped": replies_dropped(services)}
        )

    @routes.get("/statistics/throughput", summary="Flows started and ended over time")
    def get_throughput(
        blueprint: Annotated[str, Query(description="Default: all.")] = "",
        begin: Annotated[str, Query(alias="from", description="RFC 3339 or milliseconds since 1970. Default: an hour before `to`.")] = "",
        end: Annotated[str, Query(alias="to", description="The same; exclusive. Default: now.")] = "",
        step: Annotated[str, Query(description="Length of a slice: 500ms, 10s, 5m, 1h, 1d. At most 1,000 slices are given.")] = "5m",
    ) -> Response:
        """All slices, the empty ones too. Counts the latest run of each flow: `started` by its start, `ended` by its end and status."""
        if blueprint:
            services.registry.blueprint(blueprint)
        to_ms = time_ms(end, "to") if end else services.clock.now_ms() + 1
        from_ms = time_ms(begin, "from") if begin else max(to_ms - HOUR_MS, 0)
        length_ms = step_ms(step, "step")
        slices = services.index.throughput(blueprint or None, from_ms, to_ms, length_ms)
        return json_response({"from_ms": from_ms, "to_ms": to_ms, "step_ms": length_ms, "slices": slices})

    @routes.get("/cluster", summary="Where this gateway stands")
    def get_cluster() -> Response:
        return json_response(
            {
                "cluster": services.log.cluster_id(),
                "namespace": services.names.namespace,
                "shards": services.shards,
                "kind": "embedded" if services.embedded else "kafka",
                "release": release(),
                "instance": services.instance,
                "dev": services.dev,
            }
        )

    return routes


def replies_dropped(services: Services) -> int:
    """Answers that came for closed jobs, over all shards, as of their last commits: the shards' own records tell."""
    partitions = [Partition(services.names.state, n) for n in range(services.shards)]
    ends, starts = services.log.ends(partitions), services.log.starts(partitions)
    reader = services.log.reader({at: max(starts[at], ends[at] - _LAST_RECORDS) for at in partitions if ends[at] > starts[at]})
    dropped: dict[int, int] = {}
    try:
        while any(reader.position(at) < ends[at] for at in partitions if ends[at] > starts[at]):
            records = reader.take(1_000, 0.5)
            for record in records:
                if record.key == shard_key(record.partition) and record.value is not None:
                    dropped[record.partition] = decode_shard(record.value).dropped_replies
            if not records:
                break
    finally:
        reader.close()
    return sum(dropped.values())


def probes(services: Services) -> APIRouter:
    """Outside /v1: as on every role."""
    routes = APIRouter(tags=["health"])

    @routes.get("/livez", summary="Whether this process works")
    def livez() -> Response:
        return _check(services.live())

    @routes.get("/readyz", summary="Whether it may be asked")
    def readyz() -> Response:
        return _check(services.definitions.ready if services.ready is None else services.ready())

    @routes.get("/metrics", summary="Prometheus metrics")
    def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes


def _check(good: bool) -> Response:
    return json_response({"status": "ok" if good else "unavailable"}, 200 if good else 503)
