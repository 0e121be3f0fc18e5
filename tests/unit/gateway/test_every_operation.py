"""Every operation of /openapi.json, as its schema describes it: strange requests get answers that the schema knows, and never a 5xx."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from sfc_gateway.app import create_app
from sfc_gateway.server import serve

from sfc.engine.commands import Start
from sfc.engine.effects import Reply

EXAMPLES_MAX = 8

# The operations alone matter here; nothing is asked of these services.
_app = create_app(cast("Any", SimpleNamespace(dev=True, registry=None, clock=None, local=True)))
api = schemathesis.openapi.from_dict(_app.openapi())
api.config.phases.coverage.enabled = False  # hundreds of requests for each operation


@schemathesis.serializer("application/x-ndjson")
def _lines(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def _answer(flow: str, command: Any, to: Any) -> Reply:
    """As an engine whose flows end at once."""
    if not isinstance(command, Start):
        return Reply(to, flow, "done")
    return Reply(to, flow, "SUCCEEDED", command.input) if to == command.wait else Reply(to, flow, "started")


@pytest.fixture(scope="module")
def url(migrated: Path, tmp_path_factory: pytest.TempPathFactory, make_gateway: Any) -> Iterator[str]:
    """A gateway that listens, with a blueprint, a task and a draft as in the examples."""
    database = tmp_path_factory.mktemp("every") / "registry.db"
    shutil.copy(migrated, database)
    gateway = make_gateway(f"sqlite:///{database}")
    gateway.answering = _answer
    server = serve(gateway.app(), "127.0.0.1", 0)
    machine: dict[str, Any] = {"StartAt": "Greet", "States": {"Greet": {"Type": "Pass", "End": True}}}
    for _ in range(2):
        assert requests.put(f"{server.url}/v1/blueprints/hello", json=machine, timeout=10).ok
        machine["Comment"] = "Greets somebody"
    yield server.url
    server.stop()
    gateway.close()


@api.parametrize()
@settings(
    max_examples=EXAMPLES_MAX,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_the_schema_says(case: schemathesis.Case[Any], url: str) -> None:
    if case.operation.definition.raw["operationId"] == "tail_topic":
        case.query = {**(case.query or {}), "timeout": 0}  # else it would follow the topic
    case.call_and_validate(
        base_url=url,
        timeout=20,
        checks=[
            checks.not_a_server_error,
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
            checks.response_headers_conformance,
        ],
    )
