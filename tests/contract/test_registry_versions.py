"""Holds on versions, tasks and groups; statuses; rollback; groups; drafts."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Hold
from sfc.errors import BadInput, InvalidDocument, NotPossible, RecordTooLarge, UnknownName
from sfc.ports import Partition, TopicSpec
from sfc.registry import Drafts, Groups, Holds, Registry
from sfc.registry.deploy import DOCUMENT_BYTES_MAX
from sfc.registry.drafts import ready
from sfc.registry.holds import applying
from sfc.registry.outbox import Outbox
from sfc.registry.status import TRANSITIONS
from sfc.wire.commands import decode_command, encode_command
from sfc.wire.definitions import BlueprintHead, SubjectHold, decode_definition
from sfc.wire.topics import Names, core_topics

STATUSES = ("enabled", "paused", "disabled", "retired")


def published(registry: Registry, since: int = 0, since_id: int = 0) -> list[Any]:
    """What waits in the outbox behind the first ``since`` rows, or behind an id, decoded."""
    _, head = encode_command(Hold("", 0, False))
    rows = [row for row in registry.unpublished() if row.id > since_id][since:]
    return [decode_definition(r.value) if r.kind == "definition" else decode_command(None, r.value, head).command for r in rows]


@pytest.fixture
def deployed(registry: Registry, documents: Any) -> Registry:
    """Blueprint ``order`` with versions 1 and 2, in group shop since 2, and ``bill``; both use task ``split``."""
    registry.deploy([documents.task(), documents.blueprint(), documents.blueprint("bill", Group="shop")])
    registry.deploy([documents.blueprint(Group="shop")])
    return registry


@pytest.mark.parametrize("subject", ["version:order@1", "task:split", "group:shop"])
def test_a_hold_is_told_to_definitions_and_to_the_shards(deployed: Registry, clock: Any, subject: str) -> None:
    holds, before = Holds(deployed), len(deployed.unpublished())
    edited = holds.pause(subject, "stock", "ann", freeze=False)
    assert (edited.held, edited.changed, edited.revision) == (True, True, deployed.revision())
    assert published(deployed, before) == [
        SubjectHold(subject, edited.revision, True, False, "stock", "ann", clock.ms),
        Hold(subject, edited.revision, True, False, "stock", "ann"),
    ]
    assert [(h.subject, h.freeze, h.reason, h.by, h.since_ms) for h in holds.all()] == [(subject, False, "stock", "ann", clock.ms)]
    lifted = holds.resume(subject, "bob")
    assert published(deployed, before)[-1] == Hold(subject, lifted.revision, False, False, "", "bob")
    assert lifted.revision == edited.revision + 1
    assert holds.all() == []


def test_pausing_and_resuming_again_changes_nothing(deployed: Registry) -> None:
    holds = Holds(deployed)
    assert holds.resume("group:shop").changed is False
    first = holds.pause("group:shop", "stock")
    waiting = len(deployed.unpublished())
    again = holds.pause("group:shop", "another reason")
    assert (again.changed, again.revision, len(deployed.unpublished())) == (False, first.revision, waiting)
    assert holds.all()[0].reason == "stock"
    with pytest.raises(NotPossible, match="paused already, and its timers stand still"):
        holds.pause("group:shop", freeze=False)
    holds.resume("group:shop")
    assert holds.resume("group:shop").changed is False


def test_a_blueprints_hold_keeps_whether_its_timers_run(deployed: Registry) -> None:
    holds, before = Holds(deployed), len(deployed.unpublished())
    holds.pause("blueprint:order", "stock", freeze=False)
    head, command = published(deployed, before)
    assert (head.status, head.hold_freeze, command.freeze) == ("paused", False, False)
    assert [(h.subject, h.freeze, h.since_ms) for h in holds.all()] == [("blueprint:order", False, 1_000)]
    with pytest.raises(NotPossible, match="its timers run"):
        deployed.pause("order", freeze=True)
    assert holds.resume("blueprint:order").held is False
    assert published(deployed)[-1].freeze is False
    deployed.pause("order")
    assert deployed.blueprint("order").hold_freeze is True


@pytest.mark.parametrize(
    ("subject", "said", "hint"),
    [
        ("blueprint:ordr", "no blueprint ordr", "Did you mean 'order'?"),
        ("version:ordr@1", "no blueprint ordr", "Did you mean 'order'?"),
        ("version:order@3", "order has no version 3: its current one is 2", ""),
        ("version:order", r"order has no version \(none given\)", ""),
        ("version:order@01", "order has no version 01", ""),
        ("task:splt", "no task splt", "Did you mean 'split'?"),
        ("group:shp", "no group shp", "Did you mean 'shop'?"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest_name(deployed: Registry, subject: str, said: str, hint: str) -> None:
    for ask in (Holds(deployed).pause, Holds(deployed).resume):
        with pytest.raises(UnknownName, match=said) as caught:
            ask(subject)
        assert caught.value.hint == hint


@pytest.mark.parametrize("subject", ["", "flow:x", "group:", "shop"])
def test_what_is_no_subject_is_refused(deployed: Registry, subject: str) -> None:
    with pytest.raises(BadInput, match="is no subject of a hold"):
        Holds(deployed).pause(subject)


def test_a_group_that_only_an_older_version_names_can_be_held(deployed: Registry, documents: Any) -> None:
    deployed.deploy([documents.blueprint(Group="store")])
    deployed.deploy([documents.blueprint("bill", Group="store")])
    assert Holds(deployed).pause("group:shop").changed is True
    shop, store = Groups(deployed).all()
    assert (shop.name, shop.blueprints, shop.versions) == ("shop", {}, {"bill": [1], "order": [2]})
    assert (store.name, list(store.blueprints), store.versions) == ("store", ["bill", "order"], {"bill": [2], "order": [3]})


def test_holds_are_published_again_lifted_ones_too(deployed: Registry) -> None:
    holds = Holds(deployed)
    held, lifted = holds.pause("task:split", "slow"), (holds.pause("group:shop"), holds.resume("group:shop"))[1]
    before = len(deployed.unpublished())
    deployed.republish()
    again = [d for d in published(deployed, before) if isinstance(d, (SubjectHold, Hold))]
    assert [(d.subject, d.held, d.revision) for d in again] == [
        ("group:shop", False, lifted.revision),
        ("group:shop", False, lifted.revision),
        ("task:split", True, held.revision),
        ("task:split", True, held.revision),
    ]


def test_what_holds_a_blueprint_is_told_apart_from_what_holds_others(deployed: Registry) -> None:
    holds = Holds(deployed)
    for subject in ("version:order@1", "version:bill@1", "task:split", "group:shop", "blueprint:order"):
        holds.pause(subject)
    found = applying(holds.all(), "order", ["shop"], ["other"])
    assert [h.subject for h in found] == ["blueprint:order", "group:shop", "version:order@1"]


EXPECTED = {
    "pause": {"enabled": "paused", "paused": "paused", "disabled": "paused"},
    "resume": {"enabled": "enabled", "paused": "enabled", "disabled": "enabled"},
    "enable": {"enabled": "enabled", "disabled": "enabled", "retired": "enabled"},
    "disable": dict.fromkeys(STATUSES, "disabled"),
    "retire": dict.fromkeys(STATUSES, "retired"),
}


def test_every_request_in_every_status(registry: Registry, documents: Any) -> None:
    cases = [(verb, status, EXPECTED[verb].get(status)) for verb in TRANSITIONS for status in STATUSES]
    registry.deploy([documents.task(), *(documents.blueprint(f"{verb}-{status}") for verb, status, _ in cases)])
    leads = {"enabled": "resume", "paused": "pause", "disabled": "disable", "retired": "retire"}
    for verb, status, expected in cases:
        name = f"{verb}-{status}"
        getattr(registry, leads[status])(name)
        last = max(row.id for row in registry.unpublished())
        if expected is None:
            with pytest.raises(NotPossible, match=f"blueprint {name} is {status}"):
                getattr(registry, verb)(name)
        else:
            edited = getattr(registry, verb)(name, by="ann")
            assert (name, edited.status, edited.changed) == (name, expected, expected != status)
        after = expected or status
        held_before, held = status == "paused", after == "paused"
        told = published(registry, since_id=last)
        assert (name, [d.status for d in told if isinstance(d, BlueprintHead)]) == (name, [after] if after != status else [])
        assert (name, [d.held for d in told if isinstance(d, Hold)]) == (name, [held] if held != held_before else [])
        assert registry.blueprint(name).status == after


def test_nothing_is_deployed_to_a_retired_blueprint(deployed: Registry, documents: Any) -> None:
    deployed.retire("order")
    with pytest.raises(InvalidDocument) as caught:
        deployed.deploy([documents.blueprint(Group="new")])
    assert [(p.code, p.pointer) for p in caught.value.problems] == [("retired", "/Sfc/Name")]
    assert "sfc blueprints enable order" in caught.value.problems[0].hint
    with pytest.raises(NotPossible, match="retired"):
        deployed.roll_back("order")
    deployed.enable("order")
    assert deployed.deploy([documents.blueprint(Group="new")])[0].version == 3


def test_a_rollback_points_at_the_version_before(deployed: Registry) -> None:
    before = len(deployed.unpublished())
    done = deployed.roll_back("order")
    assert (done.version, done.before, done.changed, done.revision) == (1, 2, True, deployed.revision())
    (head,) = published(deployed, before)
    assert (head.current, head.group, head.revision) == (1, "", done.revision)
    assert deployed.blueprint("order").current == 1
    assert deployed.roll_back("order", 2).version == 2
    again = deployed.roll_back("order", 2)
    assert (again.changed, again.revision) == (False, deployed.revision())


def test_there_is_no_version_before_the_first_and_none_that_was_never_saved(deployed: Registry) -> None:
    with pytest.raises(NotPossible, match="at its first version"):
        deployed.roll_back("bill")
    with pytest.raises(UnknownName, match="order has no version 7: its current one is 2"):
        deployed.roll_back("order", 7)
    with pytest.raises(UnknownName, match="no blueprint ordr"):
        deployed.roll_back("ordr")


def test_a_rollback_makes_the_older_versions_triggers_the_active_ones(registry: Registry, documents: Any) -> None:
    def triggers() -> dict[str, tuple[str, str]]:
        return {t.id: (t.uid, t.topic) for t in registry.blueprint("order").triggers}

    stays, goes, comes = ({"Id": name, "Topic": name} for name in ("stays", "goes", "comes"))
    registry.deploy([documents.task(), documents.blueprint(Triggers=[stays, goes])])
    first = triggers()
    registry.deploy([documents.blueprint(Triggers=[stays, comes])])
    assert set(triggers()) == {"stays", "comes"}
    registry.roll_back("order")
    assert set(triggers()) == {"stays", "goes"}
    assert triggers()["stays"] == first["stays"]
    assert triggers()["goes"][0] != first["goes"][0], "it was away: it begins anew"


def test_a_deploy_of_what_was_rolled_back_makes_it_current_again(deployed: Registry, documents: Any) -> None:
    deployed.roll_back("order")
    assert deployed.deploy([documents.blueprint()])[0].changed is False
    again = deployed.deploy([documents.blueprint(Group="shop")])[0]
    assert (again.version, again.changed) == (2, True)


def test_a_rollback_and_a_status_leave_each_other_alone(deployed: Registry) -> None:
    deployed.pause("order", "stock")
    deployed.roll_back("order")
    assert (deployed.blueprint("order").status, deployed.blueprint("order").hold_reason) == ("paused", "stock")


def test_a_document_is_compared_as_it_would_be_deployed(deployed: Registry, documents: Any) -> None:
    deployed.deploy([documents.task(TimeoutSeconds=3)])
    _, same = documents.blueprint(Group="shop")
    assert deployed.as_deployed("order", same) == (deployed.version("order", 2).document, 2)
    _, other = documents.blueprint(Group="other")
    pinned, version = deployed.as_deployed("order", other)
    assert (pinned["States"]["Split"]["Resource"], version) == ("task:split@2", None)
    _, older = documents.blueprint(resource="task:split@1")
    assert deployed.as_deployed("order", older)[1] == 1
    assert deployed.blueprint("order").current == 2
    with pytest.raises(InvalidDocument):
        deployed.as_deployed("order", {**other, "StartAt": "Nowhere"})


def test_groups_tell_what_belongs_to_them(deployed: Registry, documents: Any) -> None:
    Holds(deployed).pause("group:shop", "stock")
    deployed.disable("bill")
    (group,) = Groups(deployed).all()
    assert (group.name, group.blueprints, group.tasks) == ("shop", {"bill": "disabled", "order": "enabled"}, ["split"])
    assert group.hold is not None
    assert group.hold.reason == "stock"
    assert Groups(deployed).get("shop") == group
    with pytest.raises(UnknownName, match="no group sho") as caught:
        Groups(deployed).get("sho")
    assert caught.value.hint == "Did you mean 'shop'?"


def test_a_draft_need_not_be_right(registry: Registry, clock: Any) -> None:
    drafts = Drafts(registry)
    saved = drafts.save("blueprint", "order", {"StartAt": "A", "n": 12345678901234567890123}, "ann")
    assert saved == drafts.get("blueprint", "order")
    assert (saved.document, saved.by, saved.updated_ms) == ({"StartAt": "A", "n": 12345678901234567890123}, "ann", clock.ms)
    assert [p.pointer for p in drafts.problems(saved)] != []
    drafts.save("blueprint", "order", {}, "bob")
    drafts.save("task", "split", {"Topic": 3})
    assert [(d.kind, d.name, d.document) for d in drafts.all()] == [("blueprint", "order", {}), ("task", "split", {"Topic": 3})]
    drafts.delete("blueprint", "order")
    assert [d.name for d in drafts.all()] == ["split"]
    assert registry.revision() == 0, "nobody is told of drafts"


@pytest.mark.parametrize("document", [[], None, {"a": float("nan")}, {"a": "\ud800"}])
def test_what_is_no_json_object_is_no_draft(registry: Registry, document: Any) -> None:
    with pytest.raises(BadInput, match="a draft is"):
        Drafts(registry).save("blueprint", "order", document)


def test_a_draft_has_a_kind_a_name_and_a_limit(registry: Registry) -> None:
    drafts = Drafts(registry)
    with pytest.raises(BadInput, match="no drafts of 'flow': blueprint and task"):
        drafts.save("flow", "order", {})
    with pytest.raises(BadInput, match="can't be the name of a draft"):
        drafts.save("task", "No Name\x00", {})
    with pytest.raises(RecordTooLarge, match="came"):
        drafts.save("task", "large", {"Comment": "x" * DOCUMENT_BYTES_MAX})
    drafts.save("task", "split", {})
    with pytest.raises(UnknownName, match="no draft of a task splt") as caught:
        drafts.get("task", "splt")
    assert caught.value.hint == "Did you mean 'split'?"
    with pytest.raises(UnknownName):
        drafts.delete("blueprint", "split")


def test_a_drafts_problems_are_those_of_a_deploy(deployed: Registry, documents: Any) -> None:
    drafts = Drafts(deployed)

    def pointers(kind: str, name: str, document: dict[str, Any]) -> set[str]:
        return {p.pointer for p in drafts.problems(drafts.save(kind, name, document))}

    _, right = documents.blueprint()
    assert pointers("blueprint", "order", right) == set()
    assert pointers("blueprint", "order", {k: v for k, v in right.items() if k != "Sfc"}) == set(), "its name is the draft's"
    assert "/States/Split/Resource" in pointers("blueprint", "order", documents.blueprint(resource="task:spilt")[1])
    assert pointers("blueprint", "other", right) == {"/Sfc/Name"}
    assert pointers("task", "fine", {}) == set()
    assert pointers("task", "order", right) == {""}
    assert pointers("blueprint", "order", {"Sfc": 3}) == {"", "/Sfc"}


def test_a_deployed_draft_goes_unless_somebody_has_saved_another(deployed: Registry, clock: Any) -> None:
    drafts = Drafts(deployed)
    first = drafts.save("task", "fine", {})
    assert ready(first) == {"Name": "fine"}
    clock.ms += 5
    second = drafts.save("task", "fine", {"Comment": "newer"})
    drafts.deployed(first)
    assert drafts.get("task", "fine") == second
    drafts.deployed(second)
    assert drafts.all() == []
    drafts.deployed(second)


def test_a_hold_reaches_every_shard_with_its_mark(deployed: Registry) -> None:
    log, names = EmbeddedLog.memory(), Names("t")
    log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(names, 2).items()])
    edited = Holds(deployed).pause("version:order@2")
    outbox = Outbox(deployed, log, names, 2)
    while outbox.step():
        pass
    reader = log.reader({Partition(names.commands, n): 0 for n in range(2)})
    found = [decode_command(r.key, r.value, list(r.headers)) for r in reader.take(10, 1.0)]
    while len(found) < 2:
        found += [decode_command(r.key, r.value, list(r.headers)) for r in reader.take(10, 1.0)]
    assert {(f.source, f.mark) for f in found} == {("registry/version:order@2", (edited.revision,))}
    assert len(found) == 2
    outbox.close()
    log.close()
