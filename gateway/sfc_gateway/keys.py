"""/v1/keys: API keys."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from msgspec.structs import asdict
from starlette.concurrency import run_in_threadpool

from sfc.errors import BadInput, NotPossible
from sfc.registry import Keys, MadeKey
from sfc.registry.keys import ROLES
from sfc_gateway.bodies import PAYLOAD_BYTES_MAX, json_response, read_json
from sfc_gateway.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/keys", tags=["keys"])
    keys = Keys(services.registry)

    @routes.get("", summary="All keys, by name, without their secrets")
    def list_keys() -> Response:
        """Revoked ones too: ``revoked_ms`` says since when."""
        return json_response({"keys": keys.all()})

    @routes.post("", status_code=201, summary="Make a key")
    async def create_key(request: Request) -> Response:
        """Body: {"name", "role"}. ``key`` is in this answer alone: only a hash of it is kept. 409 while there are no keys at all: the first
        one is made by `sfc keys create NAME --role admin --local`, where the registry's database is."""
        name, role = _wanted(await read_json(request, PAYLOAD_BYTES_MAX, "a new key"))
        made = await run_in_threadpool(_create, keys, name, role)
        return json_response(asdict(made), 201, {"Location": f"/v1/keys/{made.name}", "Cache-Control": "no-store"})

    @routes.post("/{name}/revoke", summary="End a key")
    def revoke_key(name: str) -> Response:
        """By its name or id. Every gateway refuses it within two seconds."""
        return json_response(keys.revoke(name))

    return routes


def _create(keys: Keys, name: str, role: str) -> MadeKey:
    if not keys.in_use():
        raise NotPossible(
            "the first key is made where the registry's database is, and not over HTTP", hint=f"sfc keys create {name} --role admin --local"
        )
    return keys.create(name, role)


def _wanted(given: Any) -> tuple[str, str]:
    name, role = (given.get("name"), given.get("role")) if isinstance(given, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(role, str) or given.keys() - {"name", "role"}:
        raise BadInput(f'a new key is {{"name": text, "role": one of {", ".join(ROLES)}}}; it is {given!r:.80}')
    return name, role
