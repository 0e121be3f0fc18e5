"""Documents from files: YAML or JSON, read the way JSON means it.

YAML is read by the rules of YAML 1.2's JSON schema: only ``true`` and ``false`` are booleans (a state may be called ``No``), and a
date stays text. What JSON can't say (another key than text, NaN, the same key twice) is refused with its file and line.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

import yaml

from sfc.errors import BadInput

SUFFIXES = (".yaml", ".yml", ".json")
VALUES_MAX = 1_000_000
"""Of a document: a few lines of aliases to aliases could stand for any number."""


class Loader(yaml.SafeLoader):
    """Keeps to what JSON can say."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the base class has it

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.tag != "tag:yaml.org,2002:str":
                self.refuse("expected a name: put it in quotes", key)
            elif key.value in seen:
                self.refuse(f"{key.value!r} is here twice", key)
            seen.add(str(key.value))
        return node

    def refuse(self, message: str, key: yaml.Node) -> None:
        """What to do about a name that can't be one."""
        raise yaml.composer.ComposerError(None, None, message, key.start_mark)

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _values(node, {}) > VALUES_MAX:
            raise yaml.composer.ComposerError(None, None, f"its aliases stand for more than {VALUES_MAX} values", node.start_mark)
        return node


def _values(node: yaml.Node, counted: dict[int, int]) -> int:
    """How many values a node stands for when every alias is written out."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in counted:
        counted[id(node)] = VALUES_MAX + 1  # what holds itself has no end
        inner = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
        counted[id(node)] = 1 + sum(_values(value, counted) for value in inner)
    return counted[id(node)]


def _implicit(tag: str, pattern: str, first: str) -> None:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))


def _float(loader: Loader, node: yaml.ScalarNode) -> float:
    value = float(loader.construct_scalar(node))
    if math.isinf(value):
        raise yaml.constructor.ConstructorError(None, None, f"{node.value} is too large for a number", node.start_mark)
    return value


def _int(loader: Loader, node: yaml.ScalarNode) -> int:
    try:
        return int(loader.construct_scalar(node))
    except ValueError as e:  # Python reads no integers of more than 4,300 digits
        raise yaml.constructor.ConstructorError(None, None, f"a number of {len(node.value)} digits is too long", node.start_mark) from e


_implicit("null", "null|Null|NULL|~|", "nN~")
_implicit("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_implicit("int", "-?(?:0|[1-9][0-9]*)", "-0123456789")
_implicit("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789")
_implicit("merge", "<<", "<")
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^$"), [""])
Loader.add_constructor("tag:yaml.org,2002:float", _float)
Loader.add_constructor("tag:yaml.org,2002:int", _int)


def parse_document(text: str, source: str) -> Any:
    """The value that a YAML or JSON text stands for. ``source`` names it in errors. Raises BadInput with source and line."""
    if source.endswith(".json"):
        return _parse_json(text, source)
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        where = f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source
        raise BadInput(f"{where}: this is no YAML document: {e.problem or e.context}") from e
    except (yaml.YAMLError, RecursionError) as e:
        raise BadInput(f"{source}: this is no YAML document: {e}") from e


def _parse_json(text: str, source: str) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in items:
            if key in found:
                raise BadInput(f"{source}: {key!r} is twice in one object")
            found[key] = value
        return found

    def constant(name: str) -> Any:
        raise BadInput(f"{source}: {name} is no JSON value")

    def number(written: str) -> float:
        if math.isinf(value := float(written)):
            raise BadInput(f"{source}: {written[:40]} is too large for a number")
        return value

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    except json.JSONDecodeError as e:
        raise BadInput(f"{source}, line {e.lineno}, column {e.colno}: this is no JSON document: {e.msg}") from e
    except RecursionError as e:
        raise BadInput(f"{source}: nested too deeply") from e
    except ValueError as e:  # Python reads no integers of more than 4,300 digits
        raise BadInput(f"{source}: a number in it is too long") from e


def load_documents(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Blueprints and tasks of a file, or of a folder and all below it, as (file, document), in order of their names.

    In a folder only files count that end in .yaml, .yml or .json and whose top level has States, StartAt or Name: records and
    expected results may lie beside them. Files and folders whose names begin with . or _ are left out. Raises BadInput for what is
    not there or can't be read.
    """
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.suffix in SUFFIXES and f.is_file() and not left_out(f.relative_to(path)))
        read = [(str(f), _read(f)) for f in files]
        documents = [(name, d) for name, d in read if isinstance(d, dict) and not d.keys().isdisjoint(("States", "StartAt", "Name"))]
        if not documents:
            raise BadInput(f"{path} has no blueprint and no task: files *.yaml, *.yml, *.json with States or Name were expected")
        return documents
    if not path.exists():
        raise BadInput(f"{path} is not there: a file or a folder of blueprints and tasks was expected")
    document = _read(path)
    if not isinstance(document, dict):
        raise BadInput(f"{path}: a blueprint or a task is an object, this is {_kind(document)}")
    return [(str(path), document)]


def left_out(place: Path) -> bool:
    """Whether a file of a folder is none of its documents: something in its way begins with . or _."""
    return any(part.startswith((".", "_")) for part in place.parts)


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        raise BadInput(f"{path}: this is no UTF-8 text (byte {e.start})") from e
    except OSError as e:
        raise BadInput(f"{path} can't be read: {e.strerror}") from e
    return parse_document(text, str(path))


def _kind(value: Any) -> str:
    return "empty" if value is None else "a list" if isinstance(value, list) else f"{value!r:.60}"


def canonical(document: Any) -> str:
    """Canonical JSON: keys sorted, no spaces, text as it is. Raises ValueError or TypeError for what JSON can't say."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(canonical_json: str) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(canonical_json.encode()).hexdigest()
