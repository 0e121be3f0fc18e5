"""Objects in stores (S3, Google Cloud Storage, Azure, …), through fsspec and the driver of the store.

A driver finds its credentials as its store's own tools do. A secret of the worker, ``objects-SCHEME``, may say more: a JSON object with
the driver's options (``{"key": …, "secret": …, "endpoint_url": …}``).
"""

from __future__ import annotations

import importlib
import json
from typing import Any, BinaryIO, cast

from sfc.engine.sources import STORES
from sfc_workers.item_http import Unsteady
from sfc_workers.secrets import Secrets

_INSTALL = "install service-flow-conductor[objects]"
_MARKS = ("ETag", "etag", "generation", "version_id", "content_md5")


def open_object(secrets: Secrets, resource: str, parts: list[str]) -> tuple[BinaryIO, str]:
    """The object, and what tells whether it is still the same one. Raises ValueError."""
    store, path, shown = _store(secrets, resource, parts)
    try:
        info = store.info(path)
        source = cast("BinaryIO", store.open(path, "rb")) if info.get("type") != "directory" else None
    except FileNotFoundError:
        raise ValueError(f"there is no object {shown}") from None
    except Exception as e:  # each driver has errors of its own, and what they say may have secrets in it
        raise Unsteady(f"{shown} can't be read: {type(e).__name__}") from None
    if source is None:
        raise ValueError(f"{shown} is no object")
    return source, _mark(info)


def write_object(secrets: Secrets, resource: str, parts: list[str], content: bytes) -> None:
    """Raises ValueError."""
    store, path, shown = _store(secrets, resource, parts)
    try:
        store.pipe_file(path, content)
    except Exception as e:
        raise Unsteady(f"{shown} can't be written: {type(e).__name__}") from None


def _store(secrets: Secrets, resource: str, parts: list[str]) -> tuple[Any, str, str]:
    """The store, the object's path in it, and its URI."""
    scheme, _, rest = resource.partition(":")
    path = "/".join(part for part in (rest.strip("/"), *parts) if part)
    if "/" not in path:
        raise ValueError(f"{scheme}://{path} names no object: write {scheme}://BUCKET/KEY, or Parameters with Bucket and Key")
    try:
        fsspec: Any = importlib.import_module("fsspec")
    except ImportError:
        raise ValueError(f"this worker reads and writes no object stores: {_INSTALL}") from None
    options = _options(secrets, scheme)
    try:
        store = fsspec.filesystem(scheme, **options)
    except ImportError:
        raise ValueError(f"this worker has no driver for {scheme}: install the package {STORES[scheme]}") from None
    except (TypeError, ValueError) as e:
        raise ValueError(f"the driver for {scheme} can't be used: {type(e).__name__}") from None
    store.invalidate_cache()
    return store, path, f"{scheme}://{path}"


def _options(secrets: Secrets, scheme: str) -> dict[str, Any]:
    text = secrets.found(f"objects-{scheme}")
    try:
        options = json.loads(text) if text else {}
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise ValueError(f"the secret objects-{scheme} must be a JSON object with options of the driver")
    return options


def _mark(info: dict[str, Any]) -> str:
    """What changes with the content: as the store says it, else size and time."""
    marks = [str(info[name]) for name in _MARKS if info.get(name)]
    times = [str(info[name]) for name in ("LastModified", "last_modified", "updated", "mtime", "created") if info.get(name)]
    return "/".join([str(info.get("size", "")), *(marks or times)])[:200]
