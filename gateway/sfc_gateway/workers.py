"""/v1/workers: pools of workers, what is wanted of them, and who is at work."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from sfc.errors import BadInput, NotPossible
from sfc.ports import GroupMember
from sfc.registry.pools import PoolEdited, Pools
from sfc.runtime.pools import Lag, Pool, lags, pools_of
from sfc_gateway import deploys
from sfc_gateway.bodies import PAYLOAD_BYTES_MAX, json_response, read_json, read_options
from sfc_gateway.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["workers"])
    overrides = Pools(services.registry)

    async def told(edited: PoolEdited) -> Response:
        await run_in_threadpool(deploys.publish, services, edited.revision)
        return json_response(edited)

    @routes.get("/workers", summary="Pools of workers, with who is at work")
    def list_workers() -> Response:
        """``scale``: what the document asks for, null where nobody scales the pool. ``override``: what an operator wants over that.
        ``lag``: jobs that wait or are at work, null where the log does not tell (``trouble`` says why). ``members``: who has joined its
        consumer groups. ``scheduler``: who leads, who waits."""
        pools = pools_of(services.definitions, services.names)
        found = lags(services.log, pools.values())
        shown = [_shown(services, pool, found[name]) for name, pool in pools.items()]
        return json_response({"pools": shown, "scheduler": _scheduler(services)})

    @routes.put("/workers/{pool}", summary="Set how many workers a pool has")
    async def scale_workers(pool: str, request: Request) -> Response:
        """Body: {"min", "max"}, in place of what was set before; what is left out is as in the document. {} takes both back."""
        _needs_scheduler(services)
        low, high = _numbers(await read_json(request, PAYLOAD_BYTES_MAX, "the scale of a pool"))
        return await told(await run_in_threadpool(overrides.scale, pool, low, high))

    @routes.post("/workers/{pool}/drain", summary="Stop all workers of a pool: its jobs wait")
    async def drain_workers(pool: str, request: Request) -> Response:
        _needs_scheduler(services)
        await read_options(request, "the body of a drain", ())
        return await told(await run_in_threadpool(overrides.drain, pool, True))

    @routes.post("/workers/{pool}/undrain", summary="Let a drained pool have workers again")
    async def undrain_workers(pool: str, request: Request) -> Response:
        _needs_scheduler(services)
        await read_options(request, "the body of an undrain", ())
        return await told(await run_in_threadpool(overrides.drain, pool, False))

    return routes


def _needs_scheduler(services: Services) -> None:
    if services.embedded:
        raise NotPossible(
            "workers are scaled on Kafka only: the embedded log belongs to one process, and its workers are in there",
            hint="run SFC on Kafka, with `sfc scheduler`",
        )


def _numbers(given: Any) -> tuple[int | None, int | None]:
    if not isinstance(given, dict) or not given.keys() <= {"min", "max"}:
        raise BadInput(f'the scale of a pool must be an object with min, max or both: {{"min": 1, "max": 4}}; it is {given!r:.80}')
    for name, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise BadInput(f"{name} must be a whole number, or null for the document's; it is {value!r:.80}")
    return given.get("min"), given.get("max")


def _shown(services: Services, pool: Pool, lag: Lag) -> dict[str, Any]:
    groups = [] if lag.trouble else dict.fromkeys(pool.topics.values())
    override = services.definitions.pools.get(pool.name)
    return {
        "pool": pool.name,
        "topics": [{"topic": topic, "group": group} for topic, group in pool.topics.items()],
        "scale": None if pool.scale is None else pool.scale._asdict(),
        "override": None if override is None else {"min": override.min, "max": override.max, "drained": override.drained},
        "members": _by_instance([member for group in groups for member in services.log.group_members(group)]),
        **({"lag": None, "trouble": lag.trouble} if lag.trouble else {"lag": lag.jobs}),
        "partitions": lag.partitions,
    }


def _by_instance(members: list[GroupMember]) -> list[dict[str, Any]]:
    """A process may have joined several groups."""
    found: dict[tuple[str, str], list[str]] = {}
    for member in members:
        found.setdefault((member.client_id, member.host), []).extend(f"{p.topic}-{p.number}" for p in member.partitions)
    return [{"instance": instance, "host": host, "partitions": partitions} for (instance, host), partitions in sorted(found.items())]


def _scheduler(services: Services) -> dict[str, Any]:
    members = services.log.group_members(services.names.scheduler_group)
    leaders = [m.client_id for m in members if m.partitions]
    return {"leader": leaders[0] if leaders else None, "waiting": [m.client_id for m in members if not m.partitions]}
