"""The gateway as an ASGI application: starts, queries, edits over HTTP."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from sfc_gateway import (
    dead_letters,
    definitions,
    dev,
    drafts,
    flows,
    groups,
    holds,
    keys,
    openapi,
    overview,
    problems,
    schedules,
    starts,
    versions,
    workers,
)
from sfc_gateway.access import Door
from sfc_gateway.services import Services

_ABOUT = (
    "Starts flows, shows them, pauses, resumes, stops and redrives them; keeps blueprints and tasks. Errors are application/problem+json."
)


def create_app(services: Services) -> FastAPI:
    """One application over the services. Everything is under /v1, but for /livez, /readyz, /metrics, /openapi.json and /docs."""
    app = FastAPI(
        title="SFC",
        version=overview.release(),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(Door(services))],
        generate_unique_id_function=lambda route: route.name,
    )
    problems.install(app)
    v1 = APIRouter(prefix="/v1")
    v1.include_router(starts.router(services))
    v1.include_router(flows.router(services))
    v1.include_router(definitions.router(services))
    v1.include_router(versions.router(services))
    v1.include_router(holds.router(services))
    v1.include_router(workers.router(services))
    v1.include_router(groups.router(services))
    v1.include_router(drafts.router(services))
    v1.include_router(schedules.router(services))
    v1.include_router(dead_letters.router(services))
    v1.include_router(overview.router(services))
    v1.include_router(keys.router(services))
    v1.include_router(dev.router(services) if services.dev else dev.absent())
    app.include_router(v1)
    app.include_router(overview.probes(services))
    openapi.install(app)
    page = files("sfc_gateway").joinpath("docs.html").read_text(encoding="utf-8")

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """The operations, drawn from /openapi.json by a page that needs nothing from elsewhere."""
        return HTMLResponse(page)

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    return app
