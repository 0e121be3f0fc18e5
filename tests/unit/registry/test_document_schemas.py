"""The published JSON Schemas: current, right by their own standard, and never stricter than the checks."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jsonschema_rs
import pytest
import yaml
from typer.testing import CliRunner

from sfc.asl import validate
from sfc.asl.fields import FIELDS, FIELDS_JSONATA
from sfc.asl.schema_fields import SPEC
from sfc.cli.app import app
from sfc.registry.document_schemas import document_schema
from sfc.registry.task_document import check_task
from sfc.registry.yaml_loader import Loader

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = ROOT / "docs" / "schemas"
CASES = os.environ.get("SFC_ASL_CASES", "")
KINDS: tuple[Literal["blueprint", "task"], ...] = ("blueprint", "task")


def validator(kind: Literal["blueprint", "task"]) -> Any:
    return jsonschema_rs.validator_for(document_schema(kind))


def fitting(kind: Literal["blueprint", "task"], document: Any) -> list[str]:
    return [f"{'/'.join(map(str, e.instance_path))}: {e.message}" for e in validator(kind).iter_errors(document)]


def machine(**state: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": state}}


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_schema_is_the_one_that_the_command_prints(kind: str) -> None:
    printed = CliRunner().invoke(app, ["schema", kind]).stdout
    assert (SCHEMAS / f"{kind}.json").read_text() == printed, f"sfc schema {kind} > docs/schemas/{kind}.json"


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_one_by_its_own_standard(kind: Literal["blueprint", "task"]) -> None:
    jsonschema_rs.meta.validate(document_schema(kind))


def test_every_field_of_every_state_is_there_and_explained_with_its_section() -> None:
    definitions = document_schema("blueprint")["$defs"]
    for kind in FIELDS:
        properties = definitions[kind]["properties"]
        assert set(properties) == {*FIELDS[kind], *FIELDS_JSONATA[kind]}
        assert all(properties[field]["description"] for field in properties if field != "Type")
        assert SPEC in definitions[kind]["description"]


def examples() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / "blueprints").rglob("*.yaml")):
        document = yaml.load(path.read_text(), Loader=Loader)
        if isinstance(document, dict) and ("States" in document or "Name" in document):
            yield ("blueprint" if "States" in document else "task"), path


@pytest.mark.parametrize(("kind", "path"), [pytest.param(*found, id=found[1].stem) for found in examples()])
def test_every_example_fits(kind: Literal["blueprint", "task"], path: Path) -> None:
    assert fitting(kind, yaml.load(path.read_text(), Loader=Loader)) == []


def test_the_tasks_of_the_reference_fit() -> None:
    blocks = re.findall(r"```yaml\n(Name: .*?)```", (ROOT / "docs" / "reference" / "blueprints.md").read_text(), re.DOTALL)
    tasks = [yaml.load(block, Loader=Loader) for block in blocks]
    assert len(tasks) >= 2
    for task in tasks:
        assert not [p for p in check_task(task) if p.severity == "error"]
        assert fitting("task", task) == []


@pytest.mark.skipif(not CASES, reason="SFC_ASL_CASES names no folder with recorded definitions")
@pytest.mark.parametrize("file", ["definitions.jsonl", "executions.jsonl"])
def test_what_was_recorded_as_valid_and_is_accepted_here_fits(file: str) -> None:
    check = validator("blueprint")
    lines = [json.loads(line) for line in (Path(CASES) / file).read_text().splitlines()]
    accepted = [case for case in lines if not any(p.severity == "error" for p in validate(case["definition"]))]
    assert len(accepted) > 150
    assert [case["id"] for case in accepted if not check.is_valid(case["definition"])] == []


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("blueprint", machine(Type="Taks", End=True)),
        ("blueprint", machine(Type="Task", End=True)),
        ("blueprint", machine(Type="Task", Resource="task:a")),
        ("blueprint", machine(Type="Pass", End=True, Retry=[])),
        ("blueprint", machine(Type="Wait", Seconds=-1, End=True)),
        ("blueprint", machine(Type="Task", Resource="task:a", End=True, TimeoutSeconds="soon")),
        ("blueprint", machine(Type="Task", Resource="task:a", End=True, Retry=[{"ErrorEquals": []}])),
        ("blueprint", machine(Type="Choice", Choices=[{"Variable": "$.a", "NumericEquals": "1", "Next": "A"}])),
        ("blueprint", machine(Type="Choice", Choices=[{"Not": {"Variable": "$.a", "IsNull": True, "Next": "A"}, "Next": "A"}])),
        ("blueprint", machine(Type="Parallel", Branches=[{"States": {}}], End=True)),
        ("blueprint", {**machine(Type="Succeed"), "Sfc": {"Group": "a"}}),
        ("blueprint", {**machine(Type="Succeed"), "Sfc": {"Name": "a", "Triggers": [{"Id": "x"}]}}),
        ("task", {"Name": "A B"}),
        ("task", {"Name": "a", "Http": {"Method": "GET"}}),
        ("task", {"Name": "a", "Kafka": {"Topic": "t", "Correlate": "Value"}}),
    ],
)
def test_what_a_schema_can_see_is_seen(kind: Literal["blueprint", "task"], document: Any) -> None:
    assert fitting(kind, document)


def test_an_expression_may_stand_for_a_number() -> None:
    wait = machine(Type="Wait", QueryLanguage="JSONata", Seconds="{% $states.input.s %}", End=True)
    assert validate(wait) == []
    assert fitting("blueprint", wait) == []
