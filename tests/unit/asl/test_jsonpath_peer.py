"""Paths are read as python-jsonpath reads them, on generated paths and documents. Where the two differ on purpose, Step Functions is the
measure, and the difference stands in a test of its own below."""

from __future__ import annotations

from typing import Any

import jsonpath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfc.asl import MISSING, PathError, compile_path
from sfc.asl.jsonpath_filter import same

NAMES = ["a", "b", "c", "d e", "x.y", "ü", "it's"]
PLAIN = ["a", "b", "c"]
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, 2.5, "", "a", "b", "abc", "1"])
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)


def quoted(name: str) -> str:
    return "['" + name.replace("'", "\\'") + "']"


BOUND = st.none() | st.integers(-4, 5)
NAME = st.sampled_from(PLAIN).map(lambda name: f".{name}") | st.sampled_from(NAMES).map(quoted)
INDEX = st.integers(-4, 4).map(lambda index: f"[{index}]")
SLICE = st.tuples(BOUND, BOUND, st.none() | st.integers(1, 3)).map(
    lambda s: "[" + ":".join("" if n is None else str(n) for n in (s if s[2] is not None else s[:2])) + "]"
)
UNION = st.lists(st.sampled_from(PLAIN), min_size=2, max_size=3, unique=True).map(lambda n: "[" + ",".join(f"'{x}'" for x in n) + "]")
INDICES = st.lists(st.integers(-2, 3), min_size=2, max_size=3, unique=True).map(lambda n: "[" + ",".join(map(str, n)) + "]")
DEEP = st.sampled_from(["..a", "..b", "..*"])
ORDERED = st.sampled_from(["1", "2.5", "-1", "'a'", "'abc'", "''"])
LITERAL = ORDERED | st.sampled_from(["true", "false", "null"])
PLACE = st.sampled_from(["@.a", "@.b", "@.a.b", "@['d e']", "@.c[0]"])
EQUAL = st.tuples(PLACE, st.sampled_from(["==", "!="]), LITERAL | PLACE)
LESS = st.tuples(PLACE, st.sampled_from(["<", "<=", ">", ">="]), ORDERED)
CONDITION = st.recursive(
    PLACE | EQUAL.map(" ".join) | LESS.map(" ".join),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})")
        | inner.map(lambda text: f"!({text})")
    ),
    max_leaves=4,
)
FILTER = CONDITION.map(lambda text: f"[?({text})]")
STEP = NAME | INDEX | SLICE | UNION | INDICES | DEEP | st.sampled_from([".*", "[*]"])
PATHS = st.lists(STEP, max_size=4).map(lambda steps: "$" + "".join(steps))
FILTERED = st.tuples(FILTER, st.lists(STEP, max_size=2)).map(lambda t: "$" + t[0] + "".join(t[1]))
DEFINITE = st.lists(NAME | INDEX, max_size=4).map(lambda steps: "$" + "".join(steps))
CONTAINERS = DOCUMENTS.filter(lambda value: isinstance(value, (dict, list)))


def peer(path: str, document: Any) -> list[Any]:
    """What python-jsonpath finds: always a list. It takes documents that are objects or lists only."""
    return list(jsonpath.findall(path, document))


def alike(ours: list[Any], theirs: list[Any]) -> bool:
    return len(ours) == len(theirs) and all(map(same, ours, theirs))


def ends_in_a_position(path: str) -> bool:
    """Such a path is unwrapped here; see the known differences."""
    return path.endswith("]") and path[path.rindex("[") + 1 : -1].lstrip("-").isdigit()


@settings(max_examples=400, deadline=None, derandomize=True)
@given(DEFINITE, CONTAINERS)
def test_definite_paths_find_what_python_jsonpath_finds(path: str, document: Any) -> None:
    compiled = compile_path(path)
    assert compiled.definite
    found = compiled.find(document, None)
    assert alike([] if found is MISSING else [found], peer(path, document)), found


def without(kind: type, value: Any) -> Any:
    """The document with null where values of that kind stood."""
    if isinstance(value, list):
        return [without(kind, item) for item in value]
    if isinstance(value, dict):
        return {name: without(kind, item) for name, item in value.items()}
    return None if isinstance(value, kind) else value


def indefinite(path: str, document: Any) -> None:
    compiled = compile_path(path)
    if compiled.definite:
        return
    found, theirs = compiled.find(document, None), peer(path, document)
    if ends_in_a_position(path) and len(theirs) == 1:
        assert same(found, theirs[0])
    else:
        assert alike(found, theirs), (found, theirs)


@settings(max_examples=800, deadline=None, derandomize=True)
@given(PATHS, CONTAINERS)
def test_other_paths_find_the_same_in_the_same_order(path: str, document: Any) -> None:
    indefinite(path, without(str, document) if ":" in path else document)


@settings(max_examples=800, deadline=None, derandomize=True)
@given(FILTERED, st.lists(DOCUMENTS, max_size=5))
def test_filters_of_lists_keep_the_same(path: str, document: Any) -> None:
    plain = without(bool, document)
    indefinite(path, without(str, plain) if ":" in path else plain)


@pytest.mark.parametrize(
    ("path", "document", "ours", "theirs"),
    [
        ("$.*[0]", {"a": [1]}, 1, [1]),  # what ends in a position and finds one value is that value
        ("$[?(@.a == 1)]", {"a": 1}, [{"a": 1}], []),  # a filter of an object asks the object, not its members
        ("$[0,1]", {"0": "zero"}, [], ["zero"]),  # a position is none of an object's names
        ("$[*][:]", ["ab"], [], ["a", "b"]),  # a text has no slices
        ("$[?(@.a > 0)]", [{"a": True}], [], [{"a": True}]),  # true is no number
        ("$[?(@.a <= @.b)]", [{}], [], [{}]),  # what is not there is not less than or equal to anything
        ("$[?(@.a >= null)]", [{"a": None}], [], [{"a": None}]),  # nor is null, true or false
    ],
)
def test_known_differences(path: str, document: Any, ours: Any, theirs: Any) -> None:
    assert compile_path(path).find(document, None) == ours
    assert peer(path, document) == theirs


@pytest.mark.parametrize("path", ["$[?@.a == 1]", "$.a[-1:0:-1]", "$.a[::-1]", "$..[0]['a']x", "$[?length(@.a) > 1]", "$.a["])
def test_what_step_functions_does_not_have_is_refused_here(path: str) -> None:
    with pytest.raises(PathError):
        compile_path(path)
