"""Lays a graph out in layers, from top to bottom: ranks by the longest path, order by barycentre, and straight long edges.

Boxes come with their sizes; an edge with a label gets room for it. What leads back is turned round for the layout and drawn upwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

GAP_X = 28.0
GAP_Y = 26.0
GAP_LABEL = 16.0  # below a layer with labels
_SWEEPS = 12


@dataclass(slots=True)
class Box:
    """Something that has room in the picture; ``x`` and ``y`` are its middle. ``bend``: a place that an edge passes."""

    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    rank: int = 0
    floor: float = 0.0  # where its layer ends
    bend: bool = False
    up: dict[int, float] = field(default_factory=dict)  # neighbours, and how strongly each one draws
    down: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """An edge to lay out: from a box to a box, with room for a label where it has a size. One of more weight is straighter."""

    source: int
    target: int
    label: tuple[float, float] = (0.0, 0.0)
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Layout:
    """``places``: of each box, in the order given. ``routes``: of each edge the points that it passes, between its two boxes.
    ``labels``: the middle of each edge's label."""

    places: list[Box]
    routes: list[list[tuple[float, float]]]
    labels: list[tuple[float, float]]
    width: float
    height: float


def lay_out(sizes: Sequence[tuple[float, float]], wishes: Sequence[Wish]) -> Layout:
    """Places boxes of these sizes; the first one is at the top."""
    boxes = [Box(width, height) for width, height in sizes]
    turned = _turned(len(sizes), wishes)
    ends = [(w.target, w.source) if t else (w.source, w.target) for w, t in zip(wishes, turned, strict=True)]
    for box, rank in zip(boxes, _ranks(len(sizes), [e for e in ends if e[0] != e[1]]), strict=True):
        box.rank = rank * 2  # the ranks between are for labels
    chains = [_chain(boxes, start, end, wish) if start != end else [] for (start, end), wish in zip(ends, wishes, strict=True)]
    layers = _ordered(boxes)
    _place_y(boxes, layers)
    _place_x(boxes, layers)
    _straighten(boxes, layers, chains)
    left = min((box.x - box.width / 2 for box in boxes), default=0.0)
    for box in boxes:
        box.x -= left
    routes: list[list[tuple[float, float]]] = []
    labels: list[tuple[float, float]] = []
    for chain, back, wish in zip(chains, turned, wishes, strict=True):
        if not chain:
            box = boxes[wish.source]
            labels.append((box.x + box.width / 2 + 24 + wish.label[0] / 2, box.y))
            routes.append([])
            continue
        inner = [boxes[number] for number in chain[1:-1]]
        points = [point for box in inner for point in _through(box)]
        routes.append(points[::-1] if back else points)
        labelled = inner[-1 if back else 0]
        labels.append((labelled.x, labelled.y))
    loops = [boxes[w.source].x + boxes[w.source].width / 2 + 30 + w.label[0] for w in wishes if w.source == w.target]
    width = max([box.x + box.width / 2 for box in boxes] + loops, default=0.0)
    return Layout(boxes[: len(sizes)], routes, labels, width, max((box.y + box.height / 2 for box in boxes), default=0.0))


def _through(box: Box) -> list[tuple[float, float]]:
    return [(box.x, box.y - box.height / 2), (box.x, box.y + box.height / 2)] if box.height else []


def _turned(count: int, wishes: Sequence[Wish]) -> list[bool]:
    """Which edges lead back on a walk from the first box: without them there is no ring."""
    leaving: dict[int, list[int]] = {number: [] for number in range(count)}
    for number, wish in enumerate(wishes):
        leaving[wish.source].append(number)
    turned, done, open_ = [False] * len(wishes), set[int](), set[int]()
    for root in range(count):
        todo = [(root, iter(leaving[root]))] if root not in done else []
        open_ |= {root} if todo else set()
        done.add(root)
        while todo:
            at, edges = todo[-1]
            edge = next(edges, None)
            if edge is None:
                open_.discard(at)
                todo.pop()
                continue
            target = wishes[edge].target
            if target in open_:
                turned[edge] = target != at
            elif target not in done:
                done.add(target)
                open_.add(target)
                todo.append((target, iter(leaving[target])))
    return turned


