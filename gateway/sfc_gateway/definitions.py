"""/v1/blueprints, /v1/tasks, /v1/deploy: the registry over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from sfc.errors import BadInput, InvalidDocument, Problem
from sfc.registry import Deployed
from sfc_gateway import deploys
from sfc_gateway.bodies import DEPLOY_BYTES_MAX, json_response, read_document, read_json, read_options
from sfc_gateway.services import Services

By = Annotated[str, Header(alias="Sfc-By", description="Who asks.")]
Version = Annotated[int | None, Query(ge=1, description="Default: the current one.")]


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["definitions"])

    async def save(documents: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        return [_deployed(one) for one in await run_in_threadpool(deploys.deploy, services, documents)]

    @routes.post("/deploy", summary="Save blueprints and tasks, all of them or none")
    async def deploy(request: Request) -> Response:
        """Body: a list of {"source", "document"}. Answers when the edits are published: what starts next takes them."""
        given = await read_json(request, DEPLOY_BYTES_MAX, "a deploy")
        return json_response({"deployed": await save(_documents(given))})

    @routes.put("/blueprints/{name}", summary="Save a blueprint")
    async def put_blueprint(name: str, request: Request) -> Response:
        """Body: the document as JSON or YAML. 201 for a new version, 200 when it is as it was."""
        document = await read_document(request, name)
        section = document.setdefault("Sfc", {})
        if isinstance(section, dict):
            _same_name(name, section.setdefault("Name", name), "/Sfc/Name")
        (saved,) = await save([(name, document)])
        return json_response(saved, 201 if saved["created"] else 200, {"Location": f"/v1/blueprints/{name}"})

    @routes.put("/tasks/{name}", summary="Save a task")
    async def put_task(name: str, request: Request) -> Response:
        """As for blueprints. Blueprints keep the version that they name until they are edited."""
        document = await read_document(request, name)
        _same_name(name, document.setdefault("Name", name), "/Name")
        (saved,) = await save([(name, document)])
        return json_response(saved, 201 if saved["created"] else 200, {"Location": f"/v1/tasks/{name}"})

    @routes.get("/blueprints", summary="All blueprints, by name")
    def list_blueprints() -> Response:
        return json_response({"blueprints": services.registry.blueprints()})

    @routes.get("/blueprints/{name}", summary="One blueprint and its document")
    def get_blueprint(name: str, version: Version = None) -> Response:
        head = msgspec.structs.asdict(services.registry.blueprint(name))
        if version is None:
            return json_response({**head, "version": head["current"]})
        return json_response({**head, **msgspec.structs.asdict(services.registry.version(name, version))})

    @routes.get("/blueprints/{name}/versions", summary="The versions of a blueprint, oldest first")
    def list_versions(name: str) -> Response:
        return json_response({"versions": services.registry.versions(name)})

    @routes.post("/blueprints/{name}/pause", summary="Hold a blueprint's flows and triggers")
    async def pause_blueprint(name: str, request: Request, by: By = "") -> Response:
        """Body: {"reason"}, or none. HTTP starts are accepted and wait; records stay in their topics."""
        options = await read_options(request, "the body of a pause", ("reason",))
        edited = await run_in_threadpool(services.registry.pause, name, options.get("reason", ""), by)
        await run_in_threadpool(deploys.publish, services, edited.revision)
        return json_response(edited)

    @routes.post("/blueprints/{name}/resume", summary="Lift a blueprint's hold")
    async def resume_blueprint(name: str, request: Request, by: By = "") -> Response:
        await read_options(request, "the body of a resume", ("reason",))
        edited = await run_in_threadpool(services.registry.resume, name, by)
        await run_in_threadpool(deploys.publish, services, edited.revision)
        return json_response(edited)

    @routes.get("/tasks", summary="All tasks, by name")
    def list_tasks() -> Response:
        return json_response({"tasks": services.registry.tasks()})

    @routes.get("/tasks/{name}", summary="One task and its document")
    def get_task(name: str, version: Version = None) -> Response:
        head = msgspec.structs.asdict(services.registry.task(name))
        if version is None:
            return json_response({**head, "version": head["current"]})
        return json_response({**head, **msgspec.structs.asdict(services.registry.task_version(name, version))})

    return routes


def _deployed(one: Deployed) -> dict[str, Any]:
    """``created``: whether this is a new version (or an older one made current again)."""
    shown = msgspec.structs.asdict(one)
    return {**shown, "created": shown.pop("changed"), "warnings": [w._asdict() for w in one.warnings]}


def _same_name(path: str, document: Any, pointer: str) -> None:
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
