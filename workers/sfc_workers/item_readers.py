"""Jobs of ItemReaders: reads a page of the items of a distributed Map, from where its cursor says (see sfc.engine.reading)."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import httpx
import msgspec

from sfc.engine.limits import DEPTH_MAX, is_too_deep
from sfc.engine.reading import CURSOR_BYTES_MAX, PAGE_ITEMS_MAX, READER_FAILED
from sfc.engine.sizes import DATA_LIMIT
from sfc.engine.sources import READ, STORES
from sfc.engine.turn import PAYLOAD_BYTES_MAX
from sfc.ports import Log
from sfc.wire.topics import Names
from sfc_workers.item_files import open_file
from sfc_workers.item_formats import items_of
from sfc_workers.item_http import Unsteady, fetch, url_of
from sfc_workers.item_objects import open_object
from sfc_workers.item_topics import records
from sfc_workers.job import Job
from sfc_workers.places import checked, encode, parts_of, steadily
from sfc_workers.secrets import Secrets
from sfc_workers.tasks import Handler, TaskError

PAGE_BYTES = 128 * 1024  # of items; one that is larger is a page of its own
PAGE_BYTES_MAX = PAYLOAD_BYTES_MAX - CURSOR_BYTES_MAX - 256  # of a page that has to have as many items as make a batch
ITEM_BYTES_MAX = PAGE_BYTES_MAX
_PLACE = ("Bucket", "Key")
_RANGE = ("From", "To", "Partition")
_LEVELS = 4  # around an item, in a page and in the flow's state
_KEPT_S = 300.0
_CHANGED = "it is not what it was when its first items were read: it was written to meanwhile"


class _Item(NamedTuple):
    """An item as JSON, and the place behind it."""

    value: msgspec.Raw
    behind: Any


class ItemReaders:
    """``items_dir``: the folder whose files may be read; None: none. ``names``: of SFC's own topics, which may not be read.
    ``transport``: in place of the network, for tests."""

    def __init__(
        self,
        log: Log,
        names: Names,
        items_dir: Path | None,
        transport: httpx.BaseTransport | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self.handler = Handler("read", self.do, False, True)
        self._log = log
        self._names = names
        self._items_dir = items_dir
        self._transport = transport
        self._secrets = secrets or Secrets()
        self._fetched = _Fetched()

    def do(self, job: Job) -> dict[str, Any]:
        """A page: ``{"Items": […], "Next": cursor or null}``. Raises TaskError with States.ItemReaderFailed, or
        States.DataLimitExceeded for an item that is too large."""
        request = job.input if isinstance(job.input, dict) else {}
        config: dict[str, Any] = request.get("ReaderConfig") or {}
        most = _most(config)
        cursor: dict[str, Any] = request.get("Cursor") or {}
        batch = request.get("Batch", 1)
        try:
            return steadily(lambda: self._page(job.task.removeprefix(READ), request.get("Parameters") or {}, config, cursor, most, batch))
        except ValueError as e:
            raise _failed(str(e)) from None
        except OSError as e:
            raise _failed(e.strerror or type(e).__name__) from None

    def _page(
        self, resource: str, parameters: Any, config: dict[str, Any], cursor: dict[str, Any], most: int, batch: int
    ) -> dict[str, Any]:
        """Raises ValueError that says what is wrong with the place or its content."""
        kind, _, rest = resource.partition(":")
        place, taken = cursor.get("At"), cursor.get("Taken", 0)
        parts = _parts(kind, parameters)
        if kind == "topic":
            if self._names.is_own(rest):
                raise ValueError(f"{rest} is a topic of SFC's own, with what other flows carry: it can't be read")
            with closing(records(self._log, rest, parameters, place)) as found:
                return _cut(_checked(found, taken), taken, most, batch, {})
        source, mark = self._open(resource, kind, rest, parts, cursor.get("Of"))
        with source:
            if "Of" in cursor and cursor["Of"] != mark:
                raise ValueError(_CHANGED)
            try:
                return _cut(_checked(items_of(source, config, place), taken), taken, most, batch, {"Of": mark})
            except (ValueError, TaskError):
                raise
            except Exception as e:  # each driver of a store has errors of its own
                raise Unsteady(f"{kind} can't be read: {type(e).__name__}") from None

    def _open(self, resource: str, kind: str, rest: str, parts: list[str], known: str | None) -> tuple[BinaryIO, str]:
        """The content, and what tells whether it is still the same. ``known``: as it was told before."""
        if kind == "file":
            source = open_file(self._items_dir, rest, parts)
            found = os.fstat(source.fileno())
            return source, f"{found.st_size}/{found.st_mtime_ns}"
        if kind in ("http", "https"):
            url = url_of(resource, parts)
            content = self._fetched.get(url, known) if known else None
            if content is None:
                content = fetch(url, self._transport)
            mark = sha256(content).hexdigest()[:32]
            self._fetched.keep(url, mark, content)
            return io.BytesIO(content), mark
        if kind in STORES:
            return open_object(self._secrets, resource, parts)
        raise ValueError(f"nothing here reads items from {resource!r}")


def most_asked(resource: str, request: dict[str, Any]) -> int:
    """Of a job's first page: how many items are read at most, 0 for all. ``resource``: as in the job's task, without its prefix. Raises
    TaskError for what no page is read of, before anything is opened."""
    most = _most(request.get("ReaderConfig") or {})
    try:
        _parts(resource.partition(":")[0], request.get("Parameters") or {})
    except ValueError as e:
        raise _failed(str(e)) from None
    return most


def first_of(items: list[Any], most: int) -> list[Any]:
    """Of all that there is to read, what the pages have together. Raises TaskError for an item among them that is too large."""
    taken = items[:most] if most else items
    for _ in _checked(((item, None) for item in taken), 0):
        pass
    return taken


def _most(config: dict[str, Any]) -> int:
    most = config.get("MaxItems", 0)
    if not isinstance(most, int) or most < 0:
        raise _failed(f"MaxItems must be 0 or more, it is {most}")
    return most


def _parts(kind: str, parameters: Any) -> list[str]:
    """The names below the Resource. Raises ValueError for Parameters that it can't have."""
    known = _RANGE if kind == "topic" else _PLACE
    checked(kind, parameters, known)
    return [] if kind == "topic" else parts_of(parameters, known)


