"""A graph as a picture (SVG), without any program beside: boxes by the type of state, and a state's inside within it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from textwrap import wrap

from sfc.asl.graph import Edge, Graph, Node
from sfc.cli.graph_layout import Box, Layout, Wish, lay_out

MARGIN = 20.0
_PAD = 14.0
_HEAD = 44.0  # of a Parallel or a Map
_DOT = 8.0
_NAME_MAX, _ABOUT_MAX, _LABEL_MAX = 40, 38, 30  # characters of a line
_Point = tuple[float, float]
_WIDE = set("mwMWQO@%…→≤≥—")
_NARROW = set("iljtfrI.,:;|!'()[]{} ")
_COLOURS = {
    "Task": "#2563eb", "Choice": "#b45309", "Parallel": "#7c3aed", "Map": "#7c3aed", "Pass": "#64748b",
    "Wait": "#0e7490", "Succeed": "#15803d", "Fail": "#b91c1c",
}  # fmt: skip
STATUSES = {  # of a state of a flow: fill, stroke, sign, what it says
    "done": ("#dcfce7", "#15803d", "✓", "done"),
    "current": ("#dbeafe", "#2563eb", "▶", "at work"),
    "waiting": ("#fef3c7", "#b45309", "‖", "waiting"),
    "failed": ("#fee2e2", "#b91c1c", "✗", "failed"),
}
_WEIGHTS = {"next": 4.0, "default": 2.0, "rule": 2.0, "catch": 0.5}
_STYLE = """\
text{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-size:13px;fill:#0f172a}
.name{font-weight:600}.about{font-size:11px;fill:#475569}.label{font-size:11px;fill:#334155;paint-order:stroke;stroke:#fff;stroke-width:4px}
.catch.label{fill:#b91c1c}.edge{fill:none;stroke:#64748b;stroke-width:1.4}
.default{stroke-dasharray:5 3}.catch.edge{stroke:#b91c1c;stroke-dasharray:2 3}
.box{stroke-width:1.4}.branch{fill:#fff;stroke:#cbd5e1;stroke-dasharray:4 3}.faded{opacity:.5}"""


@dataclass(frozen=True, slots=True)
class _Picture:
    width: float
    height: float
    parts: tuple[str, ...]


def svg(graph: Graph, title: str, statuses: Mapping[str, str] | None = None) -> str:
    """The picture. ``statuses``: of a real flow, by the name of the state (see STATUSES); those that it has not reached are faded."""
    drawn = _machine(graph, statuses, outer=True)
    legend = [] if statuses is None else [s for s in STATUSES if s in statuses.values()]
    key, key_width = _legend(legend)
    heading = 26.0 if title else 0.0
    width = max(drawn.width, _width(title, 13, bold=True), key_width) + 2 * MARGIN
    height = drawn.height + 2 * MARGIN + heading + (34.0 if legend else 0.0)
    size = f'width="{width:.0f}" height="{height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        f"<title>{escape(title or 'state machine')}</title>",
        f"<style>{_STYLE}</style>",
        "<defs>",
        *(_arrow(name, colour) for name, colour in (("to", "#64748b"), ("catch", "#b91c1c"))),
        "</defs>",
        f'<rect {size} rx="8" fill="#fff"/>',
    ]
    if title:
        parts.append(f'<text class="name" x="{MARGIN:.0f}" y="{MARGIN + 10:.0f}">{escape(title)}</text>')
    parts.append(f'<g transform="translate({(width - drawn.width) / 2:.1f} {MARGIN + heading:.1f})">')
    parts += drawn.parts
    parts.append("</g>")
    parts += [f'<g transform="translate({MARGIN:.0f} {height - MARGIN - 8:.0f})">', *key, "</g>"] if legend else []
    return "\n".join([*parts, "</svg>", ""])


def _arrow(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 .5 7.5 4 0 7.5z" fill="{colour}"/></marker>'
    )


def _legend(statuses: list[str]) -> tuple[list[str], float]:
    parts, x = [], 0.0
    for status in statuses:
        fill, stroke, sign, said = STATUSES[status]
        parts.append(f'<rect x="{x:.0f}" y="-10" width="14" height="14" rx="3" fill="{fill}" stroke="{stroke}"/>')
        parts.append(f'<text class="about" x="{x + 20:.0f}" y="1">{sign} {said}</text>')
        x += 44 + _width(said, 11)
    return parts, x


def _machine(graph: Graph, statuses: Mapping[str, str] | None, *, outer: bool) -> _Picture:
    """A machine or a branch: a dot where it begins, its states, a ring where it ends."""
    inner = {node.name: _inside(node, statuses) for node in graph.nodes}
    numbers = {node.name: number for number, node in enumerate(graph.nodes, start=1)}
    last = len(graph.nodes) + 1
    sizes = [(2 * _DOT, 2 * _DOT), *((inner[node.name].width, inner[node.name].height) for node in graph.nodes)]
    edges = list(graph.edges)
    wishes = [Wish(numbers[e.source], numbers[e.target], _label_size(e), _WEIGHTS[e.kind]) for e in edges]
    ends = [node for node in graph.nodes if node.ends and node.kind != "Fail"]
    if ends:
        sizes.append((2 * _DOT, 2 * _DOT))
    if graph.start:
        wishes.insert(0, Wish(0, numbers[graph.start], weight=4.0))
    wishes += [Wish(numbers[node.name], last) for node in ends]
    layout = lay_out(sizes, wishes)
    first = [Edge("", graph.start, "next")] if graph.start else []
    parts = [*_lines(layout, wishes, [*first, *edges, *(Edge(node.name, "", "next") for node in ends)], statuses)]
    for node in graph.nodes:
        box = layout.places[numbers[node.name]]
        picture = inner[node.name]
        parts.append(f'<g transform="translate({box.x - box.width / 2:.1f} {box.y - box.height / 2:.1f})">')
        parts += [*picture.parts, "</g>"]
    dot = layout.places[0]
    if graph.start:
        parts.append(f'<circle cx="{dot.x:.1f}" cy="{dot.y:.1f}" r="{_DOT - 2}" fill="#0f172a"><title>start</title></circle>')
    if ends:
        ring = layout.places[last]
        parts.append(f'<circle cx="{ring.x:.1f}" cy="{ring.y:.1f}" r="{_DOT - 2}" fill="#fff" stroke="#0f172a" stroke-width="1.5"/>')
        parts.append(f'<circle cx="{ring.x:.1f}" cy="{ring.y:.1f}" r="{_DOT - 5}" fill="#0f172a"><title>end</title></circle>')
    return _Picture(layout.width, layout.height, tuple(parts))


def _inside(node: Node, statuses: Mapping[str, str] | None) -> _Picture:
    """A state's box, with the graphs within it below its name."""
    status = None if statuses is None else statuses.get(node.name, "")
    name, about = _cut(node.name, _NAME_MAX), _cut(f"{node.kind} · {node.about}" if node.about else node.kind, _ABOUT_MAX)
    sign = STATUSES[status][2] + " " if status else ""
    wide = max(_width(sign + name, 13, bold=True), _width(about, 11)) + 2 * _PAD + (16 if node.kind == "Choice" else 0)
    if not node.inner:
        shape = _shape(node, max(wide, 84.0), 44.0, status)
        return _Picture(max(wide, 84.0), 44.0, (*_open(status), *shape, *_words(sign + name, about, max(wide, 84.0)), "</g>"))
    branches = [_machine(graph, statuses, outer=False) for graph in node.inner]
    tall = max(branch.height for branch in branches) + 2 * 10
    width = max(wide, sum(branch.width + 2 * _PAD for branch in branches) + 10 * (len(branches) - 1) + 2 * 10)
    parts = [*_open(status), *_shape(node, width, _HEAD + tall + 10, status), *_words(sign + name, about, width, 4.0), "</g>"]
    room = (width - 20 - 10 * (len(branches) - 1)) / sum(branch.width + 2 * _PAD for branch in branches)
    x = 10.0
    for branch in branches:
        wide = (branch.width + 2 * _PAD) * room
        parts.append(f'<rect class="branch" x="{x:.1f}" y="{_HEAD}" width="{wide:.1f}" height="{tall:.1f}" rx="6"/>')
        parts.append(f'<g transform="translate({x + (wide - branch.width) / 2:.1f} {_HEAD + 10 + (tall - 20 - branch.height) / 2:.1f})">')
        parts += [*branch.parts, "</g>"]
        x += wide + 10
    return _Picture(width, _HEAD + tall + 10, tuple(parts))


def _open(status: str | None) -> list[str]:
    return ['<g class="faded">' if status == "" else "<g>"]


def _shape(node: Node, width: float, height: float, status: str | None) -> list[str]:
    colour = _COLOURS.get(node.kind, "#64748b")
    fill, stroke = STATUSES[status][:2] if status else ("#fff", colour)
    if node.inner:
        fill = fill if status else "#faf8ff"
    paint = f'class="box" fill="{fill}" stroke="{stroke}"' + (' style="stroke-width:2.4px"' if status in ("current", "failed") else "")
    told = f"<title>{escape(f'{node.name}: {node.kind} {node.about}'.strip())}</title>"
    if node.kind == "Choice":
        points = f"12,0 {width - 12:.1f},0 {width:.1f},{height / 2:.1f} {width - 12:.1f},{height:.1f} 12,{height:.1f} 0,{height / 2:.1f}"
        return [f'<polygon points="{points}" {paint}>{told}</polygon>']
    round_ = height / 2 if node.kind in ("Succeed", "Fail", "Wait") else 7
    parts = [f'<rect width="{width:.1f}" height="{height:.1f}" rx="{round_:.0f}" {paint}>{told}</rect>']
    if node.kind in ("Task", "Pass") and not status:
        parts.append(f'<path d="M7 .7 H6 A6 6 0 0 0 .7 7 V{height - 7:.1f} A6 6 0 0 0 6 {height - 0.7:.1f} H7z" fill="{colour}"/>')
    return parts


def _words(name: str, about: str, width: float, top: float = 3.0) -> list[str]:
    middle = f'x="{width / 2:.1f}" text-anchor="middle"'
    return [
        f'<text class="name" {middle} y="{top + 15:.0f}">{escape(name)}</text>',
        f'<text class="about" {middle} y="{top + 31:.0f}">{escape(about)}</text>',
    ]


def _lines(layout: Layout, wishes: list[Wish], edges: list[Edge], statuses: Mapping[str, str] | None) -> list[str]:
    """Edges and, above all of them, their labels."""
    ports = _ports(layout, wishes)
    lines, labels = [], []
    for number, (wish, edge) in enumerate(zip(wishes, edges, strict=True)):
        kind = edge.kind
        reached = statuses is None or all(name in statuses for name in (edge.source, edge.target) if name)
        faded = "" if reached else " faded"
        if wish.source == wish.target:
            path = _loop(layout.places[wish.source])
        else:
            path = _curve(_points(layout, wish, ports[number, 0], layout.routes[number], ports[number, 1]))
        head = "catch" if kind == "catch" else "to"
        lines.append(f'<path class="{kind} edge{faded}" d="{path}" marker-end="url(#{head})"/>')
        text = _wrapped(edge)
        x, y = layout.labels[number]
        for row, line in enumerate(text):
            down = y + 4 + (row - (len(text) - 1) / 2) * 14
            labels.append(f'<text class="{kind} label{faded}" x="{x:.1f}" y="{down:.1f}" text-anchor="middle">{escape(line)}</text>')
    return lines + labels


def _ports(layout: Layout, wishes: list[Wish]) -> dict[tuple[int, int], _Point]:
    """Where edges leave (0) and arrive (1): side by side, in the order in which they come."""
    sides: dict[tuple[int, bool], list[tuple[float, int, int]]] = {}
    for number, wish in enumerate(wishes):
        if wish.source == wish.target:
            continue
        route = layout.routes[number]
        source, target = layout.places[wish.source], layout.places[wish.target]
        downwards = source.y < target.y
        sides.setdefault((wish.source, downwards), []).append(((route or [(target.x, 0)])[0][0], number, 0))
        sides.setdefault((wish.target, not downwards), []).append(((route or [(source.x, 0)])[-1][0], number, 1))
    found = {}
    for (index, bottom), ends in sides.items():
        box = layout.places[index]
        step = min(22.0, (box.width - 16) / len(ends))
        for place, (_, number, end) in enumerate(sorted(ends)):
            x = box.x + (place - (len(ends) - 1) / 2) * step
            found[number, end] = (x, box.y + box.height / 2 * (1 if bottom else -1))
    return found


def _points(layout: Layout, wish: Wish, first: _Point, route: list[_Point], last: _Point) -> list[_Point]:
    """A box that is less tall than its layer is left, or reached from below, straight: what is beside it reaches further down."""
    source, target = layout.places[wish.source], layout.places[wish.target]
    downwards = source.y < target.y
    upper = source if downwards else target
    if upper.floor <= upper.y + upper.height / 2 + 1:
        return [first, *route, last]
    return [first, (first[0], upper.floor), *route, last] if downwards else [first, *route, (last[0], upper.floor), last]


def _curve(points: list[_Point]) -> str:
    x, y = points[0]
    path = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in points[1:]:
        if abs(to_x - x) < 0.5 or abs(to_y - y) < 0.5:
            path.append(f"L{to_x:.1f} {to_y:.1f}")
        else:
            middle = (y + to_y) / 2
            path.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return "".join(path)


def _loop(box: Box) -> str:
    right = box.x + box.width / 2
    return f"M{right:.1f} {box.y - 8:.1f}C{right + 28:.1f} {box.y - 16:.1f} {right + 28:.1f} {box.y + 16:.1f} {right:.1f} {box.y + 8:.1f}"


def _wrapped(edge: Edge) -> list[str]:
    """A label in at most three lines."""
    lines = wrap(edge.label, _LABEL_MAX, break_long_words=True)
    return [*lines[:2], _cut(" ".join(lines[2:]), _LABEL_MAX)] if len(lines) > 3 else lines


def _label_size(edge: Edge) -> tuple[float, float]:
    lines = _wrapped(edge)
    return (max(_width(line, 11) for line in lines) + 6, 14.0 * len(lines)) if lines else (0.0, 0.0)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is: fonts differ, so that a little more is taken."""
    units = 0.0
    for character in text:
        if unicodedata.east_asian_width(character) in "WF":
            units += 1.0
        elif character in _WIDE:
            units += 0.86
        elif character in _NARROW:
            units += 0.34
        else:
            units += 0.68 if character.isupper() else 0.57
    return units * size * (1.07 if bold else 1.0)
