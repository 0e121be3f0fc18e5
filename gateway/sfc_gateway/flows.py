"""/v1/flows: what the index knows of flows, and what may be asked of one."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from sfc.engine.commands import Pause, Redrive, Resume, Signal, Stop
from sfc.engine.flow import Flow
from sfc.errors import BadInput, IndexUnavailable, UnknownName
from sfc.monitor.paging import PAGE_MAX
from sfc.ports import FlowQuery
from sfc.runtime.explain import Facts, explain, folded, in_state
from sfc.runtime.starts import did_you_mean, new_uuid7
from sfc.wire.ids import ID_CHARACTERS_MAX
from sfc_gateway.access import By
from sfc_gateway.bodies import json_response, read_options, time_ms
from sfc_gateway.paging import LIMIT, Cursor, Limit, number_in, page
from sfc_gateway.paused_by import page_with_holds, query_of_paused, with_holds
from sfc_gateway.services import Services
from sfc_gateway.verdicts import ask

_FLOW_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}:[A-Za-z0-9._:-]+").fullmatch
_RUN_MAX = 2**63 - 1
_STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PAUSED")


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/flows", tags=["flows"])

    @routes.get("", summary="Find flows, newest first")
    def find_flows(
        status: Annotated[str, Query(description=" | ".join(_STATUSES))] = "",
        blueprint: str = "",
        version: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
        state: Annotated[str, Query(description="A state in which the flow is now.")] = "",
        error: str = "",
        q: Annotated[str, Query(description="Somewhere in id, error or cause.")] = "",
        started_from: Annotated[str, Query(description="RFC 3339 or milliseconds since 1970; inclusive.")] = "",
        started_to: Annotated[str, Query(description="The same; exclusive.")] = "",
        limit: Limit = LIMIT,
        cursor: Cursor = "",
    ) -> Response:
        wanted = status.upper()
        if wanted and wanted not in _STATUSES:
            raise BadInput(f"there is no status {status!r:.120}: {', '.join(_STATUSES)} are")
        known = services.definitions.heads
        if blueprint and blueprint not in known and not services.index.find(FlowQuery(blueprint=blueprint, limit=1)).flows:
            raise UnknownName(f"there is no blueprint {blueprint!r:.120}", hint=did_you_mean(blueprint, known))
        query = FlowQuery(
            status=wanted,
            blueprint=blueprint,
            version=version,
            state=state,
            error=error,
            started_from_ms=time_ms(started_from, "started_from"),
            started_to_ms=time_ms(started_to, "started_to"),
            text=q,
            limit=limit,
            cursor=cursor,
        )
        page = services.index.find(query_of_paused(query, services.definitions))
        return json_response(page_with_holds(page, services.definitions))

    @routes.get("/{flow}", summary="One flow: its latest run")
    def get_flow(flow: str) -> Response:
        found = services.index.get(_flow_id(flow))
        if found is None:
            raise UnknownName(f"there is no flow {flow}", hint="one that has just started shows up within a second: `sfc flows list`")
        return json_response(with_holds(found, services.definitions))

    @routes.get("/{flow}/history", summary="The events of a flow, in order")
    def get_history(
        flow: str,
        run: Annotated[int | None, Query(ge=0, le=_RUN_MAX, description="Default: the latest, or the cursor's.")] = None,
        limit: Limit = PAGE_MAX,
        cursor: Cursor = "",
    ) -> Response:
        """A cursor stays with its run, also when the flow has begun another one meanwhile."""
        seq = 0
        if cursor:
            run_text, _, seq_text = cursor.partition(":")
            run, seq = number_in(run_text, cursor), number_in(seq_text, cursor)
        found = services.index.history(_flow_id(flow), run)
        if not found:
            raise UnknownName(f"there is no history of {flow}{'' if run is None else f' in run {run}'}", hint="`sfc flows list`")
        behind = [event for event in found if event["seq"] > seq]
        if run is None and len(behind) > limit:
            known = services.index.get(flow)
            run = known.run if known is not None else None
        return json_response({"flow": flow, **page("events", behind, limit, lambda event: f"{run or 0}:{event['seq']}")})

    @routes.get("/{flow}/runs", summary="The lives of a flow's id")
    def get_runs(flow: str) -> Response:
        """The numbers by which the history of each is asked for, latest first; up to 100. A forgotten flow's id is free again."""
        found = services.index.runs(_flow_id(flow))
        if not found:
            raise UnknownName(f"there is no history of {flow}", hint="`sfc flows list`")
        return json_response({"flow": flow, "runs": found})

    @routes.get("/{flow}/explain", summary="Why does this flow not move?")
    def explain_flow(flow: str) -> Response:
        """What it waits for, what holds it, and commands that help; of the children that it waits for too."""
        facts = Facts(services.log, services.names, services.shards, services.definitions, services.clock.now_ms(), services.bootstrap)
        history = cache(lambda one: _history_of(services, one))  # asked for the state, and for where it failed
        return json_response(explain(_flow_id(flow), lambda one: folded(history(one)) or _in_log(services, one), facts, history))

    @routes.post("/{flow}/pause", summary="Pause a flow")
    async def pause_flow(flow: str, request: Request, by: By = "") -> Response:
        """Jobs at work are finished and their results kept; nothing else happens until it is resumed. Body: {"reason"}, or none."""
        options = await read_options(request, "the body of a pause", ("reason",))
        return await ask(services, _flow_id(flow), Pause(options.get("reason", ""), by))

    @routes.post("/{flow}/resume", summary="Lift a flow's own pause")
    async def resume_flow(flow: str, request: Request, by: By = "") -> Response:
        await read_options(request, "the body of a resume", ("reason",))
        return await ask(services, _flow_id(flow), Resume(by))

    @routes.post("/{flow}/stop", summary="End a flow as ABORTED")
    async def stop_flow(flow: str, request: Request, by: By = "") -> Response:
        """Body: {"error", "cause"}, or {"reason"} for the cause, or none."""
        options = await read_options(request, "the body of a stop", ("error", "cause", "reason"))
        return await ask(services, _flow_id(flow), Stop(options.get("error"), options.get("cause", options.get("reason")), by))

    @routes.post("/{flow}/redrive", summary="Let a failed, timed-out or aborted flow go on where it ended")
    async def redrive_flow(
        flow: str,
        request: Request,
        by: By = "",
        idempotency_key: Annotated[str, Header(description="The same key redrives once.")] = "",
    ) -> Response:
        """Body: {"input"} in place of the failed states' input, or none."""
        options: dict[str, Any] = await read_options(request, "the body of a redrive", ("input",))
        asked = idempotency_key or new_uuid7(services.clock)
        return await ask(services, _flow_id(flow), Redrive(asked, options.get("input"), "input" in options, by))

    @routes.post("/{flow}/signals/{name}", summary="Tell a flow what it waits for, or will wait for")
    async def signal_flow(
        flow: str,
        name: str,
        request: Request,
        by: By = "",
        idempotency_key: Annotated[str, Header(description="The same key signals once.")] = "",
    ) -> Response:
        """Body: {"output"} with any JSON, {"error", "cause"} to let the wait fail, or none."""
        options: dict[str, Any] = await read_options(request, "the body of a signal", ("output", "error", "cause"))
        if "error" in options and "output" in options:
            raise BadInput("a signal has an output or an error, both came")
        if "cause" in options and "error" not in options:
            raise BadInput("the cause of a signal goes with its error, which is missing")
        told = Signal(name, options.get("output"), options.get("error"), options.get("cause"), by, idempotency_key)
        return await ask(services, _flow_id(flow), told)

    return routes


def _in_log(services: Services, flow: str) -> Flow | None:
    """Where the index does not answer, or has not all of its history."""
    return in_state(services.log, services.names, services.shards, flow)


def _history_of(services: Services, flow: str) -> list[dict[str, Any]]:
    """Empty where the index does not answer, too."""
    try:
        return services.index.history(flow)
    except IndexUnavailable:
        return []


def _flow_id(flow: str) -> str:
    if len(flow) > ID_CHARACTERS_MAX or not _FLOW_ID(flow):
        raise UnknownName(
            f"there is no flow {flow!r:.220}: a flow's id is <blueprint>:<rest>", hint="`sfc flows list` shows those there are"
        )
    return flow
