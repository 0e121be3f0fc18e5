"""Jobs of ResultWriters: writes a part of a distributed Map's results, or the manifest (see sfc.engine.writing).

A part has its place by its number, so that who writes it again writes the same there. Records of a topic have the item's place as key
and the job's token as header: by these a repetition is recognised.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from sfc.engine.results import key_of
from sfc.engine.sources import STORES, WRITE
from sfc.engine.writing import MANIFEST, WRITER_FAILED
from sfc.errors import LogError
from sfc.ports import Log
from sfc.wire import headers
from sfc.wire.topics import Names
from sfc_workers.item_files import write_file
from sfc_workers.item_http import put, url_of
from sfc_workers.item_objects import write_object
from sfc_workers.job import Job
from sfc_workers.places import checked, encode, parts_of, steadily
from sfc_workers.result_formats import content_of, manifest_key, manifest_of, name_of, shaped
from sfc_workers.secrets import Secrets
from sfc_workers.tasks import Handler, TaskError

_PLACE = ("Bucket", "Prefix")
_TYPES = {"JSON": "application/json", "JSONL": "application/jsonl"}
MAP_RUN = "sfc-map-run"


class ResultWriters:
    """``results_dir``: the folder below which files may be written; None: none. ``names``: of SFC's own topics, which may not be written.
    ``transport``: in place of the network, for tests."""

    def __init__(
        self,
        log: Log,
        names: Names,
        results_dir: Path | None,
        transport: httpx.BaseTransport | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self.handler = Handler("write", self.do, False, True)
        self._log = log
        self._names = names
        self._results_dir = results_dir
        self._transport = transport
        self._secrets = secrets or Secrets()

    def do(self, job: Job) -> dict[str, Any]:
        """``{"Size": bytes}``; of the manifest, where the results are. Raises TaskError with States.ResultWriterFailed."""
        request = job.input if isinstance(job.input, dict) else {}
        resource = job.task.removeprefix(WRITE)
        kind, _, topic = resource.partition(":")
        try:
            parameters = checked(kind, request.get("Parameters") or {}, () if kind == "topic" else _PLACE)
            if kind == "topic":
                return self._send(job, topic, request)
            return self._write(job, resource, kind, parameters, request)
        except ValueError as e:
            raise _failed(str(e)) from None
        except OSError as e:
            raise _failed(e.strerror or type(e).__name__) from None

    def _write(self, job: Job, resource: str, kind: str, parameters: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
        """A file. Raises ValueError."""
        parts_of({name: given for name, given in parameters.items() if given != ""}, _PLACE)  # neither may lead elsewhere
        config = request["WriterConfig"]
        output_type, status = config["OutputType"], request["Status"]
        if status == MANIFEST:
            key = manifest_key(request, parameters)
            content, output_type = manifest_of(request, parameters, output_type), "JSON"
            answer: dict[str, Any] = {"Bucket": parameters.get("Bucket", ""), "Key": key}
        else:
            key = key_of(parameters, request["Run"], name_of(status, request["Number"], output_type))
            values = [value for _, value in shaped(request["Results"], config["Transformation"], job.blueprint)]
            content = content_of(values, output_type)
            answer = {"Size": len(content)}
        bucket = str(parameters.get("Bucket") or "").strip("/")
        parts = [part for part in (*bucket.split("/"), *key.split("/")) if part]
        steadily(lambda: self._store(resource, kind, parts, content, _TYPES[output_type]))
        return answer

    def _store(self, resource: str, kind: str, parts: list[str], content: bytes, content_type: str) -> None:
        """Raises ValueError that says what is wrong with the place."""
        if kind == "file":
            write_file(self._results_dir, resource.partition(":")[2], parts, content)
        elif kind in ("http", "https"):
            put(url_of(resource, parts), content, content_type, self._transport)
        elif kind in STORES:
            write_object(self._secrets, resource, parts, content)
        else:
            raise ValueError(f"nothing here writes results to {resource!r}")

    def _send(self, job: Job, topic: str, request: dict[str, Any]) -> dict[str, Any]:
        """Records of a topic: one for each result. Raises ValueError."""
        if self._names.is_own(topic):
            raise ValueError(f"{topic} is a topic of SFC's own: no results can be written there")
        if request["Status"] == MANIFEST:
            return {"Topic": topic, "MapRun": request["Run"]}
        head = [(headers.JOB, job.token.encode()), (headers.FLOW, job.flow.encode()), (MAP_RUN, request["Run"].encode())]
        size = 0
        try:
            if self._log.describe(topic) is None:
                raise ValueError(f"there is no topic {topic}")
            producer = self._log.producer(busy=True)
            try:
                for index, value in shaped(request["Results"], request["WriterConfig"]["Transformation"], job.blueprint):
                    told = encode(value)
                    size += len(told)
                    producer.send(topic, told, str(index).encode(), head)
                producer.flush()
            finally:
                producer.close()
        except LogError as e:
            raise ValueError(f"topic {topic}: {e.message}") from None
        return {"Size": size}


def _failed(cause: str) -> TaskError:
    return TaskError(WRITER_FAILED, cause)