def _ranks(count: int, ends: Sequence[tuple[int, int]]) -> list[int]:
    """The longest way from the top, and then each box as far down as what follows it allows, where that shortens its edges."""
    above: dict[int, list[int]] = {number: [] for number in range(count)}
    below: dict[int, list[int]] = {number: [] for number in range(count)}
    for start, end in ends:
        above[end].append(start)
        below[start].append(end)
    waiting = [len(above[number]) for number in range(count)]
    order = [number for number in range(count) if not waiting[number]]
    ranks = [0] * count
    for at in order:
        for following in below[at]:
            ranks[following] = max(ranks[following], ranks[at] + 1)
            waiting[following] -= 1
            if not waiting[following]:
                order.append(following)
    for at in reversed(order):
        if len(below[at]) > len(above[at]):
            ranks[at] = min(ranks[following] for following in below[at]) - 1
    return ranks


def _chain(boxes: list[Box], start: int, end: int, wish: Wish) -> list[int]:
    """The boxes that an edge passes, one for each rank between; its label is in the first that it passes, or in the last."""
    back = (start, end) == (wish.target, wish.source) and start != wish.source
    first, last = boxes[start].rank + 1, boxes[end].rank - 1
    at_label = last if back else first
    chain = [start]
    for rank in range(first, last + 1):
        width, height = wish.label if rank == at_label else (0.0, 0.0)
        boxes.append(Box(width + 8 if width else 4.0, height, rank=rank, bend=True))
        chain.append(len(boxes) - 1)
    chain.append(end)
    for upper, lower in pairwise(chain):
        weight = wish.weight * (8.0 if boxes[upper].bend and boxes[lower].bend else 2.0)
        boxes[upper].down[lower] = boxes[lower].up[upper] = max(weight, boxes[lower].up.get(upper, 0.0))
    return chain


