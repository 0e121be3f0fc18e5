"""/v1/drafts: documents that somebody works on."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from sfc.errors import InvalidDocument
from sfc.registry import Drafts
from sfc.registry.drafts import KINDS, ready
from sfc.registry.shapes import NAME
from sfc_gateway import deploys
from sfc_gateway.access import By
from sfc_gateway.bodies import json_response, read_document
from sfc_gateway.definitions import deployed
from sfc_gateway.paging import LIMIT, Cursor, Limit, no_cursor, page
from sfc_gateway.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/drafts", tags=["drafts"])
    drafts = Drafts(services.registry)

    @routes.get("", summary="All drafts")
    def list_drafts(limit: Limit = LIMIT, cursor: Cursor = "") -> Response:
        """Blueprints first, by name."""
        kind, colon, name = cursor.partition(":")
        if cursor and not (colon and kind in KINDS and NAME(name)):
            raise no_cursor(cursor)
        return json_response(page("drafts", drafts.all((kind, name), limit + 1), limit, lambda draft: f"{draft.kind}:{draft.name}"))

    @routes.get("/{kind}/{name}", summary="One draft and its document")
    def get_draft(kind: str, name: str) -> Response:
        """``kind``: blueprint or task."""
        return json_response(drafts.get(kind, name))

    @routes.put("/{kind}/{name}", summary="Save a draft")
    async def put_draft(kind: str, name: str, request: Request, by: By = "") -> Response:
        """Body: a JSON or YAML object. It need not be right: `validate` says what is missing."""
        document = await read_document(request, name)
        return json_response(await run_in_threadpool(drafts.save, kind, name, document, by))

    @routes.delete("/{kind}/{name}", status_code=204, summary="Throw a draft away")
    def delete_draft(kind: str, name: str) -> Response:
        drafts.delete(kind, name)
        return Response(status_code=204)

    @routes.post("/{kind}/{name}/validate", summary="All that a deploy would say of a draft")
    def validate_draft(kind: str, name: str) -> Response:
        problems = drafts.problems(drafts.get(kind, name))
        return json_response({"valid": all(p.severity != "error" for p in problems), "problems": [p._asdict() for p in problems]})

    @routes.post("/{kind}/{name}/deploy", summary="Deploy a draft, and remove it")
    def deploy_draft(kind: str, name: str) -> Response:
        """As a save of the document: 201 for a new version, else 200. A draft with problems stays (422)."""
        draft = drafts.get(kind, name)
        problems = drafts.problems(draft)
        if any(p.severity == "error" for p in problems):
            raise InvalidDocument(f"draft {name}", problems)
        (saved,) = deploys.deploy(services, [(name, ready(draft))])
        drafts.deployed(draft)
        return json_response(deployed(saved), 201 if saved.made else 200, {"Location": f"/v1/{kind}s/{name}"})

    return routes
