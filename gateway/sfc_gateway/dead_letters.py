"""/v1/dead-letters: what could not be understood; shown, replayed, discarded."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NoBase64
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from sfc.errors import BadInput, UnknownName
from sfc.ports import DeadLetterDocument
from sfc_gateway.access import By
from sfc_gateway.bodies import PAYLOAD_BYTES_MAX, json_response, read_json
from sfc_gateway.paging import LIMIT, Cursor, Limit
from sfc_gateway.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["dead letters"])

    @routes.get("/dead-letters", summary="What could not be understood, newest first")
    def list_dead_letters(
        limit: Limit = LIMIT,
        cursor: Cursor = "",
        state: Annotated[Literal["open", "replayed", "discarded", "all"], Query(description="What became of them.")] = "open",
    ) -> Response:
        return json_response(services.index.dead_letters(limit, cursor, "" if state == "all" else state))

    @routes.get("/dead-letters/{letter}", summary="One dead letter with its record")
    def get_dead_letter(letter: str) -> Response:
        """Key, value and headers are base64: they may be anything."""
        return json_response(_found(services, letter))

    @routes.post("/dead-letters/{letter}/replay", summary="Append the record again to the topic that it came from")
    async def replay_dead_letter(letter: str, request: Request, by: By = "") -> Response:
        """Body: none, or {"value": any JSON} or {"value_base64": …} to mend the record. Everybody who reads that topic sees a new record.
        409 when it is not open any more."""
        value = _value(await read_json(request, 2 * PAYLOAD_BYTES_MAX, "the body of a replay", empty={}))
        found = await run_in_threadpool(_found, services, letter)
        topic = await run_in_threadpool(services.office.replay, found, by, value)
        return json_response({"id": letter, "state": "replayed", "topic": topic})

    @routes.post("/dead-letters/{letter}/discard", summary="Take it off the list of what is open")
    async def discard_dead_letter(letter: str, by: By = "") -> Response:
        """The record stays in its topic and in sfc.dead-letters until their retention ends. 409 when it is not open any more."""
        found = await run_in_threadpool(_found, services, letter)
        await run_in_threadpool(services.office.discard, found, by)
        return json_response({"id": letter, "state": "discarded"})

    return routes


def _found(services: Services, letter: str) -> DeadLetterDocument:
    found = services.index.dead_letter(letter)
    if found is None:
        raise UnknownName(f"there is no dead letter {letter}", hint="`sfc dead-letters list` shows those there are")
    return found


def _value(given: Any) -> bytes | None:
    if not isinstance(given, dict) or len(given) > 1 or given.keys() - {"value", "value_base64"}:
        raise BadInput('the body of a replay is empty, {"value": any JSON} or {"value_base64": text}')
    if "value" in given:
        return msgspec.json.encode(given["value"])
    if "value_base64" in given:
        try:
            return b64decode(given["value_base64"], validate=True)
        except (NoBase64, ValueError, TypeError) as e:
            raise BadInput(f"value_base64 must be base64: {e}") from e
    return None
