"""YAML, read the way JSON means it: by the rules of YAML 1.2's JSON schema, only ``true`` and ``false`` are booleans (a state may be
called ``No``), and a date stays text."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

VALUES_MAX = 1_000_000
"""Of a document: a few lines of aliases to aliases could stand for any number."""

_TAGS = "tag:yaml.org,2002:"
TEXT = f"{_TAGS}str"
_MERGE = f"{_TAGS}merge"
_OF_JSON = {f"{_TAGS}{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map", "merge")}
_PLAIN = {yaml.ScalarNode: TEXT, yaml.SequenceNode: f"{_TAGS}seq", yaml.MappingNode: f"{_TAGS}map"}


class Loader(yaml.SafeLoader):
    """Goes on where something is not of JSON: it is read as what comes nearest, and noted.

    ``odd_names``: names that are no text; ``odd``: other parts, with what was expected and what to do.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the base class has it

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.odd_names: set[int] = set()
        self.odd: dict[int, tuple[str, str]] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._ends(self.peek_event())  # type: ignore[no-untyped-call]
        node: yaml.Node | None = super().compose_node(parent, index)
        if isinstance(node, yaml.ScalarNode) and node.tag in (f"{_TAGS}int", f"{_TAGS}float"):
            self._number(node)
        elif node is not None and node.tag not in _OF_JSON:
            named = node.tag.replace(_TAGS, "!!")
            node.tag = _PLAIN[type(node)]
            self.odd[id(node)] = f"expected a value that JSON has, came one of {named}", "Write it as text, a number, a list or an object."
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        for key, _ in node.value:
            if key.tag in (_MERGE, TEXT):
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.composer.ComposerError(None, None, "expected a name: put it in quotes", key.start_mark)
            key.tag = TEXT
            self.odd_names.add(id(key))
        return node

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _values(node, {}) > VALUES_MAX:
            raise yaml.composer.ComposerError(None, None, f"its aliases stand for more than {VALUES_MAX} values", node.start_mark)
        return node

    def _ends(self, alias: Any) -> None:
        """An anchor that is used inside of what it names would have no end: such a part is not composed to its end yet."""
        around = self.anchors.get(alias.anchor)
        if around is not None and around.end_mark is None:
            message = (
                f"*{alias.anchor} stands inside of &{alias.anchor} (line {around.start_mark.line + 1}), which would hold itself without end"
            )
            raise yaml.composer.ComposerError(None, None, message, alias.start_mark)

    def _number(self, node: yaml.ScalarNode) -> None:
        """One that JSON can't carry is read as 0."""
        problem = bad_number(node.value)
        if problem is not None:
            self.odd[id(node)] = problem
            node.value = "0"


def bad_number(written: str) -> tuple[str, str] | None:
    """What is wrong with a number, and what to do; None for one that a double, or an integer of Python, holds."""
    try:
        infinite = math.isinf(float(written))
        if not infinite and re.fullmatch("-?[0-9]+", written):
            int(written)
    except ValueError:
        infinite = True
    if not infinite:
        return None
    shown = written if len(written) <= 40 else f"{written[:40]}… ({len(written)} digits)"
    return f"expected a number that a double can hold, came {shown}", "Write it as text, in quotes."


def _values(node: yaml.Node, counted: dict[int, int]) -> int:
    """How many values a node stands for when every alias is written out."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in counted:
        inner = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
        counted[id(node)] = 1 + sum(_values(value, counted) for value in inner)
    return counted[id(node)]


def _implicit(tag: str, pattern: str, first: str) -> None:
    Loader.add_implicit_resolver(f"{_TAGS}{tag}", re.compile(f"^(?:{pattern})$"), list(first))


_implicit("null", "null|Null|NULL|~|", "nN~")
_implicit("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_implicit("int", "-?(?:0|[1-9][0-9]*)", "-0123456789")
_implicit("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789")
_implicit("merge", "<<", "<")
Loader.add_implicit_resolver(f"{_TAGS}null", re.compile("^$"), [""])


def _float(loader: Loader, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node))


def _int(loader: Loader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


Loader.add_constructor(f"{_TAGS}float", _float)
Loader.add_constructor(f"{_TAGS}int", _int)
