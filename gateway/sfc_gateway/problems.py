"""Every error as application/problem+json: SFC's own, FastAPI's validation, unknown paths and methods, and the unforeseen."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from sfc.errors import BadInput, InvalidDocument, Problem, SfcError, UnknownName
from sfc.log import get_logger
from sfc.wire.problems import KINDS, MEDIA_TYPE, kind_of, problem_body, problem_of

_log = get_logger()
_BAD_INPUT = next(kind for kind in KINDS if kind.error is BadInput)
_UNKNOWN_NAME = next(kind for kind in KINDS if kind.error is UnknownName)
_INTERNAL = KINDS[-1]
_DETAIL_MAX = 2_000  # a message may have what came in it


def _response(body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), body["status"], headers, MEDIA_TYPE)


async def _sfc_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SfcError)
    kind = kind_of(error)
    if kind.status >= 500:
        _log.error(error.message, action="request-failed", path=request.url.path, kind=kind.code)
    body = problem_of(error, request.url.path)
    if not isinstance(error, InvalidDocument):
        body["detail"] = body["detail"][:_DETAIL_MAX]
    return _response(body, _headers(request, kind.status))


def _headers(request: Request, status: int) -> dict[str, str]:
    match status:
        case 401:
            shown = ', error="invalid_token"' if "authorization" in request.headers else ""
            return {"WWW-Authenticate": f'Bearer realm="sfc"{shown}'}
        case 403:
            return {"WWW-Authenticate": 'Bearer realm="sfc", error="insufficient_scope"'}
        case 503:
            return {"Retry-After": "1"}
    return {}


async def _invalid(request: Request, error: Exception) -> Response:
    """A query, path or header that does not fit its type. Pointers name the part: ``/query/limit``."""
    assert isinstance(error, RequestValidationError)
    problems = [
        Problem("bad-argument", "/" + "/".join(str(part) for part in e["loc"]), f"{e['msg']}; it is {e.get('input')!r:.80}")
        for e in error.errors()
    ]
    detail = "; ".join(f"{p.pointer}: {p.message}" for p in problems)
    body = problem_body(_BAD_INPUT, detail, request.url.path, status=422)
    return _response({**body, "problems": [p._asdict() for p in problems]})


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        detail, hint = f"there is nothing at {path}", "the operations are listed at /docs"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "other methods")
        detail, hint = f"{request.method} is not possible at {path}: {allowed} is", "the operations are listed at /docs"
    else:
        detail, hint = str(error.detail), ""
    title = HTTPStatus(error.status_code).phrase
    body = problem_body(
        _UNKNOWN_NAME if error.status_code == 404 else _BAD_INPUT, detail, path, status=error.status_code, title=title, hint=hint
    )
    return _response(body, dict(error.headers or {}))


async def _gone(request: Request, _error: Exception) -> Response:
    """Whoever asked left before all was said: nobody reads this."""
    _log.debug("a caller left in the middle of a request", action="caller-left", path=request.url.path)
    return Response(status_code=400)


async def _unforeseen(request: Request, error: Exception) -> Response:
    _log.error("a request failed unexpectedly", action="request-failed", path=request.url.path, exc_info=error)
    return _response(problem_body(_INTERNAL, f"{type(error).__name__}: see the gateway's log", request.url.path))


def install(app: FastAPI) -> None:
    """Registers the handlers."""
    app.add_exception_handler(SfcError, _sfc_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unforeseen)
