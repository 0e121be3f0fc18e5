"""Where in a file each part of a document stands: line and column of a JSON pointer.

A document is read to its end here, whatever is wrong with it: what JSON does not have (a name that is there twice, a name that is no
text) becomes a problem with its place, and reading goes on. What is no YAML or JSON at all is one problem.

A part that stands under a YAML anchor (``&name``) and is used again by ``*name`` or ``<<: *name`` has one place, that of the anchor.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from sfc.errors import Problem
from sfc.registry.nodes import JsonNodes, Node
from sfc.registry.shapes import join
from sfc.registry.yaml_loader import TEXT, Loader, bad_number

BYTE_ORDER_MARK = "\ufeff"  # PowerShell and Excel begin a file with it
_CONSTANTS = ("NaN", "Infinity", "-Infinity")
_COMMENTS = ("//", "/*", "#")
_NO_COMMENTS = "JSON has no comments: remove it, or write the document in YAML, which has them (# to the end of the line)."
_OF_THE_NAME = ("unknown-field", "old-dialect", "duplicate-field", "duplicate-key", "bad-key")


class Place(NamedTuple):
    """Lines and columns count from 1, columns in characters. ``end_column`` is the one behind the last character, on the same line."""

    line: int
    column: int
    end_column: int


class Read(NamedTuple):
    """A document as it was read. ``problems``: what is wrong with the text itself; ``document`` is None when there is none."""

    source: str
    text: str
    document: Any
    places: Places
    problems: list[tuple[Problem, Place]]


class Places:
    """Finds the place of a JSON pointer."""

    def __init__(self, text: str, root: Node | None) -> None:
        self._text = text
        self._root = root
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def of(self, problem: Problem) -> Place:
        """Where a problem stands. Of a wrong name the name, of a wrong value the value, of an object or a list the name before it.

        A pointer to what is missing leads to the object that lacks it.
        """
        node, name = self._root, None
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in problem.pointer.split("/")[1:]]
        for token in tokens:
            if node is None or token not in node.inner:
                break
            name = node.names.get(token)
            node = node.inner[token]
        if node is None:
            return self.between(0, 0)
        if name is not None and (not node.plain or problem.code in _OF_THE_NAME):
            return self.between(*name)
        return self.between(node.start, node.end if node.plain else node.start + 1)

    def between(self, start: int, end: int) -> Place:
        """The place of a stretch of the text, cut at the end of its first line."""
        line = bisect_right(self._lines, start)
        column = start - self._lines[line - 1] + 1
        return Place(line, column, max(column + 1, column + min(end, start + len(self.line(line)) - column + 1) - start))

    def line(self, number: int) -> str:
        """The text of a line."""
        start = self._lines[number - 1] if 0 < number <= len(self._lines) else len(self._text)
        return self._text[start : self._text.find("\n", start) if "\n" in self._text[start:] else None].rstrip("\r")


def read_document(text: str, source: str) -> Read:
    """Reads a YAML or JSON text (by the end of ``source``) as far as it can be read. Never raises."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    return _read_json(text, source) if source.endswith(".json") else _read_yaml(text, source)


def _failed(text: str, source: str, message: str, line: int, column: int, hint: str = "", code: str = "syntax") -> Read:
    place = Place(max(line, 1), max(column, 1), max(column, 1) + 1)
    return Read(source, text, None, Places(text, None), [(Problem(code, "", message, hint), place)])


def _too_deep(text: str, source: str) -> Read:
    message = "expected a few levels of objects and lists in one another, came more than can be read"
    return _failed(text, source, message, 1, 1, "A blueprint or a task may have 200.", "too-deep")