class _Fetched:
    """What was behind the last URLs: the pages of one content are asked for one after another."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, bytes, float]] = {}
        self._lock = threading.Lock()

    def get(self, url: str, mark: str) -> bytes | None:
        with self._lock:
            found = self._kept.get(url)
        return found[1] if found is not None and found[0] == mark and time.monotonic() < found[2] else None

    def keep(self, url: str, mark: str, content: bytes) -> None:
        with self._lock:
            self._kept.pop(url, None)
            self._kept[url] = mark, content, time.monotonic() + _KEPT_S
            while len(self._kept) > 2:
                del self._kept[next(iter(self._kept))]


def _checked(items: Iterator[tuple[Any, Any]], taken: int) -> Iterator[_Item]:
    """Each item as JSON. ``taken``: items of the pages before."""
    for number, (item, behind) in enumerate(items, taken):
        value = encode(item)
        if len(value) > ITEM_BYTES_MAX:
            raise TaskError(DATA_LIMIT, f"item {number} has {len(value)} bytes of JSON: at most {ITEM_BYTES_MAX} can be carried")
        if is_too_deep(value, DEPTH_MAX - _LEVELS):
            raise TaskError(DATA_LIMIT, f"item {number} has lists and objects nested deeper than {DEPTH_MAX - _LEVELS} levels")
        yield _Item(msgspec.Raw(value), behind)


def _cut(items: Iterator[_Item], taken: int, most: int, batch: int, more: dict[str, Any]) -> dict[str, Any]:
    """As many items as make a page: a whole number of batches, unless they end, or one alone is too large. ``most``: of all pages
    together, 0 for all; ``more``: what the cursor has, too."""
    page: list[_Item] = []
    size = 0
    for item in items:
        weight = len(bytes(item.value)) + 1
        limit = PAGE_BYTES if len(page) >= batch else PAGE_BYTES_MAX
        if page and (len(page) >= PAGE_ITEMS_MAX or size + weight > limit):
            if len(page) > batch:
                del page[len(page) - len(page) % batch :]
            return {"Items": [one.value for one in page], "Next": {"At": page[-1].behind, "Taken": taken + len(page), **more}}
        page.append(item)
        size += weight
        if most and taken + len(page) == most:
            break
    return {"Items": [one.value for one in page], "Next": None}


def _failed(cause: str) -> TaskError:
    return TaskError(READER_FAILED, cause)
