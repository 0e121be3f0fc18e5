"""Pauses, resumes and statuses: of blueprints, versions, tasks and groups."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from msgspec.structs import asdict
from starlette.concurrency import run_in_threadpool

from sfc.errors import BadInput
from sfc.registry import Edited, HoldEdited, Holds
from sfc_gateway import deploys
from sfc_gateway.access import By
from sfc_gateway.bodies import json_response, read_options
from sfc_gateway.services import Services

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
_TIMERS = {"freeze": True, "run": False}


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["holds"])
    holds = Holds(services.registry)

    async def told(edited: Edited | HoldEdited) -> Edited | HoldEdited:
        await run_in_threadpool(deploys.publish, services, edited.revision)
        return edited

    async def pause(subject: str, request: Request, by: str) -> Response:
        reason, freeze = await _pause_options(request)
        return json_response(await told(await run_in_threadpool(holds.pause, subject, reason, by, freeze)))

    async def resume(subject: str, request: Request, by: str) -> Response:
        await read_options(request, "the body of a resume", ("reason",))
        return json_response(await told(await run_in_threadpool(holds.resume, subject, by)))

    @routes.get("/holds", summary="All holds that apply to more than one flow")
    def list_holds() -> Response:
        return json_response({"holds": holds.all()})

    @routes.post("/blueprints/{name}/pause", summary="Hold a blueprint's flows and triggers")
    async def pause_blueprint(name: str, request: Request, by: By = "") -> Response:
        """Body: {"reason", "timers": "freeze" | "run"}, or none. HTTP starts are accepted and wait; records stay in their topics."""
        reason, freeze = await _pause_options(request)
        return json_response(await told(await run_in_threadpool(services.registry.pause, name, reason, by, freeze)))

    @routes.post("/blueprints/{name}/resume", summary="Lift a blueprint's hold")
    async def resume_blueprint(name: str, request: Request, by: By = "") -> Response:
        await read_options(request, "the body of a resume", ("reason",))
        return json_response(await told(await run_in_threadpool(services.registry.resume, name, by)))

    @routes.post("/blueprints/{name}/enable", summary="Let a disabled or retired blueprint start flows again")
    async def enable_blueprint(name: str, request: Request, by: By = "") -> Response:
        await read_options(request, "the body of an enable", ("reason",))
        return json_response(await told(await run_in_threadpool(services.registry.enable, name, by)))

    @routes.post("/blueprints/{name}/disable", summary="Start no more flows of a blueprint, and let those that run finish")
    async def disable_blueprint(name: str, request: Request, by: By = "") -> Response:
        """HTTP starts get 409, records stay in their topics. A pause of the blueprint is lifted. ``running``: flows that still run."""
        await read_options(request, "the body of a disable", ("reason",))
        edited = await told(await run_in_threadpool(services.registry.disable, name, by))
        return json_response(await run_in_threadpool(_with_running, services, name, edited))

    @routes.post("/blueprints/{name}/retire", summary="Disable a blueprint, hide it, and take no more deploys for it")
    async def retire_blueprint(name: str, request: Request, by: By = "") -> Response:
        """Flows that run finish; ``running`` says how many there are. `enable` brings it back."""
        await read_options(request, "the body of a retire", ("reason",))
        edited = await told(await run_in_threadpool(services.registry.retire, name, by))
        return json_response(await run_in_threadpool(_with_running, services, name, edited))

    @routes.post("/blueprints/{name}/versions/{version}/pause", summary="Hold the flows of one version of a blueprint")
    async def pause_version(name: str, version: Number, request: Request, by: By = "") -> Response:
        """Body: {"reason", "timers": "freeze" | "run"}, or none."""
        return await pause(f"version:{name}@{version}", request, by)

    @routes.post("/blueprints/{name}/versions/{version}/resume", summary="Lift the hold of a version")
    async def resume_version(name: str, version: Number, request: Request, by: By = "") -> Response:
        return await resume(f"version:{name}@{version}", request, by)

    @routes.post("/tasks/{name}/pause", summary="Hold flows before a task")
    async def pause_task(name: str, request: Request, by: By = "") -> Response:
        """Body: {"reason", "timers": "freeze" | "run"}, or none."""
        return await pause(f"task:{name}", request, by)

    @routes.post("/tasks/{name}/resume", summary="Lift the hold of a task")
    async def resume_task(name: str, request: Request, by: By = "") -> Response:
        return await resume(f"task:{name}", request, by)

    @routes.post("/groups/{name}/pause", summary="Hold the flows and triggers of a group's blueprints")
    async def pause_group(name: str, request: Request, by: By = "") -> Response:
        """Body: {"reason", "timers": "freeze" | "run"}, or none."""
        return await pause(f"group:{name}", request, by)

    @routes.post("/groups/{name}/resume", summary="Lift the hold of a group")
    async def resume_group(name: str, request: Request, by: By = "") -> Response:
        return await resume(f"group:{name}", request, by)

    return routes


async def _pause_options(request: Request) -> tuple[str, bool | None]:
    """Reason, and whether timers stand still (None: not said)."""
    options = await read_options(request, "the body of a pause", ("reason", "timers"))
    timers = options.get("timers")
    if timers is not None and timers not in _TIMERS:
        raise BadInput(f"timers must be freeze (they keep their remaining time) or run (it passes), it is {timers!r:.80}")
    return options.get("reason", ""), None if timers is None else _TIMERS[timers]


def _with_running(services: Services, name: str, edited: Edited | HoldEdited) -> dict[str, Any]:
    """With the number of flows that run, as the index knows it."""
    statistics = services.index.statistics(name)
    return {**asdict(edited), "running": sum(one.flows.get("RUNNING", 0) for one in statistics.blueprints)}
