"""Conditions over JSON: the filters of JSONPath (``[?(@.price < 10 && @.tag)]``) and the conditions of triggers.

::

    or      := and ( ("||" | "or") and )*
    and     := not ( ("&&" | "and") not )*
    not     := "!" not | "(" or ")" | operand ( operator operand )?
    operand := path | text in quotes | number | true | false | null | /pattern/i | [ literal, … ]

``@`` begins a path at the member that is looked at, ``$`` one at the root. A path alone asks whether something is there.
Comparing unlike types is false, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sfc.asl.jsonpath_text import PathError, read_number, unescape

Holds = Callable[[Any, Any], bool]  # (member, root)
Operand = Callable[[Any, Any], Any]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<sign>&&|\|\||==|!=|<=|>=|=~|[<>!()\[\],])
      | (?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<path>[@$](?:\.\.?(?:\*|(?:\\.|[^\\.\[\]()\s,'"=<>!&|*])+)|\.?\[(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\]'"]+)+\])*)
      | (?P<word>[A-Za-z]+)
      | (?P<pattern>/(?:\\.|[^/\\])+/i?)
    )""",
    re.VERBOSE | re.DOTALL,
)
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "=~", "in", "nin")
_WORDS = {"true": True, "false": False, "null": None}
_DEPTH_MAX = 50  # parentheses and negations in one another; keeps a hostile text off the interpreter's stack


def read_filter(text: str, position: int) -> tuple[Holds, int]:
    """Reads ``(condition)`` of a filter; gives it with the position behind its closing parenthesis."""
    reader = _Reader(text, position)
    reader.need("(")
    holds = reader.any_of()
    reader.need(")")
    return holds, reader.position


def read_condition(text: str) -> Callable[[Any], bool]:
    """Reads a whole text as one condition over one value. Raises PathError."""
    reader = _Reader(text, 0)
    holds = reader.any_of()
    if text[reader.position :].strip():
        raise reader.stuck("expected and, or, or the end")
    return lambda value: holds(value, value)


class _Reader:
    """A recursive-descent reader; every method moves ``position`` behind what it has read."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.depth = 0

    def peek(self) -> tuple[str, str, int]:
        """Kind and text of the next token and the position behind it; kind "" at the end or at nonsense."""
        token = _TOKEN.match(self.text, self.position)
        if token is None or token.lastgroup is None:
            return "", "", self.position
        return token.lastgroup, token.group(token.lastgroup), token.end()

    def take(self, *wanted: str) -> str:
        """The next token if it is one of these, else ''."""
        kind, token, end = self.peek()
        if kind in ("sign", "word") and token in wanted:
            self.position = end
            return token
        return ""

    def need(self, sign: str) -> None:
        if not self.take(sign):
            raise self.stuck(f"expected {sign}")

    def stuck(self, expected: str) -> PathError:
        rest = self.text[self.position :].strip()
        return PathError(f"{expected} at character {self.position + 1} of {self.text}, came {repr(rest[:10]) if rest else 'the end'}")

    def any_of(self) -> Holds:
        parts = [self.all_of()]
        while self.take("||", "or"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda member, root: any(part(member, root) for part in parts)

    def all_of(self) -> Holds:
        parts = [self.one()]
        while self.take("&&", "and"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else lambda member, root: all(part(member, root) for part in parts)

    def one(self) -> Holds:
        self.depth += 1
        if self.depth > _DEPTH_MAX:
            raise PathError(f"expected at most {_DEPTH_MAX} parentheses in one another")
        try:
            if self.take("!"):
                inner = self.one()
                return lambda member, root: not inner(member, root)
            if self.take("("):
                inner = self.any_of()
                self.need(")")
                return inner
            return self.comparison()
        finally:
            self.depth -= 1

    def comparison(self) -> Holds:
        from sfc.asl.jsonpath import MISSING

        left, _, definite = self.operand()
        operator = self.take(*_COMPARISONS)
        if not operator:
            if definite is None:
                raise self.stuck("expected a comparison")
            if definite:
                return lambda member, root: left(member, root) is not MISSING
            return lambda member, root: left(member, root) not in (MISSING, [])
        if operator == "=~":
            return self.matching(left)
        right, literal, _ = self.operand()
        if operator in ("in", "nin"):
            if literal is not None and not isinstance(literal[0], list):
                raise self.stuck("expected a list behind in")
            wanted = operator == "in"
            return lambda member, root: _among(left(member, root), right(member, root)) is wanted
        compare = COMPARE[operator]
        return lambda member, root: compare(left(member, root), right(member, root))

    def matching(self, left: Operand) -> Holds:
        kind, token, end = self.peek()
        if kind != "pattern":
            raise self.stuck("expected a pattern, as in /ab.*/i")
        body, _, flags = token[1:].rpartition("/")
        try:
            pattern = re.compile(body.replace("\\/", "/"), re.IGNORECASE if flags else 0)
        except re.error as error:
            raise PathError(f"expected a regular expression in {self.text}, came {token}: {error}") from None
        self.position = end

        def holds(member: Any, root: Any) -> bool:
            value = left(member, root)
            return isinstance(value, str) and pattern.fullmatch(value) is not None

        return holds

    def operand(self) -> tuple[Operand, tuple[Any] | None, bool | None]:
        """The operand, its value in a one-tuple if it is a literal, and of a path whether it is definite."""
        kind, token, end = self.peek()
        if kind == "path":
            self.position = end
            find, definite = self.path(token)
            return find, None, definite
        value = self.literal()
        return (lambda member, root: value), (value,), None

    def path(self, token: str) -> tuple[Operand, bool]:
        """What finds its value, and whether it is definite."""
        from sfc.asl.jsonpath import compile_path

        path = compile_path("$" + token[1:])
        find = path.find
        if token[0] == "@":
            return (lambda member, root: find(member, None)), path.definite
        return (lambda member, root: find(root, None)), path.definite

    def literal(self) -> Any:
        kind, token, end = self.peek()
        if kind == "text":
            self.position = end
            return unescape(token[1:-1])
        if kind == "number":
            self.position = end
            return read_number(token, self.text, end - len(token))
        if kind == "word" and token in _WORDS:
            self.position = end
            return _WORDS[token]
        if self.take("["):
            items: list[Any] = []
            while not self.take("]"):
                if items:
                    self.need(",")
                items.append(self.literal())
            return items
        raise self.stuck("expected a path, a text in quotes, a number, true, false or null")


def is_number(value: Any) -> bool:
    """Numbers of JSON: true and false are none."""
    return value.__class__ is int or value.__class__ is float


def same(left: Any, right: Any) -> bool:
    """Equality of JSON: 1 is 1.0, true is not 1."""
    if left.__class__ is right.__class__:
        if left.__class__ is list:
            return len(left) == len(right) and all(map(same, left, right))
        if left.__class__ is dict:
            return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
        return bool(left == right)
    return is_number(left) and is_number(right) and bool(left == right)


def _among(value: Any, items: Any) -> bool:
    return isinstance(items, list) and any(same(value, item) for item in items)


def _ordered(left: Any, right: Any) -> bool:
    return (left.__class__ is str and right.__class__ is str) or (is_number(left) and is_number(right))


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": same,
    "!=": lambda left, right: not same(left, right),
    "<": lambda left, right: _ordered(left, right) and left < right,
    "<=": lambda left, right: _ordered(left, right) and left <= right,
    ">": lambda left, right: _ordered(left, right) and left > right,
    ">=": lambda left, right: _ordered(left, right) and left >= right,
}
