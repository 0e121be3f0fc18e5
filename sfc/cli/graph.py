"""``sfc graph``: a blueprint as a picture, and where a flow is in it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sfc.cli import context

Format = Literal["text", "mermaid", "dot", "svg"]
_BY_SUFFIX: dict[str, Format] = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid", ".txt": "text"}
_ENDS = {"ExecutionFailed": "failed", "ExecutionTimedOut": "failed", "ExecutionAborted": "failed", "ExecutionSucceeded": "done"}


def graph(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A blueprint, YAML or JSON.", show_default=False)] = None,
    flow: Annotated[
        str, typer.Option("--flow", metavar="FLOW", help="Draw the blueprint of this flow, and where it has been and is.")
    ] = "",
    form: Annotated[
        Format | None, typer.Option("--format", help="Default: by the name of the output, else text.", show_default=False)
    ] = None,
    to: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: standard output.", show_default=False)] = None,
) -> None:
    """Draw a blueprint: for a terminal, as Mermaid, as DOT for Graphviz, or as a picture (SVG)."""
    if (file is None) == (not flow):
        raise typer.BadParameter("give a FILE, or --flow FLOW")
    form = form or _form_of(to)
    document, title, statuses = _of_a_flow(flow) if file is None else _of_a_file(file)
    text = drawn(document, title, form, statuses)
    if to is None:
        sys.stdout.write(text)
        return
    try:
        to.write_text(text, encoding="utf-8")
    except OSError as e:
        from sfc.errors import BadInput

        raise BadInput(f"{to} can't be written: {e.strerror}") from None


def _form_of(to: Path | None) -> Format:
    """Raises BadInput for a name that says another form than there is: a picture.png with text in it helps nobody."""
    from sfc.errors import BadInput

    if to is None or not to.suffix:
        return "text"
    if to.suffix.lower() not in _BY_SUFFIX:
        known = ", ".join(_BY_SUFFIX)
        raise BadInput(f"{to} ends in {to.suffix}, and {known} are what can be drawn", hint="name one of these, or say --format")
    return _BY_SUFFIX[to.suffix.lower()]


def drawn(document: Any, title: str, form: Format, statuses: Mapping[str, str] | None = None) -> str:
    """The document as text of this format."""
    from sfc.asl.graph import read_graph
    from sfc.cli import graph_svg, graph_text

    read = read_graph(document)
    match form:
        case "svg":
            return graph_svg.svg(read, title, statuses)
        case "mermaid":
            return graph_text.mermaid(read, statuses)
        case "dot":
            return graph_text.dot(read, title, statuses)
        case "text":
            return graph_text.outline(read, title, statuses)


def _of_a_file(file: Path) -> tuple[Any, str, None]:
    from sfc.cli.checking import Found, read_all
    from sfc.cli.documents import is_task
    from sfc.errors import BadInput

    read = read_all([file])
    for one in read:
        for problem, place in one.problems:
            raise BadInput(Found(one.source, problem, place).line())
    blueprints = [one.document for one in read if not is_task(one.document)]
    if len(blueprints) != 1:
        raise BadInput(f"{file} has {len(blueprints) or 'no'} blueprints, one was expected", hint="name a file with States")
    section = blueprints[0].get("Sfc")
    name = section.get("Name") if isinstance(section, dict) else None
    return blueprints[0], str(name or file.stem), None


def _of_a_flow(flow: str) -> tuple[Any, str, dict[str, str]]:
    with context.client() as gateway:
        found = gateway.flow(flow)
        document = gateway.blueprint(str(found["blueprint"]), version=int(found["version"]))["document"]
        statuses = statuses_of(gateway.history(flow), paused=bool(found.get("paused_by")))
    return document, f"{flow} · {found['blueprint']}@{found['version']} · {found['status']}", statuses


def statuses_of(events: Iterable[Mapping[str, Any]], *, paused: bool = False) -> dict[str, str]:
    """Of each state that a flow has come to: done, current, waiting or failed, as its history tells."""
    statuses: dict[str, str] = {}
    open_: dict[int, str] = {}  # by branch
    for event in events:
        kind, branch = str(event.get("type")), int(event.get("branch") or 0)
        if kind == "StateEntered":
            open_[branch] = str(event["state"])
            statuses[open_[branch]] = "current"
        elif kind == "StateExited":
            name = open_.pop(branch, str(event["state"]))
            statuses[name] = "failed" if event.get("caught") else "done"
        elif kind in ("WaitStarted", "RetryScheduled") and branch in open_:
            statuses[open_[branch]] = "waiting"
        elif kind == "TaskScheduled" and branch in open_:
            statuses[open_[branch]] = "waiting" if str(event.get("task")).startswith("signal:") else "current"
        elif kind in _ENDS:
            statuses.update(dict.fromkeys(open_.values(), _ENDS[kind]))
            open_.clear()
    if paused:
        statuses.update(dict.fromkeys((name for name in open_.values() if statuses[name] == "current"), "waiting"))
    return statuses
