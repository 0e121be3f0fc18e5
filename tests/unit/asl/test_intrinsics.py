"""Intrinsic functions, with what was recorded from Step Functions."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.asl import Context, Failure, PathError
from sfc.asl.intrinsics import compile_intrinsic

VALUE: dict[str, Any] = {
    "text": "a-b,c",
    "object": {"Arg1": 1, "Arg2": []},
    "list": [1, 2, 3, 1.0, True, "x", None],
    "template": "{}!",
    "empty": [],
    "two": 2,
    "beyond": '{"price": [1e400]}',
    "below": "-1e400",
    "half": '"\\ud800"',
    "large": 10**400,
    "largest": 10**4300 - 1,
}


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ("States.Format('plain')", "plain"),
        ("States.Format('{}', $.['object'].Arg1)", "1"),
        ("States.Format('{} and {}', 1, 'def')", "1 and def"),
        ("States.Format('{}', $.object)", "{Arg1=1, Arg2=[]}"),
        ("States.Format('{} {} {}', null, true, 1.5)", "null true 1.5"),
        ("States.Format($.template, $.two)", "2!"),
        (r"States.Format('it\'s \{\} {} \\', 1)", r"it's {} 1 " + "\\"),
        ("States.Format('{}', '{}')", "{}"),
        ("States.StringToJson('{\"a\":[1]}')", {"a": [1]}),
        ("States.StringToJson('')", None),
        ("States.StringToJson(' ')", None),
        ("States.StringToJson('-0')", 0),
        ("States.JsonToString($.object)", '{"Arg1":1,"Arg2":[]}'),
        ("States.Array()", []),
        ("States.Array('Foo', $.two, null, $$.id)", ["Foo", 2, None, "flow"]),
        ("States.ArrayPartition($.list, 3)", [[1, 2, 3], [1.0, True, "x"], [None]]),
        ("States.ArrayPartition($.empty, 4)", []),
        ("States.ArrayContains($.list, 2.0)", True),
        ("States.ArrayContains($.empty, 2)", False),
        ("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
        ("States.ArrayRange(3, 1, -1)", [3, 2, 1]),
        ("States.ArrayGetItem($.list, 5)", "x"),
        ("States.ArrayLength($.list)", 7),
        ("States.ArrayUnique($.list)", [1, 2, 3, True, "x", None]),
        ("States.Base64Encode('Data to encode')", "RGF0YSB0byBlbmNvZGU="),
        ("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", "Data to encode"),
        ("States.Hash('abc', 'SHA-1')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("States.Hash('abc', 'MD5')", "900150983cd24fb0d6963f7d28e17f72"),
        ("States.JsonMerge($.object, States.StringToJson('{\"Arg1\":2}'), false)", {"Arg1": 2, "Arg2": []}),
        ("States.MathAdd(1, -1)", 0),
        ("States.MathAdd(1.49, 1.5)", 3),
        ("States.MathAdd($.large, 1)", 10**400 + 1),
        ("States.StringToJson('[1.5e300, \"\\\\u00e9\"]')", [1.5e300, "é"]),
        ("States.MathAdd(-1.5, 0)", -1),
        ("States.MathAdd(-2.5, 0)", -2),
        ("States.StringSplit($.text, ',-')", ["a", "b", "c"]),
        ("States.StringSplit('..a..b', '.')", ["a", "b"]),
        ("States.ArrayGetItem( States.StringSplit($.text , ',') ,  States.MathAdd(2, -1) )", "c"),
    ],
)
def test_a_function_gives_its_result(call: str, result: Any) -> None:
    found = compile_intrinsic(call)(VALUE, Context({"id": "flow"}))
    assert (found, type(found)) == (result, type(result))


@pytest.mark.parametrize(
    "call",
    [
        "States.Format('{} {}', $.two)",
        "States.Format($.two)",
        "States.StringToJson('{')",
        "States.StringToJson('NaN')",
        "States.StringToJson($.beyond)",
        "States.StringToJson($.below)",
        "States.StringToJson($.half)",
        "States.ArrayRange(1, $.large, 1)",
        "States.ArrayRange(1, $.largest, 1)",
        "States.MathRandom(0, $.large)",
        "States.MathAdd($.largest, 1)",
        "States.ArrayPartition($.list, 0)",
        "States.ArrayPartition($.two, 1)",
        "States.ArrayRange(0, 1000, 1)",
        "States.ArrayRange(0, 1, 0)",
        "States.ArrayGetItem($.list, 7)",
        "States.ArrayGetItem($.list, -1)",
        "States.ArrayLength($.text)",
        "States.Base64Decode('?')",
        "States.Hash('abc', 'CRC')",
        "States.JsonMerge($.list, $.object, false)",
        "States.MathAdd($.text, 1)",
        "States.ArrayLength($.no)",
    ],
)
def test_a_function_that_can_not_do_it_fails_at_runtime_and_names_itself(call: str) -> None:
    failure = compile_intrinsic(call)(VALUE, Context())
    assert isinstance(failure, Failure)
    assert (failure.error, failure.runtime) == ("States.Runtime", True)
    assert call in str(failure.cause)


@pytest.mark.parametrize(
    "call",
    [
        "States.Format(",
        "States.Format('a'",
        "States.Format('a' 'b')",
        "States.Format('a'))",
        "States.Format('a',)",
        r"States.Format('\n')",
        "States.Nothing()",
        "States.ArrayLength(1)",
        "States.ArrayLength()",
        "States.JsonMerge($.a, $.b, true)",
        "States.MathAdd($.a b, 1)",
        "States.Array(" * 11 + ")" * 11,
        "States.UUID(1)",
        "States.MathRandom(1)",
        "States.Array(1e400)",
        "States.Format('{}', -1e400)",
        "States.Array($.list[?(@ > 1e400)])",
        f"States.MathAdd({'9' * 5000}, 1)",
    ],
)
def test_a_bad_call_is_refused_before_it_runs(call: str) -> None:
    with pytest.raises(PathError, match=r"expected|not yet"):
        compile_intrinsic(call)
