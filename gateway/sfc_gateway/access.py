"""Who may ask for what: API keys and roles, and what stands in for them while there are no keys.

While no key was ever made, a gateway that listens on loopback answers everybody who reaches it, but for web pages: those come with a
``Host`` that is not this machine's (DNS rebinding) or with the ``Origin`` of another site. As soon as a key was made, every request needs
one.
"""

from __future__ import annotations

import threading
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Header, Request
from starlette.concurrency import run_in_threadpool

from sfc.errors import BadInput, NotAllowed, NotAuthenticated, RegistryError
from sfc.log import get_logger
from sfc.ports import Clock
from sfc.registry import Caller, Keyring, Keys
from sfc.registry.keys import allows
from sfc.settings import is_loopback
from sfc_gateway.operations import ANYBODY, HEALTH, ROLES
from sfc_gateway.services import Services

FRESH_S = 2.0
"""For so long a request costs no look into the database; a revoked key ends within it."""

_LATE_S = 10.0  # so old a view is waited for, when somebody else reads it anew
_BY_MAX = 200
_CREATE = "sfc keys create NAME --role admin --local"

_log = get_logger()


class Door:
    """Decides about each request. What the database said last holds good while it is away."""

    def __init__(self, services: Services) -> None:
        self._keys = Keys(services.registry)
        self._clock: Clock = services.clock
        self._local = services.local
        self._reading = threading.Lock()
        self._ring: Keyring | None = None
        self._read_s = 0.0

    async def __call__(self, request: Request) -> None:
        """Raises NotAuthenticated, NotAllowed."""
        operation = request.scope["endpoint"].__name__
        needed = ROLES.get(operation, "admin")
        request.state.caller = None
        if operation in HEALTH:
            return
        ring = await self._current()
        if not ring.in_use:
            self._keyless(request, needed)
        elif needed != ANYBODY and not (operation == "metrics" and self._local and _is_here(request)):
            request.state.caller = _caller(ring, request, needed)

    async def _current(self) -> Keyring:
        if self._ring is None or self._age_s() > FRESH_S:
            await run_in_threadpool(self._read)
        assert self._ring is not None  # else reading has raised
        return self._ring

    def _age_s(self) -> float:
        return self._clock.monotonic_s() - self._read_s

    def _read(self) -> None:
        """One thread reads; the others go on with what they have, unless that is late."""
        if not self._reading.acquire(blocking=self._ring is None or self._age_s() > _LATE_S):
            return
        try:
            if self._ring is not None and self._age_s() <= FRESH_S:
                return
            began_s = self._clock.monotonic_s()
            try:
                self._ring = self._keys.ring()
            except RegistryError as e:
                if self._ring is None:
                    raise
                _log.warning(e.message, action="keys-not-read", hint="keys are as they were read last")
                began_s = self._clock.monotonic_s()
            self._read_s = began_s
        finally:
            self._reading.release()

    def _keyless(self, request: Request, needed: str) -> None:
        if not self._local and needed != ANYBODY:
            raise NotAuthenticated("this gateway has no keys, and listens on more than loopback", hint=f"make a key: {_CREATE}")
        host = request.headers.get("host", "")
        if self._local and not _is_local(host):
            raise NotAllowed(
                f"without keys this gateway answers to 127.0.0.1, localhost and [::1] alone; the request names {host!r:.120}",
                hint=f"make a key, and show it with each request: {_CREATE}",
            )
        origin = request.headers.get("origin")
        if origin is not None and not _is_of(origin, host):
            raise NotAllowed(
                f"without keys this gateway takes no requests from pages of other sites; this one comes from {origin!r:.120}",
                hint=f"make a key, and show it with each request: {_CREATE}",
            )


def _is_here(request: Request) -> bool:
    """Whether a request names this machine itself: it came through no proxy, and from no web page."""
    return _is_local(request.headers.get("host", "")) and "origin" not in request.headers


def _is_local(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _is_of(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc == host
    except ValueError:  # a bracket that is not closed, and the like
        return False


def _caller(ring: Keyring, request: Request, needed: str) -> Caller:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise NotAuthenticated(
            "this gateway asks for a key, and the request has none: Authorization: Bearer sfc_…",
            hint="name it in SFC_API_KEY; `sfc keys create NAME --role ROLE` makes one",
        )
    caller = ring.caller(key.strip())
    if caller is None:
        raise NotAuthenticated("the request's key is none of this gateway's, or it is revoked", hint="look at SFC_API_KEY")
    if not allows(caller.role, needed):
        raise NotAllowed(
            f"this needs the role {needed}, and the key {caller.name} has the role {caller.role}",
            hint="ask an admin for another key: `sfc keys create`",
        )
    return caller


async def _asked_by(
    request: Request,
    sfc_by: Annotated[str, Header(description="Who asks, for the history. With a key it is the key's name, whatever stands here.")] = "",
) -> str:
    caller: Caller | None = request.state.caller
    if caller is not None:
        return caller.name
    if len(sfc_by) > _BY_MAX or not sfc_by.isprintable():
        raise BadInput(f"Sfc-By must be at most {_BY_MAX} printable characters, it is {sfc_by!r:.80}")
    return sfc_by


By = Annotated[str, Depends(_asked_by)]
"""Who asks: the key's name; without keys what the header says."""
