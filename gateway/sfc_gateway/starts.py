"""POST /v1/blueprints/{name}/flows: a flow is started by a command on the log."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from sfc.engine.commands import Origin
from sfc.errors import BadInput, UnknownName
from sfc.runtime.starts import new_uuid7, start_command
from sfc.wire.ids import flow_id
from sfc.wire.replies import Answer
from sfc_gateway.bodies import PAYLOAD_BYTES_MAX, duration_s, json_response, read_json
from sfc_gateway.services import Services
from sfc_gateway.verdicts import awaited, put

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}").fullmatch


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["flows"])

    @routes.post("/blueprints/{name}/flows", status_code=202, summary="Start a flow")
    async def start_flow(
        name: str,
        request: Request,
        id: Annotated[str, Query(description="The part of the flow's id behind the blueprint's name.")] = "",
        wait: Annotated[str, Query(description="How long to wait for the flow's end: 500ms, 10s, 1m.")] = "",
        idempotency_key: Annotated[str, Header(description="Chosen by the caller: the same key starts one flow and gives its id.")] = "",
        traceparent: Annotated[str, Header()] = "",
    ) -> Response:
        """The body is the flow's input, any JSON (none: an empty object). 202 with the flow's id; with ``wait`` 200 with its outcome
        when it ends in time. ``existed``: the id is that of an earlier flow, and nothing was
        started. A paused blueprint accepts starts, and they wait; a disabled one answers 409."""
        wait_s = duration_s(wait, "wait") if wait else 0.0
        if id and idempotency_key and id != idempotency_key:
            raise BadInput(f"id {id!r:.80} and Idempotency-Key {idempotency_key!r:.80} name two flows: give one of them")
        chosen = id or idempotency_key
        body = await read_json(request, PAYLOAD_BYTES_MAX, "a flow's input", empty={})
        flow = flow_id(name, chosen or new_uuid7(services.clock))
        with awaited(services) as verdict, awaited(services) as end:
            command = start_command(
                services.definitions,
                name,
                body,
                origin=Origin("http"),
                keep_id=bool(chosen),
                wait=end.to if wait_s else None,
                accepted=verdict.to if chosen else None,
                traceparent=traceparent if _TRACEPARENT(traceparent) else "",
            )
            await put(services, flow, command)
            started = services.clock.monotonic_s()
            replayed = False
            if chosen:
                answer = await verdict.within(services.verdict_s)
                _refuse_unknown(answer)
                replayed = answer is not None and answer.status == "flow-exists"
            status_url = f"/v1/flows/{flow}"
            headers = {"Location": status_url, **({"Idempotent-Replayed": "true"} if replayed else {})}
            outcome: dict[str, Any] | None = None
            if wait_s:
                came = await end.within(max(wait_s - (services.clock.monotonic_s() - started), 0.0))
                _refuse_unknown(came)
                outcome = _outcome(came) if came is not None else None
                if replayed and (outcome is None or outcome.get("output", ...) is None):
                    # A flow that ran before answers its own caller alone, and a stub may have lost a large output.
                    outcome = await run_in_threadpool(_ended_before, services, flow) or outcome
        if outcome is not None:
            return json_response({**outcome, "existed": True} if replayed else outcome, 200, headers)
        accepted = {"flow": flow, "blueprint": name, "version": command.version, "status_url": status_url}
        if replayed:
            accepted["existed"] = True
            known = await run_in_threadpool(services.index.get, flow)
            if known is not None:
                accepted.update(version=known.version, status=known.status)
        return json_response(accepted, 202, headers)

    return routes


def _refuse_unknown(answer: Answer | None) -> None:
    if answer is not None and answer.status == "unknown":
        raise UnknownName(answer.detail, hint="the engine does not know this version: two registries write to one namespace?")


def _outcome(answer: Answer) -> dict[str, Any]:
    if answer.status == "SUCCEEDED":
        return {"flow": answer.flow, "status": answer.status, "output": answer.output}
    return {"flow": answer.flow, "status": answer.status, "error": answer.error, "cause": answer.cause}


def _ended_before(services: Services, flow: str) -> dict[str, Any] | None:
    """The outcome of a flow that existed already, as the history has it; None while it runs (or is not indexed yet)."""
    known = services.index.get(flow)
    if known is None or not known.ended_ms:
        return None
    if known.status != "SUCCEEDED":
        return {"flow": flow, "status": known.status, "error": known.error, "cause": known.cause}
    events = services.index.history(flow)
    output = next((e.get("output") for e in reversed(events) if "output" in e), None)
    return {"flow": flow, "status": known.status, "output": output}
