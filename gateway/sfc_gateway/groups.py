"""/v1/groups: business lines, with what belongs to them and how their flows stand."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import APIRouter, Request, Response
from msgspec.structs import asdict
from starlette.concurrency import run_in_threadpool

from sfc.engine.commands import Stop
from sfc.ports import BlueprintStatistics, FlowQuery
from sfc.registry import GroupInfo, Groups
from sfc_gateway.bodies import json_response, read_options
from sfc_gateway.holds import By
from sfc_gateway.services import Services

_PAGE = 1_000


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/groups", tags=["groups"])
    groups = Groups(services.registry)

    @routes.get("", summary="All groups, by name")
    def list_groups() -> Response:
        """Each with its ``blueprints`` (name to status), ``tasks``, ``hold``, and its ``flows`` by status."""
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
    paused = 0
    for one in statistics:
        if one.blueprint in group.blueprints:
            flows.update(one.flows)
            paused += one.paused
    return {**asdict(group), "flows": dict(flows), "paused": paused}


def _stop(services: Services, group: GroupInfo, stop: Stop) -> dict[str, Any]:
    asked = 0
    for blueprint in group.blueprints:
        cursor = ""
        while True:
            page = services.index.find(FlowQuery(status="RUNNING", blueprint=blueprint, limit=_PAGE, cursor=cursor))
            for flow in page.flows:
                services.appender.append(flow.flow, stop)
            services.appender.flush()
            asked += len(page.flows)
            cursor = page.next_cursor
            if not cursor:
                break
    return {"group": group.name, "asked": asked}
