"""HTTP tasks: what may stand in the Http section, and what is refused when it is deployed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sfc.errors import InvalidDocument
from sfc.registry.files import parse_document
from sfc.registry.http_document import check_http, check_url
from sfc.registry.shapes import Checks
from sfc.registry.task_document import check_task
from sfc.wire.http_call import prepare

URL = "https://shop.example/orders"
WHOLE: dict[str, Any] = {
    "Url": "https://{$.region}.shop.example:8443/orders/{$.order.id}?key=${secret:shop-key}",
    "Method": "PATCH",
    "Headers": {"X-Tenant": "${secret:TENANT}", "X-Order.$": "$.order.id", "X-Fixed": "1"},
    "Query": {"page": 1, "all": True, "tag": ["a", "${secret:TAG}"], "q.$": "States.Format('{}!', $.q)", "none": None},
    "Body": {"id.$": "$.order.id", "lines": [{"sku.$": "$.sku"}]},
    "Auth": {"Basic": {"User": "shop", "Password": "${secret:PASSWORD}"}},
    "Success": {"Status": ["2xx", 304], "When": "$.body.ok == true"},
    "RetryOn": [429, "5xx"],
    "Error": [{"Status": [404], "Error": "OrderUnknown"}, {"When": "$.body.code == 'STOCK'", "Error": "OutOfStock"}],
    "Result": "response",
    "Redirects": "none",
    "ConnectTimeoutSeconds": 2,
    "TimeoutSeconds": 20,
}


def problems(section: Any) -> dict[str, str]:
    """Codes by pointer."""
    checks = Checks()
    check_http(checks, section, "/Http")
    return {problem.pointer: problem.code for problem in checks.problems}


def test_a_whole_section_is_taken_and_can_be_prepared() -> None:
    assert problems(WHOLE) == {}
    call = prepare(WHOLE)
    assert (call.method, call.result, call.timeout_s, call.secret_headers) == ("PATCH", "response", 20, frozenset(["x-tenant"]))


@pytest.mark.parametrize(
    "section",
    [
        {"Url": URL, "Body.$": "$.order"},
        {"Url": URL, "Body": None},
        {"Url": "${secret:WEBHOOK}"},
        {"Url": URL, "Error": {"404": "Gone", "5xx": "Busy"}},
        {"Url": URL, "Auth": {"Bearer": "${secret:TOKEN}"}},
        {"Url": URL, "Auth": {"Bearer": "${credentials}"}, "Headers": {"X-Key": "${credentials:key.id}"}},
    ],
)
def test_what_is_taken_can_be_prepared(section: dict[str, Any]) -> None:
    assert problems(section) == {}
    prepare(section)


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"Url": "https://x/{$.a[}"}, "/Http/Url", "bad-expression"),
        ({"Url": "https://x/{$..a}"}, "/Http/Url", "bad-expression"),
        ({"Url": "https://x/{order_id}"}, "/Http/Url", "bad-expression"),
        ({"Url": "https://x/${secret:a/b}"}, "/Http/Url", "bad-expression"),
        ({"Url": "{$.url}"}, "/Http/Url", "bad-url"),
        ({"Headers": {"X.$": "order"}}, "/Http/Headers/X.$", "bad-path"),
        ({"Headers": {"X": "${secret:a"}}, "/Http/Headers/X", "bad-expression"),
        ({"Headers": {"X Y": "1"}}, "/Http/Headers/X Y", "bad-name"),
        ({"Headers": {"X": 3}}, "/Http/Headers/X", "wrong-type"),
        ({"Url": "https://x/${credentials}"}, "/Http/Url", "bad-expression"),
        ({"Auth": {"Bearer": "${credentials:}"}}, "/Http/Auth/Bearer", "bad-expression"),
        ({"Auth": {"Bearer": "${credentials"}}, "/Http/Auth/Bearer", "bad-expression"),
        ({"Body": {"a": "${credentials}"}}, "/Http/Body", "bad-expression"),
        ({"Query": {"a": {"b": 1}}}, "/Http/Query/a", "wrong-type"),
        ({"Query": {"a": [{"b": 1}]}}, "/Http/Query/a", "bad-expression"),
        ({"Query": {"a.$": 3}}, "/Http/Query/a.$", "wrong-type"),
        ({"Body": {"a": {"b.$": "x"}}}, "/Http/Body/a/b.$", "bad-path"),
        ({"Body.$": "order"}, "/Http/Body.$", "bad-path"),
        ({"Body": {"a": ["${secret:A}"]}}, "/Http/Body", "bad-expression"),
        ({"Body": {}, "Body.$": "$"}, "/Http/Body.$", "one-of"),
        ({"Auth": {}}, "/Http/Auth", "one-of"),
        ({"Auth": {"Basic": {"User": "a"}}}, "/Http/Auth/Basic/Password", "missing-field"),
        ({"Auth": {"Bearer": 3}}, "/Http/Auth/Bearer", "wrong-type"),
        ({"Auth": {"Bearer": "x"}, "Headers": {"authorization": "y"}}, "/Http/Auth", "one-of"),
        ({"Success": {"Status": ["6xx"]}}, "/Http/Success/Status/0", "wrong-value"),
        ({"Success": {"When": "$.body.ok =="}}, "/Http/Success/When", "bad-expression"),
        ({"Error": {"abc": "X"}}, "/Http/Error/abc", "wrong-value"),
        ({"Error": {"404": 3}}, "/Http/Error/404", "wrong-type"),
        ({"Error": [{"Status": [404]}]}, "/Http/Error/0/Error", "missing-field"),
        ({"Error": [{"When": "(", "Error": "X"}]}, "/Http/Error/0/When", "bad-expression"),
        ({"Error": "X"}, "/Http/Error", "wrong-type"),
        ({"Result": "all"}, "/Http/Result", "wrong-value"),
        ({"Redirects": "yes"}, "/Http/Redirects", "wrong-value"),
        ({"TimeoutSeconds": 0}, "/Http/TimeoutSeconds", "wrong-value"),
        ({"Timeout": 1}, "/Http/Timeout", "unknown-field"),
    ],
)
def test_a_section_is_refused_at_its_place(fields: dict[str, Any], pointer: str, code: str) -> None:
    section = {"Url": URL, **fields}
    assert problems(section).get(pointer) == code, problems(section)


@pytest.mark.parametrize("fields", [{"Url": "https://x/{$.a[}"}, {"Body": {"a.$": "x"}}, {"Success": {"When": "("}}])
def test_what_can_t_be_prepared_is_refused_by_who_runs_it_too(fields: dict[str, Any]) -> None:
    with pytest.raises((ValueError, InvalidDocument)):
        prepare({"Url": URL, **fields})


def test_a_resource_that_is_a_url_is_looked_at_in_the_same_way() -> None:
    checks = Checks()
    check_url(checks, "https://x/{order_id}", "/States/A/Resource")
    assert [(p.pointer, p.code) for p in checks.problems] == [("/States/A/Resource", "bad-expression")]
    check_url(checks, "https://x/{$.order_id}", "/States/A/Resource")
    assert len(checks.problems) == 1


def test_the_example_of_the_reference_is_right() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference" / "blueprints.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(Name: charge\n.*?)```", text, re.DOTALL)
    document = parse_document(example, "blueprints.md")
    assert check_task(document) == []
    assert prepare(document["Http"]).secret_headers == {"x-tenant"}
