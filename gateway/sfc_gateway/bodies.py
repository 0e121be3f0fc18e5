"""Bodies in and out: read up to a limit, decoded and encoded by msgspec (integers of any size are kept as they came)."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from fastapi import Request, Response

from sfc.asl.timestamps import parse_timestamp
from sfc.engine.limits import DEPTH_MAX, is_too_deep
from sfc.errors import BadInput, MalformedRecord, RecordTooLarge
from sfc.registry.files import parse_document
from sfc.wire.payload import decode_any

PAYLOAD_BYTES_MAX = 262_144  # AWS's limit of one payload
DOCUMENT_BYTES_MAX = 1024 * 1024  # AWS's limit of a definition
DEPLOY_BYTES_MAX = 16 * 1024 * 1024
WAIT_S_MAX = 60.0

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)").fullmatch
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0}
_STEP = re.compile(r"(\d{1,12})(ms|s|m|h|d)").fullmatch
_STEP_DAYS_MAX = 36_500
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


async def read_body(request: Request, bytes_max: int, what: str) -> bytes:
    """Raises RecordTooLarge as soon as the body is known to be over ``bytes_max``."""
    body = bytearray()
    announced = request.headers.get("content-length", "")
    too_large = announced.isdigit() and int(announced) > bytes_max
    if not too_large:
        async for chunk in request.stream():
            body += chunk
            if len(body) > bytes_max:
                too_large = True
                break
    if too_large:
        came = f"{announced} bytes" if announced.isdigit() else "more"
        raise RecordTooLarge(
            f"{what} may have {bytes_max} bytes at most, {came} came", hint="keep the payload elsewhere and send its address"
        )
    return bytes(body)


def decode_json(body: bytes, what: str) -> Any:
    """Raises BadInput when it is no JSON, or nested deeper than records may be."""
    if is_too_deep(body):
        raise BadInput(f"{what} is nested deeper than {DEPTH_MAX} lists and objects")
    try:
        return decode_any(body)
    except MalformedRecord as e:
        came = f"it begins with {body[:40].decode('utf-8', 'replace')!r}" if body else "it is empty"
        raise BadInput(f"{what} must be JSON: {e.message}; {came}") from e


async def read_json(request: Request, bytes_max: int, what: str, *, empty: Any = ...) -> Any:
    """The body as JSON; ``empty`` stands for no body, where that is allowed."""
    body = await read_body(request, bytes_max, what)
    if not body.strip() and empty is not ...:
        return empty
    return decode_json(body, what)


async def read_options(request: Request, what: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    """An optional JSON object with no members but ``allowed``."""
    found = await read_json(request, PAYLOAD_BYTES_MAX, what, empty={})
    if not isinstance(found, dict):
        raise BadInput(f"{what} must be a JSON object with {', '.join(allowed)}; it is {type(found).__name__}")
    for name, value in found.items():
        if name not in allowed:
            raise BadInput(f"{what} has a member {name!r:.80} that is not known here; these are: {', '.join(allowed)}")
        if name in ("input", "output"):
            continue
        if not isinstance(value, str):
            raise BadInput(f"{name} must be text, it is {value!r:.80}")
        if "\x00" in value:
            raise BadInput(f"{name} must be text without NUL characters, it is {value!r:.80}")
    return found


async def read_document(request: Request, source: str) -> dict[str, Any]:
    """A blueprint or task, JSON or YAML. Raises BadInput with the line for what can't be read."""
    body = await read_body(request, DOCUMENT_BYTES_MAX, "a document")
    is_json = "json" in request.headers.get("content-type", "")
    try:
        text = body.decode()
    except UnicodeDecodeError as e:
        raise BadInput(f"{source}: a document must be UTF-8 text (byte {e.start} is not)") from e
    document = parse_document(text, f"{source}.json" if is_json else source)
    if not isinstance(document, dict):
        raise BadInput(f"{source}: a document is an object, this is {'empty' if document is None else type(document).__name__}")
    return document


def duration_s(text: str, name: str) -> float:
    """Seconds of ``500ms``, ``10s``, ``1m``, at most 60 s. Raises BadInput."""
    found = _DURATION(text)
    seconds = float(found[1]) * _UNIT_S[found[2]] if found else -1.0
    if not 0 < seconds <= WAIT_S_MAX:
        raise BadInput(f"{name} must be a time such as 500ms, 10s or 1m, at most {WAIT_S_MAX:.0f}s; it is {text!r:.80}")
    return seconds


def step_ms(text: str, name: str) -> int:
    """Milliseconds of ``500ms``, ``10s``, ``5m``, ``1h``, ``1d``. Raises BadInput."""
    found = _STEP(text)
    if found is None:
        raise BadInput(f"{name} must be a time such as 500ms, 10s, 5m, 1h or 1d; it is {text!r:.80}")
    length_ms = int(found[1]) * _UNIT_MS[found[2]]
    if length_ms > _STEP_DAYS_MAX * _UNIT_MS["d"]:
        raise BadInput(f"{name} is at most {_STEP_DAYS_MAX}d; it is {text!r:.80}")
    return length_ms


def time_ms(text: str, name: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time, or of milliseconds; 0 of nothing. Raises BadInput."""
    if not text:
        return 0
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    time_ns = parse_timestamp(text)
    if time_ns is None:
        raise BadInput(f"{name} must be a time such as 2026-01-31T08:00:00Z, or milliseconds since 1970; it is {text!r:.80}")
    return time_ns // 1_000_000


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Plain values and Structs as JSON."""
    return Response(msgspec.json.encode(content), status, headers, "application/json")
