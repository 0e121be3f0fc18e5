"""How the difference of two versions is printed: with colours on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sfc.cli import output

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "rewired": ">"}
_STYLES = {"+": "green", "-": "red", "~": "yellow", ">": "cyan", "@": "cyan"}


class Line(NamedTuple):
    text: str
    style: str = ""


def blueprint_in(path: Path, name: str) -> dict[str, Any]:
    """The blueprint of this name among the documents of a file or folder; the only one, where that has no name. Raises BadInput."""
    from sfc.cli.documents import is_task
    from sfc.errors import BadInput
    from sfc.registry.files import load_documents

    found = [document for _, document in load_documents(path) if not is_task(document)]
    named = [d for d in found if isinstance(d.get("Sfc"), dict) and d["Sfc"].get("Name") == name]
    if len(named) == 1 or len(found) == 1:
        return (named or found)[0]
    raise BadInput(f"{path} has {'several blueprints' if found else 'no blueprint'} named {name}: name a file with one")


def print_text(found: Mapping[str, Any]) -> None:
    """The unified diff."""
    _print(Line(line, _STYLES.get(line[:1], "")) for line in str(found["text"]).splitlines())


def print_difference(found: Mapping[str, Any]) -> None:
    """What differs, by states, triggers and fields."""
    name = found["name"]
    new = f"{name}@{found['to']}" if found.get("to") else "the document, not deployed"
    output.say(f"{name}@{found['from']} to {new}: {'no differences' if found['same'] else ''}".removesuffix(": "))
    _print(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[Line]:
    for change in (*found["fields"], *found["start"]):
        yield _field(change, "")
    for state in found["states"]:
        sign = _SIGNS[state["change"]]
        place = state["pointer"].removeprefix("/States/")
        yield Line(f"{sign} {place} ({state['type']}{', rewired' if sign == '>' else ''})", _STYLES[sign])
        for change in state.get("fields", ()):
            yield _field(change, "    ")
        for change in state.get("targets", ()):
            yield _field(change, "    ", "goes ")
    for trigger in found["triggers"]:
        sign = _SIGNS[trigger["change"]]
        yield Line(f"{sign} trigger {trigger['id']}", _STYLES[sign])
        for change in trigger.get("fields", ()):
            yield _field(change, "    ")
    for change in found["sfc"]:
        yield _field(change, "")


def _field(change: Mapping[str, Any], indent: str, word: str = "") -> Line:
    pointer = change["pointer"]
    if "old" not in change:
        return Line(f"{indent}+ {word}{pointer}: {output.shortened(change['new'])}", "green")
    if "new" not in change:
        return Line(f"{indent}- {word}{pointer}: {output.shortened(change['old'])}", "red")
    return Line(f"{indent}~ {word}{pointer}: {output.shortened(change['old'])} → {output.shortened(change['new'])}", "yellow")


def _print(lines: Iterable[Line]) -> None:
    from rich.text import Text

    for line in lines:
        output.console().print(Text(line.text, style=line.style))
