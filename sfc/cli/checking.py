"""Checks documents as a deploy does, as far as that is possible without a registry, and says where each problem stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sfc.errors import Problem
from sfc.registry.places import Place, Read

_OF_THE_REGISTRY = ("unknown-task", "unknown-blueprint", "unknown-version")  # it may well know them


class Found(NamedTuple):
    """A problem and its place in a file; no place where the file is not at hand. ``text``: the line that it is in."""

    file: str
    problem: Problem
    place: Place | None = None
    text: str = ""

    def line(self) -> str:
        """``file:line:column: error: what is wrong and what to write [code] /pointer``, as editors and terminals make links of it."""
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.place else self.file
        return f"{where}: {self.problem.severity}: {self.problem.said()} [{self.problem.code}] {self.problem.pointer or '/'}"

    def caret(self) -> str:
        """The line of the file and a mark below the place; '' where it is not at hand, or too long to be looked at."""
        if self.place is None or not self.text.strip() or len(self.text) > 300:
            return ""
        before = "".join("\t" if c == "\t" else " " for c in self.text[: self.place.column - 1])
        return f"    {self.text}\n    {before}^{'~' * (self.place.end_column - self.place.column - 1)}"

    def as_json(self) -> dict[str, Any]:
        """file, line, column, and the problem's own members."""
        place = {"line": self.place.line, "column": self.place.column} if self.place else {}
        return {"file": self.file, **place, **self.problem._asdict()}


def read_all(paths: Iterable[Path]) -> list[Read]:
    """Documents of files and folders, each file once."""
    from sfc.registry.files import read_files

    found: dict[str, Read] = {}
    for path in paths:
        for read in read_files(path):
            found.setdefault(str(Path(read.source).resolve()), read)
    return list(found.values())


def check(documents: Sequence[Read]) -> list[Found]:
    """All problems, in the order of the files. A task that is not among the documents is only warned of."""
    from sfc.cli.documents import is_task
    from sfc.registry.blueprint_document import KnownTask

    whole = [read for read in documents if isinstance(read.document, dict)]
    tasks = {str(read.document.get("Name")): KnownTask(1, {1: read.document}) for read in whole if is_task(read.document)}
    found: list[Found] = []
    for read in documents:
        here = [Found(read.source, problem, place, read.places.line(place.line)) for problem, place in read.problems]
        if isinstance(read.document, dict):
            here += [located(read, problem) for problem in _problems(read.document, tasks)]
        found += in_order(here)
    return found


def _problems(document: dict[str, Any], tasks: Mapping[str, Any]) -> list[Problem]:
    from sfc.asl import validate
    from sfc.cli.documents import is_task
    from sfc.registry.blueprint_document import check_blueprint
    from sfc.registry.task_document import check_task

    if is_task(document):
        return check_task(document)
    if "Sfc" in document:
        return [p._replace(severity="warning") if p.code in _OF_THE_REGISTRY else p for p in check_blueprint(document, tasks)]
    return validate(document)  # a plain state machine: good language, not yet a blueprint


def located(read: Read, problem: Problem) -> Found:
    """A problem with its place in the file that was read."""
    place = read.places.of(problem)
    return Found(read.source, problem, place, read.places.line(place.line))


def of_a_deploy(documents: Sequence[Read], problems: Iterable[Problem]) -> list[Found]:
    """Problems that the gateway found, with their places, in order of the lines of each file. Of several documents their pointers begin
    with the source and ``#``."""
    by_source = {read.source: read for read in documents}
    found = []
    for problem in problems:
        source, _, pointer = problem.pointer.rpartition("#/") if "#/" in problem.pointer else ("", "", "")
        if not source and problem.pointer.endswith("#"):
            source = problem.pointer[:-1]
        elif source:
            pointer = f"/{pointer}"
        if source in by_source:
            found.append(located(by_source[source], problem._replace(pointer=pointer)))
        elif len(documents) == 1:
            found.append(located(documents[0], problem))
        else:
            found.append(Found(source or "deploy", problem))
    return [one for file in dict.fromkeys(each.file for each in found) for one in in_order([f for f in found if f.file == file])]


def in_order(found: list[Found]) -> list[Found]:
    """By line and column; those without a place last. What stands once, under an anchor, and is used several times is told once."""
    once: dict[Any, Found] = {}
    for one in found:
        once.setdefault((one.place or one.problem.pointer, one.problem.code, one.problem.message), one)
    return sorted(once.values(), key=lambda f: (f.place is None, f.place or Place(0, 0, 0)))
