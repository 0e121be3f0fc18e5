"""Paths, reference paths and the conditions of triggers."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.asl import MISSING, Context, PathError, compile_condition, compile_path, compile_reference_path

ITEMS = [{"k": 1, "t": "a"}, {"k": 2, "t": "B"}, {"k": True}, {"k": None}]
VALUE: dict[str, Any] = {
    "a": {"b": {"c": {"d": 7}}, "null": None},
    "items": ITEMS,
    "list": [10, [20, 21]],
    "store.book": 5,
    "a b": 6,
    "text": "abc",
    "limit": 2,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", VALUE),
        ("$.text", "abc"),
        ("$.a.b.c", {"d": 7}),
        ("$.a.b", {"c": {"d": 7}}),
        ("$.a.b.c.d", 7),
        ("$.a.null", None),
        ("$.items[1].t", "B"),
        ("$.items[-1].k", None),
        ("$.list[1][0]", 20),
        ("$.list[(@.length-2)]", 10),
        (r"$.store\.book", 5),
        ("$['store.book']", 5),
        ('$["a b"]', 6),
        ("$.['a b']", 6),
        ('$.a.["b"].c', {"d": 7}),
        ("$$.['Execution'].Id", "x"),
        ("$$.Execution.Id", "x"),
        ("$$", {"Execution": {"Id": "x"}}),
    ],
)
def test_a_definite_path_finds_its_value(path: str, found: Any) -> None:
    compiled = compile_path(path)
    assert compiled.definite
    assert compiled.find(VALUE, Context({"Execution": {"Id": "x"}})) == found


@pytest.mark.parametrize("path", ["$.no", "$.a.no", "$.a.b.no", "$.text.x", "$.text[0]", "$.items.k", "$.a[0]", "$.list[9]", "$.a.null.x"])
def test_a_definite_path_to_nowhere_finds_missing(path: str) -> None:
    assert compile_path(path).find(VALUE, None) is MISSING


@pytest.mark.parametrize("value", [None, 1, "text", [], True])
def test_any_root_is_searched_without_an_exception(value: Any) -> None:
    assert compile_path("$.a").find(value, None) is MISSING
    assert compile_path("$.a.b").find(value, None) is MISSING
    assert compile_path("$..a").find(value, None) == []
    assert compile_path("$[0]").find(value, None) is MISSING


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.items[*].k", [1, 2, True, None]),
        ("$.a.*", [{"c": {"d": 7}}, None]),
        ("$.items[1:3].k", [2, True]),
        ("$.items[:1].k", [1]),
        ("$.items[::2].k", [1, True]),
        ("$.items[-1:].k", [None]),
        ("$.items[0,2].k", [1, True]),
        ("$['text','limit']", ["abc", 2]),
        ("$..d", [7]),
        ("$..c['d']", [7]),
        ("$.['text','limit']", ["abc", 2]),
        ("$.items[?(@.['t'] == 'B')].t", ["B"]),
        ("$.items..t", ["a", "B"]),
        ("$.list..*", [10, [20, 21], 20, 21]),
        ("$.items[?(@.k == 1)].t", ["a"]),
        ("$.items[?(@.k != 1)].k", [2, True, None]),
        ("$.items[?(@.k >= $.limit)].k", [2]),
        ("$.items[?(@.t)].k", [1, 2]),
        ("$.items[?(!(@.t))].k", [True, None]),
        ("$.items[?(@.t == 'a' || @.k == 2)].k", [1, 2]),
        ("$.items[?(@.t == 'a' && @.k == 2)].k", []),
        ("$.items[?(@.t =~ /[ab]/i)].k", [1, 2]),
        ("$.items[?(@.k in [2, null])].k", [2, None]),
        ("$.items[?(@.k nin [1, 2, null])].k", [True]),
        ("$.none[*]", []),
        ("$.items[?(@.k == 9)]", []),
        ("$.list[*][0]", 20),  # ends in [n] and finds one value: no list
    ],
)
def test_an_indefinite_path_finds_a_list(path: str, found: Any) -> None:
    compiled = compile_path(path)
    assert not compiled.definite
    assert compiled.find(VALUE, None) == found


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "$.",
        "$..",
        "$.a.",
        "$a",
        "$.a b",
        "$.a[",
        "$.a[]",
        "$.a[x]",
        "$.a['x'",
        "$.f()",
        "$.a[::0]",
        "$.a[?(@.b ==)]",
        "$.a[?@.b]",
        "$.a[?(1)]",
        "$.a[?(@.b =~ /(/)]",
        "$.a[?(" + "(" * 60 + "@.b" + ")" * 60 + ")]",
        "$.[0]",
        "$.a.['x'",
        "$.a.['x'].[*]",
    ],
)
def test_a_bad_path_is_refused(path: str) -> None:
    with pytest.raises(PathError, match=r"expected|not yet"):
        compile_path(path)


def test_a_deep_value_is_searched_without_an_exception() -> None:
    deep: Any = {"x": 1}
    for _ in range(20_000):
        deep = [deep]
    assert compile_path("$..x").find(deep, None) == [1]


@pytest.mark.parametrize(
    ("path", "into", "made"),
    [
        ("$", {"a": 1}, "new"),
        ("$.b", {"a": 1}, {"a": 1, "b": "new"}),
        ("$.a", {"a": 1}, {"a": "new"}),
        ("$.b.c", {"a": 1}, {"a": 1, "b": {"c": "new"}}),
        ("$.l[1]", {"l": [1, 2]}, {"l": [1, "new"]}),
        ("$.b.['c d']", {"a": 1}, {"a": 1, "b": {"c d": "new"}}),
        ("$.l[0].x", {"l": [{"y": 1}]}, {"l": [{"y": 1, "x": "new"}]}),
    ],
)
def test_a_reference_path_puts_into_a_copy(path: str, into: Any, made: Any) -> None:
    before = repr(into)
    assert compile_reference_path(path).put(into, "new") == made
    assert repr(into) == before


@pytest.mark.parametrize(("path", "into"), [("$.a", []), ("$.a", None), ("$.a.b", {"a": 1}), ("$.l[2]", {"l": [1]}), ("$.a[0]", {"a": {}})])
def test_a_reference_path_says_where_nothing_can_be_put(path: str, into: Any) -> None:
    with pytest.raises(TypeError):
        compile_reference_path(path).put(into, 1)


@pytest.mark.parametrize("path", ["$.a[*]", "$..a", "$.a[1:2]", "$.a[?(@.b)]", "$.a[0,1]", "$.a[-1]", "$$.a"])
def test_a_reference_path_names_one_place(path: str) -> None:
    with pytest.raises(PathError):
        compile_reference_path(path)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("$.channel == 'tmall'", True),
        ('$.channel == "jd"', False),
        ("$.channel != 'jd'", True),
        ("$.none != 1", True),
        ("$.none == 1", False),
        ("$.amount > 10", True),
        ("$.amount >= 10.5 and $.amount <= 10.5", True),
        ("$.amount < '99'", False),
        ("$.channel == 'jd' or $.amount < 11", True),
        ("$.channel == 'jd' && $.amount < 11 || $.paid == true", True),
        ("$.channel == 'jd' and ($.amount < 11 or $.paid == true)", False),
        ("$.paid == 1", False),
        ("$.gift == null", True),
        ("!($.paid == true)", False),
        ("$.lines[0].sku == 'x'", True),
        ("$.lines", True),
        ("$.none", False),
        ("'tmall' == $.channel", True),
    ],
)
def test_a_condition_chooses_records(condition: str, holds: bool) -> None:
    value = {"channel": "tmall", "amount": 10.5, "paid": True, "gift": None, "lines": [{"sku": "x"}]}
    assert compile_condition(condition)(value) is holds


@pytest.mark.parametrize(
    "condition", ["", "  ", "$.a =", "$.a = 1", "$.a == ", "$.a == 'x", "'x'", "$.a == 1 $.b", "($.a == 1", "$.a == b", "$.a == 1 and"]
)
def test_a_bad_condition_says_what_was_expected(condition: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        compile_condition(condition)


def test_a_filter_that_asks_whether_something_is_there_finds_what_is_empty() -> None:
    value = [{"a": []}, {"a": None}, {"a": ""}, {"a": {}}, {"b": 1}]
    assert compile_path("$[?(@.a)]").find(value, None) == value[:4]
    assert compile_path("$[?(@.a[*])]").find(value, None) == []
