"""Saving documents: tasks first, then blueprints, all of them or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlmodel import Session, select

from sfc.errors import InvalidDocument, Problem
from sfc.registry import schedules
from sfc.registry.blueprint_document import (
    KnownTask,
    check_blueprint,
    name_of_blueprint,
    open_references,
    pin,
    resources_of,
)
from sfc.registry.documents import canonical, content_hash
from sfc.registry.references import SCHEME, KnownBlueprint, in_order
from sfc.registry.session import Edit
from sfc.registry.shapes import NAME
from sfc.registry.status import RETIRED
from sfc.registry.tables import BlueprintRow, BlueprintVersionRow, TaskRow, TaskVersionRow
from sfc.registry.task_document import check_task
from sfc.registry.views import Deployed, blueprint_head, blueprint_version, document_of, task_head, task_version, triggers_of, triggers_text
from sfc.wire.definitions import TriggerRecord

DOCUMENT_BYTES_MAX = 1_048_576
"""Of canonical JSON: a definition must fit into a record (8 MiB) with room to spare, and every process keeps all of them."""


class Given(NamedTuple):
    """A document as it came, and its canonical JSON ('' where it has none)."""

    source: str
    document: dict[str, Any]
    kind: str  # blueprint, task, or '' when it is neither
    name: str | None
    text: str


class Checked(NamedTuple):
    """Documents that are right, and what their references may name. ``warnings``: by source. ``tasks``: as they are when those that came
    are saved. ``blueprints``: as they are; ``save_blueprint`` keeps them current."""

    given: list[Given]
    warnings: dict[str, list[Problem]]
    tasks: dict[str, KnownTask]
    blueprints: dict[str, KnownBlueprint]

    def warnings_of(self, given: Given) -> list[Problem]:
        return self.warnings.get(given.source, [])


def read(source: str, document: Any) -> tuple[Given, list[Problem]]:
    """What a document is. Problems: it is nothing that could be deployed, or more than that."""
    if not isinstance(document, dict):
        return Given(source, {}, "", None, ""), [Problem("wrong-type", "", "expected an object: a blueprint or a task.")]
    try:
        text = canonical(document)
    except (ValueError, TypeError, RecursionError) as e:
        return Given(source, document, "", None, ""), [Problem("not-json", "", f"a document is JSON: {e}.")]
    if (size := len(text.encode())) > DOCUMENT_BYTES_MAX:
        return Given(source, document, "", None, ""), [
            Problem("too-large", "", f"expected at most {DOCUMENT_BYTES_MAX} bytes of JSON, came {size}.")
        ]
    if not document.keys().isdisjoint(("StartAt", "States", "Sfc")):
        return Given(source, document, "blueprint", name_of_blueprint(document), text), []
    if "Name" in document:
        name = document["Name"]
        return Given(source, document, "task", name if isinstance(name, str) and NAME(name) else None, text), []
    hint = "Write StartAt and States for a blueprint, Name for a task."
    return Given(source, document, "", None, text), [Problem("unknown-kind", "", "this is neither a blueprint nor a task.", hint)]


def check_all(session: Session, documents: list[tuple[str, dict[str, Any]]]) -> Checked:
    """Raises InvalidDocument with every problem of all of them.

    With several documents a pointer is preceded by its source and ``#``: ``orders.yaml#/States/Pay/Next``.
    """
    all_given: list[Given] = []
    found: list[tuple[str, Problem]] = []
    for source, document in documents:
        given, problems = read(source, document)
        all_given.append(given)
        found += [(source, p) for p in problems]
    named = Counter((g.kind, g.name) for g in all_given if g.name)
    tasks, blueprints = known_tasks(session, all_given), known_blueprints(session, all_given)
    found += _cycle(all_given)
    for given in all_given:
        if given.kind == "task":
            found += [(given.source, p) for p in check_task(given.document)]
        elif given.kind == "blueprint":
            found += [(given.source, p) for p in check_blueprint(given.document, tasks, blueprints)]
        if given.kind == "blueprint" and given.name and _is_retired(session, given.name):
            hint = f"`sfc blueprints enable {given.name}` makes it enabled again."
            found.append(
                (given.source, Problem("retired", "/Sfc/Name", f"blueprint {given.name} is retired: nothing is deployed to it.", hint))
            )
        if given.name and named[given.kind, given.name] > 1:
            pointer = "/Name" if given.kind == "task" else "/Sfc/Name"
            found.append((given.source, Problem("twice", pointer, f"{given.kind} {given.name} is there twice.", "Deploy one of them.")))
    if any(p.severity == "error" for _, p in found):
        if len(documents) == 1:
            raise InvalidDocument(documents[0][0], [p for _, p in found])
        raise InvalidDocument(f"{len(documents)} documents", [p._replace(pointer=f"{source}#{p.pointer}") for source, p in found])
    warnings: dict[str, list[Problem]] = {}
    for source, problem in found:
        warnings.setdefault(source, []).append(problem)
    return Checked(all_given, warnings, tasks, blueprints)


def _is_retired(session: Session, name: str) -> bool:
    row = session.get(BlueprintRow, name)
    return row is not None and row.status == RETIRED


def known_tasks(session: Session, coming: list[Given]) -> dict[str, KnownTask]:
    """Tasks by name as they will be when those that are coming are saved."""
    documents: dict[str, dict[int, dict[str, Any]]] = {}
    texts: dict[tuple[str, str], int] = {}
    for row in session.exec(select(TaskVersionRow)):
        documents.setdefault(row.name, {})[row.version] = document_of(row)
        texts[row.name, row.document] = row.version
    tasks = {row.name: KnownTask(row.current, documents[row.name]) for row in session.exec(select(TaskRow))}
    for given in coming:
        if given.kind == "task" and given.name:
            versions = documents.get(given.name, {})
            version = texts.get((given.name, given.text)) or max(versions, default=0) + 1
            tasks[given.name] = KnownTask(version, {**versions, version: given.document})
    return tasks


def known_blueprints(session: Session, coming: list[Given]) -> dict[str, KnownBlueprint]:
    """Blueprints by name, and those that are coming."""
    versions: dict[str, set[int]] = {}
    for name, version in session.exec(select(BlueprintVersionRow.name, BlueprintVersionRow.version)):
        versions.setdefault(name, set()).add(version)
    known = {row.name: KnownBlueprint(row.current, versions[row.name]) for row in session.exec(select(BlueprintRow))}
    for given in coming:
        if given.kind == "blueprint" and given.name:
            known.setdefault(given.name, KnownBlueprint(0))
    return known


def saving_order(all_given: list[Given]) -> list[int]:
    """The places of documents that were checked, so that each stands behind those that it names: tasks, then blueprints."""
    tasks = [index for index, given in enumerate(all_given) if given.kind == "task"]
    places = {str(given.name): index for index, given in enumerate(all_given) if given.kind == "blueprint"}
    order, _ = in_order({name: open_references(all_given[index].document) for name, index in places.items()})
    return [*tasks, *(places[name] for name in order)]


def _cycle(all_given: list[Given]) -> list[tuple[str, Problem]]:
    sources = {given.name: given.source for given in all_given if given.kind == "blueprint" and given.name}
    named = {given.name: open_references(given.document) - {given.name} for given in all_given if given.name in sources and given.name}
    _, cycle = in_order(named)
    hint = "Write one of the references with a version: blueprint:NAME@VERSION."
    said = f"{', '.join(cycle)} name each other without a version."
    return [(sources[name], Problem("cycle", "/Sfc/Name", said, hint)) for name in cycle[:1]]


def save_task(edit: Edit, given: Given, warnings: list[Problem]) -> Deployed:
    """Points the task at the version with this content, made when there is none: the one that ``known_tasks`` foretells."""
    name, hash_ = str(given.name), content_hash(given.text)
    session = edit.session
    row = session.get(TaskRow, name)
    version = session.exec(select(TaskVersionRow).where(TaskVersionRow.name == name, TaskVersionRow.hash == hash_)).first()
    if row is not None and version is not None and version.version == row.current:
        return _as_it_is(given, row, hash_, warnings)
    revision, before = edit.next_revision(), row.current if row is not None else 0
    made = version is None
    number = version.version if version is not None else edit.next_version(TaskVersionRow, name)
    if row is None:
        row = TaskRow(name=name, current=number, revision=revision, created_ms=edit.now_ms, updated_ms=edit.now_ms)
    row.current, row.revision, row.updated_ms = number, revision, edit.now_ms
    session.add(row)
    session.flush()  # the head is there before what refers to it
    if version is None:
        version = TaskVersionRow(name=name, version=number, hash=hash_, document=given.text, created_ms=edit.now_ms)
        session.add(version)
        edit.publish(task_version(version), revision)
    edit.publish(task_head(row), revision)
    return Deployed(given.source, given.kind, name, number, hash_, revision, made, before, warnings=warnings)


def save_blueprint(edit: Edit, given: Given, checked: Checked, new_id: Callable[[], str]) -> Deployed:
    """Points the blueprint at the version with this content, made when there is none. What it names without a version is saved before it.

    A document that is the current version's, as it was given then, keeps the task versions pinned at that time.
    """
    name, source_hash = str(given.name), content_hash(given.text)
    session, warnings = edit.session, checked.warnings_of(given)
    row = session.get(BlueprintRow, name)
    current = None if row is None else session.get(BlueprintVersionRow, (name, row.current))
    if row is not None and current is not None and current.source_hash == source_hash:
        notes = _older(document_of(current), checked.tasks, checked.blueprints)
        return _as_it_is(given, row, current.hash, warnings, notes)
    text = canonical(pin(given.document, checked.tasks, checked.blueprints))
    hash_ = content_hash(text)
    version = session.exec(select(BlueprintVersionRow).where(BlueprintVersionRow.name == name, BlueprintVersionRow.hash == hash_)).first()
    if row is not None and version is not None and version.version == row.current:
        return _as_it_is(given, row, hash_, warnings)
    revision, before = edit.next_revision(), row.current if row is not None else 0
    made = version is None
    number = version.version if version is not None else edit.next_version(BlueprintVersionRow, name)
    if row is None:
        row = BlueprintRow(
            name=name, current=number, status="enabled", revision=revision, created_ms=edit.now_ms, updated_ms=edit.now_ms
        )  # fmt: skip
    point_at(edit, row, number, given.document, revision, new_id)
    if version is None:
        version = BlueprintVersionRow(
            name=name, version=number, hash=hash_, source_hash=source_hash, document=text, created_ms=edit.now_ms
        )  # fmt: skip
        session.add(version)
        edit.publish(blueprint_version(version), revision)
    edit.publish(blueprint_head(row), revision)
    checked.blueprints[name] = KnownBlueprint(number, {*checked.blueprints[name].versions, number})
    return Deployed(given.source, given.kind, name, number, hash_, revision, made, before, warnings=warnings)


def _as_it_is(given: Given, row: TaskRow | BlueprintRow, hash_: str, warnings: list[Problem], notes: Sequence[str] = ()) -> Deployed:
    current, notes = row.current, list(notes)
    return Deployed(given.source, given.kind, row.name, current, hash_, row.revision, False, current, notes, warnings)


def as_deployed(session: Session, row: BlueprintRow, document: dict[str, Any]) -> tuple[dict[str, Any], int | None]:
    """The document as ``save_blueprint`` would save it, and the version that has this content already."""
    checked = check_all(session, [(row.name, document)])
    (given,) = checked.given
    current = session.get_one(BlueprintVersionRow, (row.name, row.current))
    if current.source_hash == content_hash(given.text):
        return document_of(current), row.current
    pinned = pin(given.document, checked.tasks, checked.blueprints)
    wanted = (BlueprintVersionRow.name == row.name, BlueprintVersionRow.hash == content_hash(canonical(pinned)))
    return pinned, session.exec(select(BlueprintVersionRow.version).where(*wanted)).first()


def point_at(edit: Edit, row: BlueprintRow, version: int, document: dict[str, Any], revision: int, new_id: Callable[[], str]) -> None:
    """Makes a version the current one: its triggers, schedules and its group become the active ones. The caller publishes the head."""
    section = document["Sfc"]
    triggers = active_triggers(section.get("Triggers", []), triggers_of(row), new_id)
    row.current, row.revision, row.updated_ms = version, revision, edit.now_ms
    row.group, row.triggers = section.get("Group", ""), triggers_text(triggers)
    edit.session.add(row)
    edit.session.flush()
    schedules.sync(edit, row.name, document, new_id)


def active_triggers(documents: list[dict[str, Any]], before: list[TriggerRecord], new_id: Callable[[], str]) -> list[TriggerRecord]:
    """The triggers of a version, after those of the one before: who stays keeps its uid, unless it is to start elsewhere."""
    known = {t.id: t for t in before}
    triggers = []
    for document in documents:
        if "Topic" not in document:
            continue  # a schedule: see sfc.registry.schedules
        record = TriggerRecord(
            uid="",
            id=document["Id"],
            topic=document["Topic"],
            flow_id=document.get("FlowId", ""),
            when=document.get("When", ""),
            start=document.get("From", "latest"),
        )
        old = known.get(record.id)
        if old is None or old.start != record.start:
            record = _with(record, new_id(), 1)
        else:
            same = _with(record, old.uid, old.revision)
            record = same if same == old else _with(record, old.uid, old.revision + 1)
        triggers.append(record)
    return triggers


def _with(record: TriggerRecord, uid: str, revision: int) -> TriggerRecord:
    return TriggerRecord(uid, record.id, record.topic, record.flow_id, record.when, record.start, revision)


def _older(document: dict[str, Any], tasks: dict[str, KnownTask], blueprints: dict[str, KnownBlueprint]) -> list[str]:
    targets = {resource for _, resource in resources_of(document)} | set(document["Sfc"].get("Resources", {}).values())
    notes = []
    for target in sorted(targets):
        kind, _, rest = target.partition(":")
        name, _, version = rest.partition("@")
        current = tasks[name].current if kind == "task" else blueprints[name].current if target.startswith(SCHEME) else 0
        if current and current != int(version):
            notes.append(f"It keeps {target} until it is edited; the current version of {name} is {current}.")
    return notes
