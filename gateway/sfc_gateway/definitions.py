"""/v1/blueprints, /v1/tasks, /v1/deploy: the registry over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from msgspec.structs import asdict
from starlette.concurrency import run_in_threadpool

from sfc.errors import BadInput, InvalidDocument, Problem
from sfc.registry import Deployed, HoldInfo, Holds
from sfc.registry.groups import task_names
from sfc.registry.holds import applying
from sfc.registry.status import RETIRED
from sfc_gateway import deploys
from sfc_gateway.bodies import DEPLOY_BYTES_MAX, json_response, read_document, read_json
from sfc_gateway.paging import LIMIT, Cursor, Limit, number_in, page
from sfc_gateway.services import Services

Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Default: the current one.")]


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["definitions"])
    holds = Holds(services.registry)

    async def save(documents: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        return [deployed(one) for one in await run_in_threadpool(deploys.deploy, services, documents)]

    @routes.post("/deploy", summary="Save blueprints and tasks, all of them or none")
    async def deploy(request: Request) -> Response:
        """Body: a list of {"source", "document"}. Answers when the edits are published: what starts next takes them."""
        given = await read_json(request, DEPLOY_BYTES_MAX, "a deploy")
        return json_response({"deployed": await save(_documents(given))})

    @routes.put("/blueprints/{name}", summary="Save a blueprint")
    async def put_blueprint(name: str, request: Request) -> Response:
        """Body: the document as JSON or YAML. 201 for a new version, 200 when an older one is current again, or all is as it was."""
        document = await read_document(request, name)
        section = document.setdefault("Sfc", {})
        if isinstance(section, dict):
            same_name(name, section.setdefault("Name", name), "/Sfc/Name")
        (saved,) = await save([(name, document)])
        return json_response(saved, 201 if saved["created"] else 200, {"Location": f"/v1/blueprints/{name}"})

    @routes.put("/tasks/{name}", summary="Save a task")
    async def put_task(name: str, request: Request) -> Response:
        """As for blueprints. Blueprints keep the version that they name until they are edited."""
        document = await read_document(request, name)
        same_name(name, document.setdefault("Name", name), "/Name")
        (saved,) = await save([(name, document)])
        return json_response(saved, 201 if saved["created"] else 200, {"Location": f"/v1/tasks/{name}"})

    @routes.get("/blueprints", summary="All blueprints, by name")
    def list_blueprints(all: Annotated[bool, Query(description="Retired ones too.")] = False) -> Response:
        """``holds``: what holds any of its flows."""
        found = [b for b in services.registry.blueprints() if all or b.status != RETIRED]
        held = holds.all()
        return json_response({"blueprints": [{**asdict(b), "holds": _holds_on(held, b.name, [b.document])} for b in found]})

    @routes.get("/blueprints/{name}", summary="One blueprint and its document")
    def get_blueprint(name: str, version: Version = None) -> Response:
        """``holds``: what holds any of its flows, those of older versions included."""
        versions = services.registry.versions(name)
        head = asdict(services.registry.blueprint(name))
        head["holds"] = _holds_on(holds.all(), name, [v.document for v in versions])
        if version is None:
            return json_response({**head, "version": head["current"]})
        return json_response({**head, **asdict(services.registry.version(name, version))})

    @routes.get("/blueprints/{name}/versions", summary="The versions of a blueprint, oldest first")
    def list_versions(name: str, limit: Limit = LIMIT, cursor: Cursor = "") -> Response:
        found = services.registry.versions(name, number_in(cursor, cursor) if cursor else 0, limit + 1)
        return json_response(page("versions", found, limit, lambda one: str(one.version)))

    @routes.get("/tasks", summary="All tasks, by name")
    def list_tasks() -> Response:
        return json_response({"tasks": services.registry.tasks()})

    @routes.get("/tasks/{name}", summary="One task and its document")
    def get_task(name: str, version: Version = None) -> Response:
        head = asdict(services.registry.task(name))
        head["holds"] = holds.all([f"task:{name}"])
        if version is None:
            return json_response({**head, "version": head["current"]})
        return json_response({**head, **asdict(services.registry.task_version(name, version))})

    return routes


def _holds_on(held: list[HoldInfo], name: str, documents: list[dict[str, Any]]) -> list[HoldInfo]:
    groups = {str(document["Sfc"].get("Group", "")) for document in documents} - {""}
    return applying(held, name, groups, {task for document in documents for task in task_names(document)})


def deployed(one: Deployed) -> dict[str, Any]:
    """``created``: a version was made; see DeployedDocument."""
    shown = asdict(one)
    return {**shown, "created": shown.pop("made"), "changed": one.changed, "warnings": [w._asdict() for w in one.warnings]}


def same_name(path: str, document: Any, pointer: str) -> None:
    if document != path:
        problem = Problem(
            "other-name", pointer, f"the address says {path!r}, the document {document!r:.80}.", f"Write {path}, or save it there."
        )
        raise InvalidDocument(path, [problem])


def _documents(given: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(given, list) or not given:
        raise BadInput('a deploy must be a list of {"source": …, "document": …}, and not an empty one')
    documents = []
    for index, one in enumerate(given):
        document = one.get("document") if isinstance(one, dict) else None
        if not isinstance(document, dict):
            raise BadInput(f'entry {index} of a deploy must be {{"source": …, "document": {{…}}}}; it is {one!r:.80}')
        documents.append((str(one.get("source", f"document {index}")), document))
    return documents
