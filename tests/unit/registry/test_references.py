"""References from blueprint to blueprint: pinned when they are saved, in an order in which what is named is there."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.errors import InvalidDocument
from sfc.registry import Registry
from sfc.registry.references import in_order


def named(name: str, *children: str, **section: Any) -> tuple[str, dict[str, Any]]:
    states: dict[str, Any] = {}
    for n, child in enumerate(children):
        states[f"C{n}"] = {"Type": "Task", "Resource": child, **({"Next": f"C{n + 1}"} if n + 1 < len(children) else {"End": True})}
    states = states or {"C0": {"Type": "Succeed"}}
    return f"{name}.yaml", {"StartAt": "C0", "States": states, "Sfc": {"Name": name, **section}}


def resource(registry: Registry, name: str, version: int) -> str:
    found: str = registry.version(name, version).document["States"]["C0"]["Resource"]
    return found


def test_what_is_named_is_saved_first_whatever_the_order(registry: Registry) -> None:
    done = registry.deploy([named("a", "blueprint:b"), named("b", "blueprint:c"), named("c")])
    assert [one.name for one in done] == ["a", "b", "c"]
    assert done[0].revision > done[1].revision > done[2].revision
    assert (resource(registry, "a", 1), resource(registry, "b", 1)) == ("blueprint:b@1", "blueprint:c@1")


def test_a_reference_keeps_its_version_until_the_blueprint_is_edited(registry: Registry) -> None:
    registry.deploy([named("a", "blueprint:b"), named("b")])
    registry.deploy([named("b", Retention={"Ids": "P1D"})])
    (again,) = registry.deploy([named("a", "blueprint:b")])
    assert (again.version, again.notes) == (1, ["It keeps blueprint:b@1 until it is edited; the current version of b is 2."])
    (edited,) = registry.deploy([named("a", "blueprint:b", Group="retail")])
    assert (edited.version, resource(registry, "a", 2)) == (2, "blueprint:b@2")
    (fixed,) = registry.deploy([named("a", "blueprint:b@1", Group="retail")])
    assert resource(registry, "a", fixed.version) == "blueprint:b@1"


def test_a_version_of_its_own_may_be_named(registry: Registry) -> None:
    registry.deploy([named("a")])
    registry.deploy([named("a", "blueprint:a@1")])
    assert resource(registry, "a", 2) == "blueprint:a@1"


def test_foreign_resources_may_be_mapped_to_a_blueprint(registry: Registry) -> None:
    arn = "arn:aws:states:::states:startExecution.sync:2"
    registry.deploy([named("a", arn, Resources={arn: "blueprint:b"}), named("b")])
    assert registry.version("a", 1).document["Sfc"]["Resources"] == {arn: "blueprint:b@1"}


def test_a_circle_is_refused(registry: Registry) -> None:
    with pytest.raises(InvalidDocument) as refused:
        registry.deploy([named("a", "blueprint:b"), named("b", "blueprint:a"), named("c")])
    assert [(p.code, p.message) for p in refused.value.problems] == [("cycle", "a, b name each other without a version.")]
    assert registry.blueprints() == []


def test_order() -> None:
    assert in_order({"a": ["b", "elsewhere"], "b": ["c"], "c": []}) == (["c", "b", "a"], [])
    assert in_order({"a": ["b"], "b": ["a"], "c": ["a"], "d": []}) == (["d"], ["a", "b", "c"])
