"""A definition from wherever it comes, compiled and linked so that mocks can answer its tasks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sfc.asl import InvalidBlueprint, Machine, MapState, TaskState, compile_machine
from sfc.engine.link import target_of
from sfc.engine.program import Program, Target
from sfc.engine.sources import source_target
from sfc.errors import BadInput, MalformedRecord
from sfc.registry.blueprint_document import name_of_blueprint
from sfc.registry.documents import SUFFIXES
from sfc.registry.files import load_documents, parse_document
from sfc.testing.mocks import payload

UNNAMED = "blueprint"
HASH = "in-memory"
VERSION = 1

Definition = Mapping[str, Any] | str | Path


class Loaded(NamedTuple):
    """A definition that is good: its document, its compiled machine, and the program that ``decide`` runs."""

    document: dict[str, Any]
    machine: Machine
    program: Program


def is_file_name(definition: Any) -> bool:
    """A path, or a text of one line that ends in .yaml, .yml or .json."""
    return isinstance(definition, Path) or (isinstance(definition, str) and "\n" not in definition and definition.endswith(SUFFIXES))


def read_definition(definition: Any) -> tuple[Any, str, Path | None]:
    """Document, what to call it in messages, and the folder that it lies in (None for one that is no file).

    A text with one line that ends in .yaml, .yml or .json names a file, any other is YAML or JSON. Raises BadInput.
    """
    if is_file_name(definition):
        path = Path(definition)
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as e:
            raise BadInput(f"{path}: this is no UTF-8 text (byte {e.start})") from e
        except OSError as e:
            raise BadInput(f"{path} can't be read: {e.strerror}") from e
        return parse_document(text, str(path)), str(path), path.parent
    if isinstance(definition, str):
        return parse_document(definition, "the definition"), "the definition", None
    return definition, "the definition", None


def load(definition: Definition, tasks: Mapping[str, Mapping[str, Any]] | None = None) -> Loaded:
    """Reads, checks, compiles and links. ``tasks``: task documents by name, for their TimeoutSeconds, Retry and topics; those in the folder
    ``tasks`` beside a file are known. Raises BadInput for what is no document, InvalidBlueprint with all problems of one."""
    document, what, folder = read_definition(definition)
    try:
        machine = compile_machine(document)
    except InvalidBlueprint as e:
        raise InvalidBlueprint(what, e.problems) from None
    try:
        payload(document, what)
    except MalformedRecord as e:
        raise BadInput(f"{what} has a text that can't be written: {e.message}") from e
    known = {**_tasks_beside(folder), **(tasks or {})}
    return Loaded(document, machine, link_for_mocks(document, machine, known))


def link_for_mocks(document: Mapping[str, Any], machine: Machine, tasks: Mapping[str, Mapping[str, Any]]) -> Program:
    """A program in which every Resource leads somewhere."""
    section = document.get("Sfc")
    resources = section.get("Resources") if isinstance(section, dict) else None
    mapping: Mapping[str, Any] = resources if isinstance(resources, dict) else {}
    targets = {}
    for state in machine.states.values():
        if isinstance(state, TaskState):
            targets[state.name] = _target(str(mapping.get(state.resource, state.resource)), tasks)
        elif isinstance(state, MapState) and state.reader is not None:
            read = state.reader.resource
            targets[state.name] = source_target(str(mapping.get(read, read)), "jobs")
    return Program(name_of_blueprint(document) or UNNAMED, VERSION, HASH, machine, targets)


def _tasks_beside(folder: Path | None) -> dict[str, dict[str, Any]]:
    if folder is None or not (folder / "tasks").is_dir():
        return {}
    return {str(document.get("Name")): document for _, document in load_documents(folder / "tasks")}


def _target(resource: str, tasks: Mapping[str, Mapping[str, Any]]) -> Target:
    known: dict[str, dict[str, Any]] = {}
    if resource.startswith("task:"):
        name, _, version = resource.removeprefix("task:").partition("@")
        pinned = f"{name}@{version or VERSION}"
        resource = f"task:{pinned}"
        known = {pinned: dict(tasks.get(name) or {})}
    found = target_of(resource, known, str, "jobs")
    return found if isinstance(found, Target) and found.kind != "flow" else Target(resource, "mock", "mocks")
