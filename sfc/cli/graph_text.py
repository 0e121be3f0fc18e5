"""A graph as text: for Mermaid, for Graphviz (DOT), and for people in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from sfc.asl.graph import Edge, Graph, Node
from sfc.cli.graph_svg import STATUSES

_MERMAID = {"Choice": ("{{", "}}"), "Wait": ("([", "])"), "Succeed": ("([", "])"), "Fail": ("([", "])")}
_DOT = {"Choice": "hexagon", "Succeed": "ellipse", "Fail": "ellipse", "Wait": "ellipse"}
_ENTITIES = {"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;"}
Statuses = Mapping[str, str]


def _ids(graph: Graph) -> dict[str, str]:
    return {node.name: f"s{number}" for number, node in enumerate(graph.every_node(), start=1)}


def _signed(node: Node, statuses: Statuses) -> str:
    status = statuses.get(node.name)
    return f"{STATUSES[status][2]} {node.name}" if status else node.name


def mermaid(graph: Graph, statuses: Statuses | None = None) -> str:
    """A Mermaid flowchart; what is inside of a Parallel or a Map is a subgraph."""
    ids, shown = _ids(graph), statuses or {}
    lines = ["flowchart TD", *_mermaid(graph, ids, shown, "  ", "")]
    used = [status for status in STATUSES if status in shown.values()]
    lines += [f"  classDef {status} fill:{STATUSES[status][0]},stroke:{STATUSES[status][1]}" for status in used]
    lines += [f"  class {','.join(ids[n] for n in ids if shown.get(n) == status)} {status}" for status in used]
    return "\n".join(lines) + "\n"


def _mermaid(graph: Graph, ids: dict[str, str], statuses: Statuses, indent: str, owner: str) -> Iterator[str]:
    if graph.start:
        yield f'{indent}{owner}begin((" ")) --> {ids[graph.start]}'
    for node in graph.nodes:
        label = _mermaid_text(_signed(node, statuses)) + (f"<br/><small>{_mermaid_text(node.about)}</small>" if node.about else "")
        if not node.inner:
            left, right = _MERMAID.get(node.kind, ("[", "]"))
            yield f'{indent}{ids[node.name]}{left}"{label}"{right}'
            continue
        yield f'{indent}subgraph {ids[node.name]}["{label}"]'
        for number, inner in enumerate(node.inner, start=1):
            branch = f"{ids[node.name]}b{number}"
            yield f'{indent}  subgraph {branch}[" "]'
            yield from _mermaid(inner, ids, statuses, indent + "    ", branch)
            yield f"{indent}  end"
        yield f"{indent}end"
    for edge in graph.edges:
        arrow = "-->" if edge.kind in ("next", "rule") else "-.->"
        label = f'|"{_mermaid_text(edge.label)}"|' if edge.label else ""
        yield f"{indent}{ids[edge.source]} {arrow}{label} {ids[edge.target]}"
    ends = [node for node in graph.nodes if node.ends and node.kind != "Fail"]
    for node in ends:
        yield f'{indent}{ids[node.name]} --> {owner}stop(((" ")))'


def _mermaid_text(text: str) -> str:
    """With Mermaid's own entities for what would end or change a label."""
    return "".join(_ENTITIES.get(character, character) for character in text)


def dot(graph: Graph, title: str, statuses: Statuses | None = None) -> str:
    """A digraph for Graphviz; what is inside of a Parallel or a Map is a cluster."""
    name = json.dumps(title or "machine", ensure_ascii=False)
    node = '  node [fontname="sans-serif", shape=box, style="rounded,filled", fillcolor=white];'
    lines = [f"digraph {name} {{", "  compound=true;", node]
    lines += ['  edge [fontname="sans-serif", fontsize=10];', *_dot(graph, _ids(graph), statuses or {}, "  ", "")]
    return "\n".join([*lines, "}", ""])


