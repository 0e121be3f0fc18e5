"""Where items are read in tests: a folder, a log in memory, URLs that a function answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from sfc_workers.item_readers import ItemReaders
from sfc_workers.job import Job
from sfc_workers.places import encode
from sfc_workers.secrets import Secrets
from sfc_workers.tasks import TaskError

from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import Record
from sfc.wire import headers
from sfc.wire.topics import Names

FAILED, LIMIT = "States.ItemReaderFailed", "States.DataLimitExceeded"
NAMES = Names("t")
NO_SECRETS: dict[str, str] = {}
CSV = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
Answer = Callable[[httpx.Request], httpx.Response]


class Site:
    """``read`` gives the items of one job, or its error and cause."""

    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder
        self.log = EmbeddedLog.memory()
        self.answer: Answer = lambda request: httpx.Response(404)
        self.secrets = Secrets(environ=NO_SECRETS)
        self.anew()

    def page(self, resource: str, parameters: Any = None, config: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        told: dict[str, Any] = {name: more.pop(name) for name in ("Cursor", "Batch") if name in more}
        request: dict[str, Any] = {"Parameters": parameters or {}, "ReaderConfig": {**(config or {}), **more}, **told}
        head = [(headers.TASK, f"read:{resource}".encode()), (headers.JOB, b"f/0/1/x")]
        job = Job(Record("t.jobs", 0, 0, b"f", json.dumps(request).encode(), tuple(head), 0, None), lambda job: None)
        page: dict[str, Any] = json.loads(encode(self.readers.do(job)))
        assert page.keys() == {"Items", "Next"}
        return page

    def pages(self, resource: str, parameters: Any = None, config: dict[str, Any] | None = None, **more: Any) -> list[dict[str, Any]]:
        """Until there are no more, each as from another worker."""
        pages = [self.page(resource, parameters, config, **more)]
        while (cursor := pages[-1]["Next"]) is not None:
            self.anew()
            pages.append(self.page(resource, parameters, config, Cursor=cursor, **more))
        return pages

    def answered(self, request: httpx.Request) -> httpx.Response:
        return self.answer(request)

    def anew(self) -> None:
        self.readers = ItemReaders(self.log, NAMES, self.folder, httpx.MockTransport(self.answered), self.secrets)

    def read(self, resource: str, parameters: Any = None, config: dict[str, Any] | None = None, **more: Any) -> Any:
        self.anew()
        try:
            pages = self.pages(resource, parameters, config, **more)
        except TaskError as e:
            return e.error, e.cause
        return [item for p in pages for item in p["Items"]]


def put(site: Site, name: str, content: str | bytes) -> None:
    assert site.folder is not None
    file = site.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
