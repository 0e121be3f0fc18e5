"""Blueprints and tasks from files, with the place of every part of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sfc.errors import BadInput, Problem
from sfc.registry.documents import SUFFIXES, left_out
from sfc.registry.places import Place, Places, Read, read_document

TOLD_MAX = 50  # problems in one message
_MARKS = ("states", "startat", "startstate", "name")  # of a blueprint or a task, in whatever spelling


def read_files(path: Path) -> list[Read]:
    """What a file holds, or a folder and all below it, in order of their names; what can't be read is among the problems.

    In a folder only files count that end in .yaml, .yml or .json and that are blueprints or tasks by the names at their top, or no
    document at all. Files and folders whose names begin with . or _ are left out. Raises BadInput where there is nothing.
    """
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.suffix in SUFFIXES and f.is_file() and not left_out(f.relative_to(path)))
        found = [read for read in map(_read, files) if _counts(read)]
        if not found:
            raise BadInput(f"{path} has no blueprint and no task: files *.yaml, *.yml, *.json with States or Name were expected")
        return found
    if not path.exists():
        raise BadInput(f"{path} is not there: a file or a folder of blueprints and tasks was expected")
    read = _read(path)
    if isinstance(read.document, dict) or read.problems:
        return [read]
    kind = "nothing" if read.document is None else "a list" if isinstance(read.document, list) else f"{read.document!r:.60}"
    problem = Problem("wrong-type", "", f"expected a blueprint or a task (an object), came {kind}")
    return [read._replace(problems=[(problem, read.places.of(problem))])]


def load_documents(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Blueprints and tasks of a file or a folder as (file, document), as ``read_files`` finds them. Raises BadInput with all that is
    wrong in one of them, and where there is nothing."""
    return [(read.source, _sound(read)) for read in read_files(path)]


def parse_document(text: str, source: str) -> Any:
    """The value that a YAML or JSON text stands for. ``source`` names it in errors. Raises BadInput with every problem and its line."""
    return _sound(read_document(text, source))


def _sound(read: Read) -> Any:
    if not read.problems:
        return read.document
    told = [f"{read.source}:{place.line}:{place.column}: {problem.said()}" for problem, place in read.problems]
    raise BadInput("\n".join(told[:TOLD_MAX]) + (f"\nand {len(told) - TOLD_MAX} more" if len(told) > TOLD_MAX else ""))


def _counts(read: Read) -> bool:
    if isinstance(read.document, dict):
        return any(str(name).lower() in _MARKS for name in read.document)
    return bool(read.problems) and read.document is None


def _read(path: Path) -> Read:
    try:
        return read_document(path.read_bytes().decode(), str(path))
    except UnicodeDecodeError as e:
        before = e.object[: e.start].decode(errors="replace")
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"), len(before) - before.rfind("\n") + 1)
        problem = Problem("syntax", "", f"expected UTF-8 text, came the byte {e.object[e.start]:#04x}", "Save the file as UTF-8.")
        return Read(str(path), "", None, Places("", None), [(problem, place)])
    except OSError as e:
        raise BadInput(f"{path} can't be read: {e.strerror}") from e
