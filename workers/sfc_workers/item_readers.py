"""Jobs of ItemReaders: reads the items of a distributed Map, and answers with them in portions (see sfc.engine.reading)."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec

from sfc.engine.iterations import MAP_BYTES_MAX
from sfc.engine.limits import DEPTH_MAX, is_too_deep
from sfc.engine.reading import READER_FAILED
from sfc.engine.sizes import DATA_LIMIT
from sfc.engine.sources import READ
from sfc.engine.turn import PAYLOAD_BYTES_MAX
from sfc.ports import Log
from sfc.wire.topics import Names
from sfc_workers.item_files import open_file
from sfc_workers.item_formats import items_of
from sfc_workers.item_http import fetch
from sfc_workers.item_topics import records
from sfc_workers.job import Job
from sfc_workers.tasks import Handler, Portions, TaskError

ITEM_BYTES_MAX = PAYLOAD_BYTES_MAX - 256  # the rest is what stands around it in a portion
PORTION_BYTES = 128 * 1024  # of items; one that is larger is a portion of its own
_PLACE = ("Bucket", "Key")
_RANGE = ("From", "To", "Partition")
_LEVELS = 4  # around an item, in a portion and in the flow's state

_encode = msgspec.json.Encoder().encode


class ItemReaders:
    """``items_dir``: the folder whose files may be read; None: none. ``names``: of SFC's own topics, which may not be read.
    ``transport``: in place of the network, for tests."""

    def __init__(self, log: Log, names: Names, items_dir: Path | None, transport: httpx.BaseTransport | None = None) -> None:
        self.handler = Handler("read", self.do, False, True)
        self._log = log
        self._names = names
        self._items_dir = items_dir
        self._transport = transport

    def do(self, job: Job) -> Portions:
        """Raises TaskError with States.ItemReaderFailed, or States.DataLimitExceeded where there is too much."""
        request = job.input if isinstance(job.input, dict) else {}
        config: dict[str, Any] = request.get("ReaderConfig") or {}
        parameters: Any = request.get("Parameters") or {}
        most = config.get("MaxItems", 0)
        if not isinstance(most, int) or most < 0:
            raise _failed(f"MaxItems must be 0 or more, it is {most}")
        try:
            with closing(self._items(job.task.removeprefix(READ), parameters, config)) as items:
                return Portions(_portions(_some(items, most), uuid.uuid4().hex))
        except TaskError:
            raise
        except ValueError as e:
            raise _failed(str(e)) from None
        except OSError as e:
            raise _failed(e.strerror or type(e).__name__) from None

    def _items(self, resource: str, parameters: Any, config: dict[str, Any]) -> Generator[Any, None, None]:
        """Raises ValueError that says what is wrong with the place or its content."""
        kind, _, rest = resource.partition(":")
        known = _RANGE if kind == "topic" else _PLACE
        if not isinstance(parameters, dict):
            raise ValueError(f"Parameters must be an object with {', '.join(known)}, they are {_encode(parameters)[:100].decode()}")
        for name in parameters:
            if name not in known:
                raise ValueError(f"Parameters of {kind}: may have {', '.join(known)}, not {name!r}")
        if kind == "topic":
            if self._names.is_own(rest):
                raise ValueError(f"{rest} is a topic of SFC's own, with what other flows carry: it can't be read")
            yield from records(self._log, rest, parameters)
            return
        if kind == "file":
            source = open_file(self._items_dir, rest, _parts(parameters))
        elif kind in ("http", "https"):
            source = fetch(resource, _parts(parameters), self._transport)
        else:
            raise ValueError(f"nothing here reads items from {resource!r}")
        with source:
            yield from items_of(source, config)


def _parts(parameters: dict[str, Any]) -> list[str]:
    """The names below the Resource. None may lead elsewhere: they are often a flow's data."""
    parts: list[str] = []
    for name in _PLACE:
        given = parameters.get(name)
        if given is None:
            continue
        if not isinstance(given, str) or not given or "\0" in given:
            raise ValueError(f"{name} must be a text, it is {_encode(given)[:100].decode()}")
        if any(part in (".", "..") for part in given.split("/")):
            raise ValueError(f"{name} must not have . or .. among its parts, it is {given!r}")
        parts.append(given.strip("/"))
    return parts


def _some(items: Iterator[Any], most: int) -> Iterator[bytes]:
    """Each item as JSON; as many as may be, 0 for all."""
    total = 0
    for number, item in enumerate(items):
        value = _encode(item)
        if len(value) > ITEM_BYTES_MAX:
            raise TaskError(DATA_LIMIT, f"item {number} has {len(value)} bytes of JSON: at most {ITEM_BYTES_MAX} can be carried")
        if is_too_deep(value, DEPTH_MAX - _LEVELS):
            raise TaskError(DATA_LIMIT, f"item {number} has lists and objects nested deeper than {DEPTH_MAX - _LEVELS} levels")
        total += len(value) + 1
        if total > MAP_BYTES_MAX:
            raise TaskError(
                DATA_LIMIT, f"the first {number + 1} items have {total} bytes of JSON: at most {MAP_BYTES_MAX} can be kept (see MaxItems)"
            )
        yield value
        if number + 1 == most:
            return


def _portions(items: Iterator[bytes], reading: str) -> list[bytes]:
    portions: list[list[bytes]] = [[]]
    size = 0
    for item in items:
        if portions[-1] and size + len(item) > PORTION_BYTES:
            portions.append([])
            size = 0
        portions[-1].append(item)
        size += len(item) + 1
    end = len(portions) - 1
    return [
        b'{"Reading":"%s","Number":%d,"Items":[%s],"Last":%s}'
        % (reading.encode(), number, b",".join(portion), b"true" if number == end else b"false")
        for number, portion in enumerate(portions)
    ]


def _failed(cause: str) -> TaskError:
    return TaskError(READER_FAILED, cause)
