"""The places of a document's values in its text, as a tree; of JSON it is read here, of YAML in ``sfc.registry.places``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from sfc.registry.shapes import join

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_int=len)  # of numbers only the place matters: Python reads no integer of 4,301 digits


@dataclass(slots=True)
class Node:
    """A value in the text, from ``start`` to ``end`` (offsets). ``names``: offsets of an object's names; ``inner``: its values, or a
    list's by number."""

    start: int
    end: int
    plain: bool = True  # neither object nor list
    names: dict[str, tuple[int, int]] = field(default_factory=dict)
    inner: dict[str, Node] = field(default_factory=dict)


class JsonNodes:
    """One reading of a text that is known to be JSON. ``twice``: names that an object has already (pointer, name, start, end)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.twice: list[tuple[str, str, int, int]] = []

    def root(self) -> Node:
        """The whole value. Raises RecursionError where it is nested too deeply."""
        return self._value(self._space(0), "")

    def _space(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return found.end() if found else at

    def _value(self, at: int, pointer: str) -> Node:
        opened = self.text[at]
        if opened not in "{[":
            return Node(at, _DECODER.raw_decode(self.text, at)[1])
        here = Node(at, at + 1, plain=False)
        end = self._space(at + 1)
        while self.text[end] not in "}]":
            name = str(len(here.inner))
            if opened == "{":
                start = end
                name, end = _DECODER.raw_decode(self.text, start)
                if name in here.names:
                    self.twice.append((join(pointer, name), name, start, end))
                here.names[name] = (start, end)
                end = self._space(self._space(end) + 1)  # past the colon
            inner = here.inner[name] = self._value(end, join(pointer, name))
            end = self._space(inner.end)
            if self.text[end] == ",":
                end = self._space(end + 1)
        here.end = end + 1
        return here
