"""/v1/groups: business lines, with what belongs to them and how their flows stand."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import APIRouter, Request, Response
from msgspec.structs import asdict, replace
from starlette.concurrency import run_in_threadpool

from sfc.engine.commands import Stop
from sfc.ports import BlueprintStatistics, FlowQuery
from sfc.registry import GroupInfo, Groups
from sfc_gateway.access import By
from sfc_gateway.bodies import json_response, read_options
from sfc_gateway.services import Services

_PAGE = 1_000


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/groups", tags=["groups"])
    groups = Groups(services.registry)

    @routes.get("", summary="All groups, by name")
    def list_groups() -> Response:
        """Each with its ``blueprints`` (name to status), ``tasks``, ``hold``, its ``flows`` by status, and by blueprint the ``versions``
        that these are of: a flow belongs to the group that its own version names."""
        found = groups.all()
        statistics = services.index.statistics().blueprints if found else []
        return json_response({"groups": [_shown(group, statistics) for group in found]})

    @routes.get("/{name}", summary="One group")
    def get_group(name: str) -> Response:
        return json_response(_shown(groups.get(name), services.index.statistics().blueprints))

    @routes.post("/{name}/stop", status_code=202, summary="End all flows of a group as ABORTED")
    async def stop_group(name: str, request: Request, by: By = "") -> Response:
        """Body: {"error", "cause"}, or {"reason"} for the cause, or none. Answers when the commands are on the log: ``asked`` says how
        many flows ran, as the index knew them. What starts meanwhile is not stopped: pause the group first."""
        options = await read_options(request, "the body of a stop", ("error", "cause", "reason"))
        stop = Stop(options.get("error"), options.get("cause", options.get("reason")), by)
        return json_response(await run_in_threadpool(_stop, services, groups.get(name), stop), 202)

    return routes


def _shown(group: GroupInfo, statistics: list[BlueprintStatistics]) -> dict[str, Any]:
    flows: Counter[str] = Counter()
    versions: dict[str, list[int]] = {}
    paused = 0
    for one in _of(group, statistics):
        flows.update(one.flows)
        paused += one.paused
        versions.setdefault(one.blueprint, []).append(one.version)
    return {**asdict(group), "versions": versions, "flows": dict(flows), "paused": paused}


def _of(group: GroupInfo, statistics: list[BlueprintStatistics]) -> list[BlueprintStatistics]:
    return [one for one in statistics if one.version in group.versions.get(one.blueprint, ())]


def _stop(services: Services, group: GroupInfo, stop: Stop) -> dict[str, Any]:
    asked = 0
    for one in _of(group, services.index.statistics().blueprints):
        if not one.flows.get("RUNNING"):
            continue
        query = FlowQuery(status="RUNNING", blueprint=one.blueprint, version=one.version, limit=_PAGE)
        while True:
            page = services.index.find(query)
            for flow in page.flows:
                services.appender.append(flow.flow, stop)
            services.appender.flush()
            asked += len(page.flows)
            if not page.next_cursor:
                break
            query = replace(query, cursor=page.next_cursor)
    return {"group": group.name, "asked": asked}
