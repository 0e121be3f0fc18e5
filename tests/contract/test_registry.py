"""Deploying, versions, triggers, pausing, reading."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sfc.engine.commands import Hold
from sfc.errors import BadInput, InvalidDocument, UnknownName
from sfc.registry import Registry
from sfc.wire.commands import decode_command, encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, TaskHead, TaskVersion, decode_definition
from tests.contract.registries import Database


def published(registry: Registry) -> list[Any]:
    """What waits in the outbox, decoded."""
    found: list[Any] = []
    for item in registry.unpublished():
        if item.kind == "definition":
            found.append(decode_definition(item.value))
        else:
            _, head = encode_command(Hold("", 0, False))
            found.append(decode_command(None, item.value, head).command)
    return found


def test_a_deploy_saves_tasks_before_the_blueprints_that_name_them(registry: Registry, documents: Any) -> None:
    deployed = registry.deploy([documents.blueprint(), documents.task()])
    assert [(d.kind, d.name, d.version, d.changed) for d in deployed] == [("blueprint", "order", 1, True), ("task", "split", 1, True)]
    assert [type(d) for d in published(registry)] == [TaskVersion, TaskHead, BlueprintVersion, BlueprintHead]


def test_references_are_pinned_to_the_current_version(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task()])
    registry.deploy([documents.task(TimeoutSeconds=3)])
    registry.deploy([documents.blueprint()])
    assert registry.version("order", 1).document["States"]["Split"]["Resource"] == "task:split@2"


def test_a_reference_may_name_an_older_version(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task()])
    registry.deploy([documents.task(TimeoutSeconds=3), documents.blueprint(resource="task:split@1")])
    assert registry.version("order", 1).document["States"]["Split"]["Resource"] == "task:split@1"


def test_mapped_resources_are_pinned_in_the_mapping_and_inside_branches(registry: Registry, documents: Any) -> None:
    inner = {"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "task:split", "End": True}}}
    _, document = documents.blueprint(resource="arn:aws:lambda:x", Resources={"arn:aws:lambda:x": "task:split"})
    document["States"]["Split"] = {"Type": "Task", "Resource": "arn:aws:lambda:x", "Next": "Both"}
    document["States"]["Both"] = {"Type": "Parallel", "Branches": [inner], "End": True}
    registry.deploy([documents.task(), ("order.yaml", document)])
    saved = registry.version("order", 1).document
    assert saved["Sfc"]["Resources"] == {"arn:aws:lambda:x": "task:split@1"}
    assert saved["States"]["Split"]["Resource"] == "arn:aws:lambda:x"
    assert saved["States"]["Both"]["Branches"][0]["States"]["B"]["Resource"] == "task:split@1"
    assert "Resource" in document["States"]["Split"], "the given document is left as it came"
    assert document["Sfc"]["Resources"] == {"arn:aws:lambda:x": "task:split"}


def test_the_hash_is_that_of_the_pinned_canonical_document(registry: Registry, documents: Any) -> None:
    deployed = registry.deploy([documents.task(), documents.blueprint()])[1]
    text = json.dumps(registry.version("order", 1).document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert deployed.hash == hashlib.sha256(text.encode()).hexdigest() == registry.blueprint("order").hash


def test_the_same_content_makes_no_version(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task(), documents.blueprint()])
    waiting, revision = len(registry.unpublished()), registry.revision()
    again = registry.deploy([documents.task(), documents.blueprint()])
    assert [(d.version, d.changed) for d in again] == [(1, False), (1, False)]
    assert (len(registry.unpublished()), registry.revision()) == (waiting, revision)


def test_a_blueprint_keeps_its_task_version_until_it_is_edited(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task(), documents.blueprint()])
    _, kept = registry.deploy([documents.task(TimeoutSeconds=5), documents.blueprint()])
    assert (kept.version, kept.changed) == (1, False)
    assert kept.notes == ["It keeps task:split@1 until it is edited; the current version of split is 2."]
    edited = registry.deploy([documents.blueprint(Group="shop")])[0]
    assert edited.version == 2
    assert registry.version("order", 2).document["States"]["Split"]["Resource"] == "task:split@2"
    assert registry.version("order", 1).document["States"]["Split"]["Resource"] == "task:split@1"


def test_going_back_to_earlier_content_points_at_the_version_that_has_it(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task(), documents.blueprint()])
    registry.deploy([documents.blueprint(Group="shop")])
    back = registry.deploy([documents.blueprint()])[0]
    assert (back.version, back.changed, back.made, back.before) == (1, True, False, 2)
    assert registry.blueprint("order").current == 1
    assert [v.version for v in registry.versions("order")] == [1, 2]
    further = registry.deploy([documents.blueprint(Group="store")])[0]
    assert further.version == 3


def test_a_deploy_is_all_or_nothing_and_tells_every_problem_of_every_document(registry: Registry, documents: Any) -> None:
    with pytest.raises(InvalidDocument) as caught:
        registry.deploy([documents.task(Timeout=3), documents.blueprint(resource="task:spilt", Grup="x"), documents.task("fine")])
    found = {p.pointer: p for p in caught.value.problems}
    assert set(found) == {"split.yaml#/Timeout", "order.yaml#/Sfc/Grup", "order.yaml#/States/Split/Resource"}
    assert found["order.yaml#/Sfc/Grup"].hint == "Did you mean 'Group'?"
    assert found["order.yaml#/States/Split/Resource"].hint == "Did you mean 'split'?"
    assert registry.tasks() == []
    assert registry.unpublished() == []
    assert registry.revision() == 0


def test_a_single_documents_pointers_stand_alone(registry: Registry, documents: Any) -> None:
    with pytest.raises(InvalidDocument, match=r"1 problem in .*order\.yaml") as caught:
        registry.deploy([documents.blueprint()])
    assert [p.pointer for p in caught.value.problems] == ["/States/Split/Resource"]


def test_one_name_twice_in_a_deploy_is_refused(registry: Registry, documents: Any) -> None:
    with pytest.raises(InvalidDocument) as caught:
        registry.deploy([documents.task(), documents.task(TimeoutSeconds=3)])
    assert [p.code for p in caught.value.problems] == ["twice", "twice"]


def test_a_trigger_keeps_its_uid_over_edits_and_gets_a_new_one_otherwise(registry: Registry, documents: Any) -> None:
    def triggers(*given: dict[str, Any]) -> list[tuple[str, int]]:
        registry.deploy([documents.task(), documents.blueprint(Triggers=list(given))])
        return [(t.uid, t.revision) for t in registry.blueprint("order").triggers]

    plain = {"Id": "in", "Topic": "orders"}
    assert triggers(plain) == [("uid-1", 1)]
    assert triggers({**plain, "FlowId": "$.id"}) == [("uid-1", 2)]
    assert triggers({**plain, "FlowId": "$.id"}, {"Id": "more", "Topic": "orders"}) == [("uid-1", 2), ("uid-2", 1)]
    assert triggers({**plain, "FlowId": "$.id", "From": "earliest"}) == [("uid-3", 1)], "another start"
    assert triggers() == []
    assert triggers({**plain, "FlowId": "$.id", "From": "earliest"}) == [("uid-4", 1)], "removed and added again"


def test_pausing_publishes_the_head_and_one_hold_at_one_revision(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task(), documents.blueprint()])
    before = registry.unpublished()[-1].id
    edited = registry.pause("order", "stocktaking", "ann")
    rows = [r for r in registry.unpublished() if r.id > before]
    assert [(r.kind, r.revision) for r in rows] == [("definition", edited.revision), ("hold", edited.revision)]
    head, hold = published(registry)[-2:]
    assert (head.status, head.hold_reason, head.revision) == ("paused", "stocktaking", edited.revision)
    assert hold == Hold("blueprint:order", edited.revision, True, freeze=True, reason="stocktaking", by="ann")
    assert registry.pause("order").changed is False
    lifted = registry.resume("order", "bob")
    assert lifted.revision > edited.revision
    assert lifted.status == "enabled"
    assert published(registry)[-1] == Hold("blueprint:order", lifted.revision, False, freeze=True, by="bob")
    assert registry.blueprint("order").hold_reason == ""


def test_a_paused_blueprint_stays_paused_when_it_is_edited(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task(), documents.blueprint()])
    registry.pause("order", "wait")
    registry.deploy([documents.blueprint(Group="shop")])
    assert published(registry)[-1].status == "paused"
    assert published(registry)[-1].hold_reason == "wait"


def test_disabling_holds_nothing_and_lifts_a_hold(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task(), documents.blueprint()])
    registry.disable("order")
    assert isinstance(published(registry)[-1], BlueprintHead)
    assert published(registry)[-1].status == "disabled"
    registry.pause("order", "x")
    registry.disable("order")
    assert published(registry)[-1].held is False
    assert registry.resume("order").status == "enabled"


def test_unknown_names_are_told_with_the_nearest_one(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task(), documents.blueprint()])
    with pytest.raises(UnknownName, match="no blueprint ordr") as caught:
        registry.pause("ordr")
    assert caught.value.hint == "Did you mean 'order'?"
    with pytest.raises(UnknownName, match="order has no version 7: its current one is 1"):
        registry.version("order", 7)
    with pytest.raises(UnknownName, match="no task nope"):
        registry.task_versions("nope")
    with pytest.raises(UnknownName, match="split has no version 2"):
        registry.task_version("split", 2)


def test_tasks_and_their_versions_can_be_read(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task("b"), documents.task("a")])
    registry.deploy([documents.task("a", Comment="new")])
    assert [(t.name, t.current) for t in registry.tasks()] == [("a", 2), ("b", 1)]
    assert registry.task("a").document == {"Name": "a", "Comment": "new"}
    assert [v.document for v in registry.task_versions("a")] == [{"Name": "a"}, {"Name": "a", "Comment": "new"}]


def test_settings_are_recorded_once(registry: Registry) -> None:
    assert registry.settings(8).shards == 8
    assert registry.settings(4).shards == 8
    assert len(registry.unpublished()) == 1


def test_the_revision_is_raised_above_what_the_log_has_seen(registry: Registry, documents: Any) -> None:
    registry.raise_revision(40)
    registry.raise_revision(12)
    assert registry.deploy([documents.task()])[0].revision == 41


def test_what_is_saved_survives_reopening(database: Database, documents: Any) -> None:
    first = database.open()
    first.deploy([documents.task(), documents.blueprint()])
    first.pause("order", "x")
    first.close()
    second = database.open()
    assert second.blueprint("order").status == "paused"
    assert second.revision() == 3


def test_edits_of_many_threads_and_gateways_follow_one_another(database: Database, documents: Any) -> None:
    registries = [database.open() for _ in range(2)]

    def edit(which: int) -> None:
        for n in range(10):
            registries[which % 2].deploy([documents.task(f"task-{which}-{n}"), documents.task("shared", Comment=f"{which}-{n}")])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(edit, range(4)))
    revisions = [t.revision for t in registries[0].tasks() if t.name != "shared"]
    waiting = [r.revision for r in registries[0].unpublished()]
    assert waiting == sorted(waiting), "the outbox is in the order of the revisions"
    assert set(waiting) == set(range(1, 81)), "revisions count without a gap"
    assert set(revisions) < set(waiting)
    assert [v.version for v in registries[1].task_versions("shared")] == list(range(1, 41)), "no version twice, none left out"


def test_a_registry_is_shared_by_threads(registry: Registry, documents: Any) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: registry.deploy([documents.task(f"task-{n}")]), range(8)))
    assert len(registry.tasks()) == 8


@pytest.mark.parametrize("name", ["no\x00where", "\ud800"])
def test_a_name_that_no_database_can_hold_is_bad_input_or_unknown(registry: Registry, name: str) -> None:
    with pytest.raises(BadInput):
        registry.blueprint(name)


def test_a_reason_that_the_database_cannot_hold_changes_nothing(registry: Registry, documents: Any) -> None:
    registry.deploy([documents.task(), documents.blueprint()])
    with pytest.raises(BadInput):
        registry.pause("order", "half of a character: \ud800")
    assert registry.blueprint("order").status == "enabled"