def _ordered(boxes: list[Box]) -> list[list[int]]:
    """Layers from left to right with few crossings: each box towards the middle of its neighbours, downwards and upwards in turn."""
    layers: list[list[int]] = [[] for _ in range(max((box.rank for box in boxes), default=-1) + 1)]
    seen: set[int] = set()
    for root in sorted(range(len(boxes)), key=lambda n: boxes[n].rank):
        todo = [root]
        while todo:  # along the edges first, so that what belongs together begins together
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                layers[boxes[at].rank].append(at)
                todo += reversed(list(boxes[at].down))
    best, fewest = [list(layer) for layer in layers], _crossings(boxes, layers)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        for layer, other in _pairs(layers, downwards):
            position = {number: place for place, number in enumerate(other)}
            here = {number: place for place, number in enumerate(layer)}
            middles = {number: _middle(boxes[number].up if downwards else boxes[number].down, position, here[number]) for number in layer}
            layer.sort(key=middles.__getitem__)
        crossings = _crossings(boxes, layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    return best


def _pairs(layers: list[list[int]], downwards: bool) -> list[tuple[list[int], list[int]]]:
    if downwards:
        return list(zip(layers[1:], layers, strict=False))
    return list(zip(layers[-2::-1], layers[:0:-1], strict=False))


def _middle(neighbours: Iterable[int], position: Mapping[int, int], here: int) -> float:
    places = [position[n] for n in neighbours if n in position]
    return sum(places) / len(places) if places else float(here)


def _crossings(boxes: list[Box], layers: list[list[int]]) -> int:
    count = 0
    for layer, other in _pairs(layers, True):
        position = {number: place for place, number in enumerate(other)}
        places = [position[up] for number in layer for up in sorted(boxes[number].up, key=lambda n: position.get(n, 0)) if up in position]
        count += sum(1 for at, place in enumerate(places) for later in places[at + 1 :] if later < place)
    return count


def _place_y(boxes: list[Box], layers: list[list[int]]) -> None:
    """Layers below one another; one in which nothing has a height is but a gap."""
    y = 0.0
    for number, layer in enumerate(layers):
        height = max((boxes[n].height for n in layer), default=0.0)
        for n in layer:
            box = boxes[n]
            if box.bend and not box.height:
                box.height = height  # an edge passes the whole layer upright
            box.y = y + (height if box.bend else box.height) / 2
            box.floor = y + height
        if number < len(layers) - 1:
            y += height + (GAP_Y if number % 2 == 0 else GAP_LABEL if height else 0)
            y += GAP_Y / 2 if any(len(boxes[n].down) > 2 for n in layer) else 0
        else:
            y += height


def _place_x(boxes: list[Box], layers: list[list[int]]) -> None:
    """Each box below or above the middle of its neighbours as far as the others of its layer allow; long edges hold strongest."""
    for layer in layers:
        x = 0.0
        for n in layer:
            boxes[n].x = x + boxes[n].width / 2
            x += boxes[n].width + _gap(boxes[n])
    for sweep in range(4 * _SWEEPS):
        downwards = sweep % 2 == 0
        both = sweep > 2 * _SWEEPS
        for layer in layers if downwards else layers[::-1]:
            wanted = []
            for n in layer:
                box = boxes[n]
                near = {**box.up, **box.down} if both else box.up if downwards else box.down
                total = sum(near.values())
                middle = sum(weight * boxes[other].x for other, weight in near.items()) / total if total else box.x
                wanted.append((middle, total or 0.1))
            _spread(boxes, layer, wanted)


def _straighten(boxes: list[Box], layers: list[list[int]], chains: list[list[int]]) -> None:
    """Bends of an edge that can stand below one another do, as many of them as there is room for."""
    beside: dict[int, tuple[int | None, int | None]] = {}
    for layer in layers:
        for left, n, right in zip([None, *layer], layer, [*layer[1:], None], strict=False):
            beside[n] = (left, right)

    def room(n: int) -> tuple[float, float]:
        box, (left, right) = boxes[n], beside[n]
        low = -1e9 if left is None else boxes[left].x + boxes[left].width / 2 + box.width / 2 + GAP_X / 3
        high = 1e9 if right is None else boxes[right].x - boxes[right].width / 2 - box.width / 2 - GAP_X / 3
        return low, high

    for _ in range(3):
        for chain in sorted(chains, key=len, reverse=True):
            at, bends = 0, chain[1:-1]
            while at < len(bends):
                low, high = room(bends[at])
                end = at + 1
                while end < len(bends):
                    next_low, next_high = room(bends[end])
                    if max(low, next_low) > min(high, next_high):
                        break
                    low, high, end = max(low, next_low), min(high, next_high), end + 1
                run = bends[at:end]
                if low <= high:
                    x = min(max(sum(boxes[n].x for n in run) / len(run), low), high)
                    for n in run:
                        boxes[n].x = x
                at = end


def _gap(box: Box) -> float:
    return GAP_X / 2 if box.bend else GAP_X


def _spread(boxes: list[Box], layer: list[int], wanted: list[tuple[float, float]]) -> None:
    """The places nearest to the wanted ones (least squares) that keep order and distance: neighbours that meet move as one."""
    offsets, offset = [], 0.0
    for at, n in enumerate(layer):
        if at:
            before = boxes[layer[at - 1]]
            offset += (before.width + boxes[n].width) / 2 + max(_gap(before), _gap(boxes[n]))
        offsets.append(offset)
    groups: list[tuple[float, float, int]] = []  # where the group's first box wants to be, its weight, how many it has
    for (x, weight), own in zip(wanted, offsets, strict=True):
        place, total, count = x - own, weight, 1
        while groups and groups[-1][0] > place:
            other, other_weight, other_count = groups.pop()
            place = (place * total + other * other_weight) / (total + other_weight)
            total, count = total + other_weight, count + other_count
        groups.append((place, total, count))
    at = 0
    for place, _, count in groups:
        for _ in range(count):
            boxes[layer[at]].x = place + offsets[at]
            at += 1
