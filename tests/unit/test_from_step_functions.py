"""The worked example of the guide for users of Step Functions: the machine stays as it is, and what it is mapped to does its work."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from sfc_workers import Job, TaskError

from sfc.ports import Record
from sfc.registry.blueprint_document import KnownTask, check_blueprint
from sfc.registry.references import KnownBlueprint
from sfc.registry.task_document import check_task
from sfc.testing import run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "from-step-functions.md"
FILES = dict(re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
DOCUMENTS: dict[str, Any] = {name: yaml.safe_load(text) for name, text in FILES.items() if name.endswith(".yaml")}


def invoke(value: Any) -> Any:
    """What the page's worker answers."""
    module: dict[str, Any] = {}
    exec(compile(FILES["lambdas.py"], "lambdas.py", "exec"), module)
    job = Job(Record("t", 0, 0, b"k", json.dumps(value).encode(), [], 0, None), lambda _job: None)
    return asyncio.run(module["invoke"](job))


def test_the_machine_is_brought_over_unchanged() -> None:
    blueprint = dict(DOCUMENTS["blueprint.yaml"])
    assert set(blueprint.pop("Sfc")) == {"Name", "Resources"}
    assert blueprint == json.loads(FILES["machine.json"])


def test_all_documents_can_be_deployed() -> None:
    tasks = {d["Name"]: KnownTask(1, {1: d}) for d in DOCUMENTS.values() if "Name" in d}
    blueprints = {d["Sfc"]["Name"]: KnownBlueprint(1, frozenset([1])) for d in DOCUMENTS.values() if "Sfc" in d}
    assert sorted(tasks) == ["approve", "lambda"]
    for document in DOCUMENTS.values():
        if "Name" in document:
            assert check_task(document) == []
        elif "Sfc" in document:
            assert check_blueprint(document, tasks, blueprints) == []


def test_what_the_resources_are_mapped_to_answers_in_the_shapes_of_aws() -> None:
    def ship(value: Any) -> Any:
        def child(inner: Any) -> Any:
            return run(DOCUMENTS["ship.yaml"], inner).output

        return run(DOCUMENTS["run-ship.yaml"], value, mocks={"Run": child}).output

    asked: list[Any] = []
    outcome = run(DOCUMENTS["blueprint.yaml"], {"id": "T1"}, mocks={"Price": invoke, "Approve": asked.append, "Ship": ship})
    assert (outcome.status, outcome.output) == ("SUCCEEDED", {"parcel": "P-T1"})
    assert asked[0]["MessageBody"]["order"] == "T1"
    assert asked[0]["MessageBody"]["token"].startswith("order:run/")


def test_a_function_that_is_not_there_fails_as_on_aws() -> None:
    with pytest.raises(TaskError, match=r"Lambda\.ResourceNotFoundException"):
        invoke({"FunctionName": "none", "Payload": {}})