def _dot(graph: Graph, ids: dict[str, str], statuses: Statuses, indent: str, owner: str) -> Iterator[str]:
    inside = {node.name for node in graph.nodes if node.inner}
    if graph.start:
        lead = f" [lhead=cluster_{ids[graph.start]}]" if graph.start in inside else ""
        if not owner:
            yield f'{indent}start [shape=circle, label="", width=0.15, fillcolor=black];'
        yield f"{indent}{owner or 'start'} -> {ids[graph.start]}{lead};"
    for node in graph.nodes:
        text = json.dumps(_signed(node, statuses) + (f"\n{node.about}" if node.about else ""), ensure_ascii=False)
        status = statuses.get(node.name)
        paint = f', fillcolor="{STATUSES[status][0]}", color="{STATUSES[status][1]}"' if status else ""
        if not node.inner:
            shape = f", shape={_DOT[node.kind]}" if node.kind in _DOT else ""
            yield f"{indent}{ids[node.name]} [label={text}{shape}{paint}];"
            continue
        yield f"{indent}subgraph cluster_{ids[node.name]} {{"
        yield f'{indent}  style="rounded"; color="#7c3aed";'
        yield f"{indent}  {ids[node.name]} [label={text}, shape=plain{paint}];"
        for number, inner in enumerate(node.inner, start=1):
            yield f'{indent}  subgraph cluster_{ids[node.name]}_{number} {{ style=dashed; color="#cbd5e1";'
            yield from _dot(inner, ids, statuses, indent + "    ", ids[node.name])
            yield f"{indent}  }}"
        yield f"{indent}}}"
    for edge in graph.edges:
        given = [f"label={json.dumps(edge.label, ensure_ascii=False)}"] if edge.label else []
        given += ["style=dashed"] if edge.kind in ("default", "catch") else []
        given += ['color="#b91c1c"'] if edge.kind == "catch" else []
        given += [f"ltail=cluster_{ids[edge.source]}"] if edge.source in inside else []
        given += [f"lhead=cluster_{ids[edge.target]}"] if edge.target in inside else []
        yield f"{indent}{ids[edge.source]} -> {ids[edge.target]}" + (f" [{', '.join(given)}];" if given else ";")


def outline(graph: Graph, title: str, statuses: Statuses | None = None) -> str:
    """A line for each state, in the order of the way through; what is inside of a state stands below it, further in."""
    rows = list(_rows(graph, statuses or {}, ""))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True)).rstrip() for row in rows]
    return "\n".join([*([title, ""] if title else []), *lines, ""])


def _rows(graph: Graph, statuses: Statuses, indent: str) -> Iterator[tuple[str, str, str, str]]:
    leaving: dict[str, list[Edge]] = {node.name: [] for node in graph.nodes}
    for edge in graph.edges:
        leaving[edge.source].append(edge)
    by_name = {node.name: node for node in graph.nodes}
    for name in _walk(graph.start, leaving):
        node = by_name[name]
        ways = [_way(edge) for edge in leaving[name]]
        if node.ends:
            ways.append("✗" if node.kind == "Fail" else "■")
        yield f"{indent}{_signed(node, statuses)}", node.kind, node.about, "   ".join(ways)
        for number, inner in enumerate(node.inner, start=1):
            if len(node.inner) > 1:
                yield f"{indent}  branch {number}", "", "", ""
            yield from _rows(inner, statuses, indent + ("    " if len(node.inner) > 1 else "  "))


def _way(edge: Edge) -> str:
    said = f"on {edge.label}" if edge.kind == "catch" else edge.label
    return f"{said} → {edge.target}".strip()


def _walk(start: str, leaving: Mapping[str, list[Edge]]) -> list[str]:
    """States in the order in which a flow can come to them, those that it can't come to last."""
    order: list[str] = []
    for root in [start, *leaving]:
        todo = [root] if root in leaving else []
        while todo:
            name = todo.pop()
            if name not in order:
                order.append(name)
                todo += [edge.target for edge in reversed(leaving[name])]
    return order