def _read_yaml(text: str, source: str) -> Read:
    loader = None
    try:
        loader = Loader(text)
        composed = loader.get_single_node()
        odd = [] if composed is None else list(_odd(composed, "", loader, set()))
        document = None if composed is None else loader.construct_document(composed)
        root = None if composed is None else _from_yaml(composed, {})
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        message = f"expected a YAML document: {e.problem or e.context}"
        return _failed(text, source, message, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1)
    except yaml.reader.ReaderError as e:
        before = text[: e.position]
        column = e.position - (before.rfind("\n") + 1) + 1
        return _failed(text, source, f"expected a YAML document: {e.reason}", before.count("\n") + 1, column)
    except RecursionError:
        return _too_deep(text, source)
    except (yaml.YAMLError, ValueError) as e:
        return _failed(text, source, f"expected a YAML document: {e}", 1, 1)
    finally:
        if loader is not None:
            loader.dispose()
    places = Places(text, root)
    return Read(source, text, document, places, [(p, places.between(n.start_mark.index, n.end_mark.index)) for p, n in odd])


def _odd(node: yaml.Node, pointer: str, loader: Loader, seen: set[int]) -> Iterator[tuple[Problem, yaml.Node]]:
    """What JSON does not have: names that are no text, or that an object has twice, and values. An anchored part is looked at once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if id(node) in loader.odd:
        yield Problem("not-json", pointer, *loader.odd[id(node)]), node
    if isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _odd(value, join(pointer, number), loader, seen)
    elif isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            here = join(pointer, key.value)
            if id(key) in loader.odd_names:
                yield Problem("bad-key", here, f"expected a name (a text), came {key.value or 'nothing'}", "Put it in quotes."), key
            elif key.tag == TEXT and key.value in names:
                yield _twice(here, key.value), key
            names.add(key.value)
            yield from _odd(value, here, loader, seen)


def _twice(pointer: str, name: str) -> Problem:
    return Problem("duplicate-key", pointer, f"expected each name once, came {name!r} again", "Remove one of them.")


def _from_yaml(node: yaml.Node, made: dict[int, Node]) -> Node:
    """After construction, when merges (``<<``) have been put into their objects. Shared by all aliases of the same anchor."""
    if id(node) in made:
        return made[id(node)]
    here = made[id(node)] = Node(node.start_mark.index, node.end_mark.index, isinstance(node, yaml.ScalarNode))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here.names[key.value] = (key.start_mark.index, key.end_mark.index)
            here.inner[key.value] = _from_yaml(value, made)
    elif isinstance(node, yaml.SequenceNode):
        here.inner = {str(number): _from_yaml(value, made) for number, value in enumerate(node.value)}
    return here


def _read_json(text: str, source: str) -> Read:
    try:
        document = json.loads(text, parse_constant=_none, parse_float=_float, parse_int=_int)
        nodes = JsonNodes(text)
        root = nodes.root()
    except json.JSONDecodeError as e:
        hint = _NO_COMMENTS if text.startswith(_COMMENTS, e.pos) else ""
        return _failed(text, source, f"expected a JSON document: {e.msg}", e.lineno, e.colno, hint)
    except RecursionError:
        return _too_deep(text, source)
    places = Places(text, root)
    odd = [Problem("not-json", pointer, *said) for pointer, said in _odd_values(text, root, "")]
    twice = [(_twice(pointer, name), places.between(*at)) for pointer, name, *at in nodes.twice]
    return Read(source, text, document, places, [*twice, *((problem, places.of(problem)) for problem in odd)])


def _odd_values(text: str, node: Node, pointer: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What Python's reader takes and JSON does not have: constants, and numbers that no double holds. What is wrong, and what to do."""
    if node.plain:
        written = text[node.start : node.end]
        if written in _CONSTANTS:
            yield pointer, (f"expected a value that JSON has, came {written}", "Write null, or a text in quotes.")
        elif written[0] in "-0123456789" and (said := bad_number(written)) is not None:
            yield pointer, said
    for name, inner in node.inner.items():
        yield from _odd_values(text, inner, join(pointer, name))


# They are problems of the document, with their places: meanwhile something stands for them.
def _none(_constant: str) -> None: ...


def _float(written: str) -> float:
    return 0.0 if bad_number(written) else float(written)


def _int(written: str) -> int:
    return 0 if bad_number(written) else int(written)
