"""JSONPath as the Amazon States Language uses it, compiled to closures.

``$`` is the value, ``$$`` the context object, ``$name`` a variable. A *definite* path names one place (``$.a.b[0]``) and finds its value or
``MISSING``; an *indefinite* one (``[*]``, ``..``, slices, unions, filters) finds a list, empty when nothing is there. As Step
Functions does, an indefinite path that ends in ``[n]`` and finds exactly one value gives that value and no list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sfc.asl.jsonpath_text import Filter, PathError, Slice, Union, Wild, parse_path

__all__ = ["MISSING", "Path", "PathError", "ReferencePath", "compile_path", "compile_reference_path"]


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""What a definite path finds where nothing is."""

Find = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. ``find(value, context)`` never raises; ``context`` (a ``Context``) may be None for paths into the value.

    ``root``: "" for those, "$" for the context object, else a variable's name.
    """

    text: str
    definite: bool
    steps: tuple[Any, ...]
    root: str
    find: Find

    def why_missing(self, value: Any, context: Any) -> str:
        """What Step Functions says about a definite path that finds nothing."""
        here = value
        if self.root == "$":
            here = context.object
        elif self.root:
            here = context.variables.get(self.root, MISSING)
            if here is MISSING:
                return f"The variable '{self.root}' has no value"
        place = "$"
        for position, step in enumerate(self.steps):
            place += f"[{step}]" if isinstance(step, int) else f"['{step}']"
            try:
                here = _down(here, step)
            except (KeyError, IndexError, TypeError):
                last = position == len(self.steps) - 1
                return f"No results for path: {place}" if last else f"Missing property in path {place}"
        return f"No results for path: {place}"


def compile_path(text: str, *, variables: bool = False) -> Path:
    """Compiles a path. Raises PathError (a ValueError) that says where the text stops making sense, and where it names a variable in a
    place that has none (``variables``)."""
    root, steps = parse_path(text)
    if root not in ("", "$") and not variables:
        raise PathError(f"expected a path beginning with $. or $$, came {text}: there are no variables here")
    definite = all(isinstance(step, (str, int)) for step in steps)
    inner = _definite(steps) if definite else _indefinite(steps)
    return Path(text, definite, steps, root, _from(root, inner) if root else inner)


def _from(root: str, inner: Find) -> Find:
    def in_context(value: Any, context: Any = None) -> Any:
        return MISSING if context is None else inner(context.object, None)

    def find(value: Any, context: Any = None) -> Any:
        held = MISSING if context is None else context.variables.get(root, MISSING)
        return MISSING if held is MISSING else inner(held, None)

    return in_context if root == "$" else find


def _down(value: Any, step: str | int) -> Any:
    if isinstance(step, int) != isinstance(value, list):
        raise TypeError(step)
    return value[step]


def _definite(steps: tuple[Any, ...]) -> Find:
    """The hot path of every flow: a closure made to measure for up to three names, a loop for the rest."""
    if not steps:
        return _whole
    if len(steps) <= 3 and all(isinstance(step, str) for step in steps):
        return _names(steps)

    def find(value: Any, context: Any = None) -> Any:
        try:
            for step in steps:
                if step.__class__ is int and value.__class__ is not list:  # else "abc"[0] would be "a"
                    return MISSING
                value = value[step]
        except (KeyError, IndexError, TypeError):
            return MISSING
        return value

    return find


def _whole(value: Any, context: Any = None) -> Any:
    return value


def _names(steps: tuple[Any, ...]) -> Find:
    first = steps[0]
    if len(steps) == 1:

        def one(value: Any, context: Any = None) -> Any:
            try:
                return value[first]
            except (KeyError, TypeError):
                return MISSING

        return one
    second = steps[1]
    if len(steps) == 2:

        def two(value: Any, context: Any = None) -> Any:
            try:
                return value[first][second]
            except (KeyError, TypeError):
                return MISSING

        return two
    third = steps[2]

    def three(value: Any, context: Any = None) -> Any:
        try:
            return value[first][second][third]
        except (KeyError, TypeError):
            return MISSING

    return three


def _indefinite(steps: tuple[Any, ...]) -> Find:
    unwrap = isinstance(steps[-1], int)

    def find(value: Any, context: Any = None) -> Any:
        found = [value]
        for step in steps:
            found = [item for each in found for item in _select(each, step, value)]
        return found[0] if unwrap and len(found) == 1 else found

    return find


def _select(value: Any, step: Any, root: Any) -> Iterator[Any]:
    """The children of ``value`` that a step names."""
    if isinstance(step, (str, int)):
        try:
            yield _down(value, step)
        except (KeyError, IndexError, TypeError):
            return
    elif isinstance(step, Wild):
        for each in _descendants(value) if step.deep else (value,):
            yield from _children(each)
    elif isinstance(step, Slice):
        if isinstance(value, list):
            yield from value[step.start : step.stop : step.step]
    elif isinstance(step, Union):
        for each in _descendants(value) if step.deep else (value,):
            for name in step.names:
                yield from _select(each, name, root)
    elif isinstance(step, Filter):
        for each in _descendants(value) if step.deep else (value,):
            for child in each if isinstance(each, list) else [each] if isinstance(each, dict) else []:
                if step.holds(child, root):
                    yield child


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _descendants(value: Any) -> Iterator[Any]:
    """The value and everything in it, parents first. With a list of its own: a deep value must not exhaust the interpreter's stack."""
    open_ones = [value]
    while open_ones:
        each = open_ones.pop()
        yield each
        open_ones.extend(reversed(list(_children(each))))


@dataclass(frozen=True, slots=True)
class ReferencePath:
    """A path that names one place to write to: names and array positions only."""

    text: str
    steps: tuple[str | int, ...]

    def put(self, into: Any, value: Any) -> Any:
        """A copy of ``into`` with ``value`` at the place; what is on the way is copied, the rest is shared.

        Missing objects on the way are made. Raises TypeError where something on the way is neither missing nor a
        container of the right kind.
        """
        return _put(into, self.steps, 0, value)


def _put(into: Any, steps: tuple[str | int, ...], position: int, value: Any) -> Any:
    if position == len(steps):
        return value
    step = steps[position]
    if isinstance(step, str):
        if not (isinstance(into, dict) or into is MISSING):
            raise TypeError(step)
        fields: dict[str, Any] = dict(into) if isinstance(into, dict) else {}
        fields[step] = _put(fields.get(step, MISSING), steps, position + 1, value)
        return fields
    if not isinstance(into, list) or not 0 <= step < len(into):
        raise TypeError(step)
    items = list(into)
    items[step] = _put(items[step], steps, position + 1, value)
    return items


def compile_reference_path(text: str) -> ReferencePath:
    """Compiles a reference path (``ResultPath``). Raises PathError for anything that may name no place, or several."""
    root, steps = parse_path(text)
    if root:
        what = "$$ is the context object" if root == "$" else f"${root} is a variable"
        raise PathError(f"expected a path into the state's input, beginning with $., but {what}, which can't be written here")
    places = tuple(step for step in steps if isinstance(step, (str, int)) and not (isinstance(step, int) and step < 0))
    if len(places) != len(steps):
        raise PathError("expected a reference path, which names one place: names and array positions, as in $.a.b[0]")
    return ReferencePath(text, places)
