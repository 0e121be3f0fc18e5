"""/v1/schedules: when flows start by the clock. They are edited with their blueprints."""

from __future__ import annotations

from fastapi import APIRouter, Response

from sfc.registry import Schedules
from sfc_gateway.bodies import json_response
from sfc_gateway.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/schedules", tags=["schedules"])
    schedules = Schedules(services.registry)

    @routes.get("", summary="All schedules, by blueprint and id")
    def list_schedules() -> Response:
        """Each with ``cron``, ``time_zone``, ``catch_up``, ``input``, the blueprint's ``status``, ``next_ms`` and ``last_ms`` (0: none),
        and ``upcoming``: the next five ticks. Of the current versions of all blueprints."""
        return json_response({"schedules": schedules.list()})

    @routes.get("/{blueprint}/{id}", summary="One schedule")
    def get_schedule(blueprint: str, id: str) -> Response:
        return json_response(schedules.get(blueprint, id))

    return routes
