"""/openapi.json: every operation is described, and its examples are what its types say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from fastapi.testclient import TestClient
from sfc_gateway.examples import EXAMPLES
from sfc_gateway.openapi import DOCS, TAGS
from sfc_gateway.operations import ADMIN, ANYBODY, EDITOR, OPERATOR, ROLES, VIEWER

METHODS = {"get", "put", "post", "delete"}


@pytest.fixture
def operations(http: TestClient) -> dict[str, dict[str, Any]]:
    api = http.get("/openapi.json").json()
    return {operation["operationId"]: {**operation, "method": m} for ms in api["paths"].values() for m, operation in ms.items()}


def test_every_operation_is_described(operations: dict[str, Any]) -> None:
    assert set(operations) == set(DOCS)
    for name, operation in operations.items():
        assert operation["summary"]
        assert operation["tags"][0] in TAGS, name
        assert operation["method"] in METHODS
        for status, answer in operation["responses"].items():
            assert "$ref" in answer or status == "204" or all("example" in one for one in answer["content"].values()), name


def test_every_operation_says_its_role_and_its_refusals(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        if ROLES[name] == ANYBODY:
            assert operation["security"] == []
        else:
            assert operation["security"] == [{"key": []}]
            assert operation["x-sfc-role"] == ROLES[name]
            assert {"401", "403"} <= set(operation["responses"]), name


def test_what_changes_something_is_no_viewers(operations: dict[str, Any]) -> None:
    reading = {name for name, operation in operations.items() if operation["method"] == "get"}
    assert {ROLES[name] for name in reading} == {VIEWER, ADMIN, ANYBODY}
    assert {name for name in set(operations) - reading if ROLES[name] not in (OPERATOR, EDITOR, ADMIN)} == {"post_diff", "validate_draft"}


@pytest.mark.parametrize("of", list(EXAMPLES), ids=lambda of: getattr(of, "__name__", str(of))[:60])
def test_examples_are_what_their_types_say(of: Any) -> None:
    msgspec.json.decode(msgspec.json.encode(EXAMPLES[of]), type=of)


def test_the_document_has_a_scheme_and_tags_in_order(http: TestClient) -> None:
    api = http.get("/openapi.json").json()
    assert api["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert [tag["name"] for tag in api["tags"]] == list(TAGS)
    assert api["components"]["schemas"]["FlowPage"]["properties"]["next_cursor"]["type"] == "string"
    assert "HTTPValidationError" not in api["components"]["schemas"]


def test_the_page_of_operations_needs_nothing_from_elsewhere(http: TestClient) -> None:
    page = http.get("/docs").text
    assert "/openapi.json" in page
    assert "https://" not in page
    assert "http://" not in page
