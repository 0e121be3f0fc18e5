"""Rolling a blueprint back, and what differs between its versions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from msgspec.structs import asdict
from starlette.concurrency import run_in_threadpool

from sfc.errors import BadInput
from sfc.registry import diff
from sfc_gateway import rollbacks
from sfc_gateway.bodies import DOCUMENT_BYTES_MAX, json_response, read_document, read_json
from sfc_gateway.definitions import same_name
from sfc_gateway.services import Services

_NUMBER_MAX = 2**31 - 1
From = Annotated[int | None, Query(alias="from", ge=1, le=_NUMBER_MAX, description="Default: the version before the other one.")]
To = Annotated[int | None, Query(alias="to", ge=1, le=_NUMBER_MAX, description="Default: the current version.")]
FromCurrent = Annotated[int | None, Query(alias="from", ge=1, le=_NUMBER_MAX, description="Default: the current version.")]


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["definitions"])
    registry = services.registry

    @routes.post("/blueprints/{name}/rollback", summary="Make an older version the current one")
    async def roll_back(name: str, request: Request) -> Response:
        """Body: {"to": 3}, or none for the version before the current one. Its triggers and its group become the active ones; what
        starts next takes it. Flows that run keep the version they started with."""
        to = await _target(request)
        return json_response(await run_in_threadpool(rollbacks.roll_back, services, name, to))

    @routes.get("/blueprints/{name}/diff", summary="What differs between two versions")
    def get_diff(name: str, from_: From = None, to: To = None) -> Response:
        """By structure, and as ``text``: a unified diff of YAML."""
        new = to if to is not None else registry.blueprint(name).current
        old = from_ if from_ is not None else max(new - 1, 1)
        new_document, old_document = registry.version(name, new).document, registry.version(name, old).document
        return json_response({"name": name, "from": old, "to": new, **_diff(old_document, new_document, f"{name}@{old}", f"{name}@{new}")})

    @routes.post("/blueprints/{name}/diff", summary="What a deploy of a document would change")
    async def post_diff(name: str, request: Request, from_: FromCurrent = None) -> Response:
        """Body: a blueprint as JSON or YAML, checked and pinned as a deploy would do it. ``to`` is the version that a deploy would make
        current, null where it would make a new one."""
        document = await read_document(request, name)
        section = document.setdefault("Sfc", {})
        if isinstance(section, dict):
            same_name(name, section.setdefault("Name", name), "/Sfc/Name")
        return json_response(await run_in_threadpool(compare, name, document, from_))

    def compare(name: str, document: dict[str, Any], from_: int | None) -> dict[str, Any]:
        old = from_ if from_ is not None else registry.blueprint(name).current
        old_document = registry.version(name, old).document
        new_document, to = registry.as_deployed(name, document)
        new_name = f"{name}@{to}" if to else f"{name} (not deployed)"
        return {"name": name, "from": old, "to": to, **_diff(old_document, new_document, f"{name}@{old}", new_name)}

    return routes


def _diff(old: dict[str, Any], new: dict[str, Any], old_name: str, new_name: str) -> dict[str, Any]:
    found = diff.diff(old, new)
    return {"same": found.same, **asdict(found), "text": diff.unified(old, new, old_name, new_name)}


async def _target(request: Request) -> int | None:
    body = await read_json(request, DOCUMENT_BYTES_MAX, "the body of a rollback", empty={})
    to = body.get("to") if isinstance(body, dict) else None
    if not isinstance(body, dict) or body.keys() - {"to"} or ("to" in body and (type(to) is not int or not 1 <= to <= _NUMBER_MAX)):
        raise BadInput(f'the body of a rollback must be {{"to": VERSION}} with a version\'s number, or empty; it is {body!r:.80}')
    return to
