"""Line and column of a JSON pointer, in YAML and in JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sfc.errors import BadInput, Problem
from sfc.registry.files import read_files
from sfc.registry.places import read_document

YAML = """\
Base: &base {Type: Pass, End: true}
States:
  First:
    <<: *base
    Comment: "said"
  "a/b~c":
    - {Next: Gone}
    - plain text
"""
ABC = (("a", (1, 7)), ("b", (1, 19)), ("c", (2, 7)))
JSON = '{\n\t"a": [1, {"b/c": "x\\u00e9\\"", "d": 2.5e3}, true],\n "ö": {}, "z": "end" }'


@pytest.mark.parametrize(
    ("source", "text", "code", "pointer", "place"),
    [
        ("x.yaml", YAML, "unknown-state", "/States/a~1b~0c/0/Next", (7, 14, 18)),
        ("x.yaml", YAML, "unknown-field", "/States/a~1b~0c/0/Next", (7, 8, 12)),
        ("x.yaml", YAML, "wrong-type", "/States/a~1b~0c/1", (8, 7, 17)),
        ("x.yaml", YAML, "wrong-type", "/States/First/Comment", (5, 14, 20)),
        ("x.yaml", YAML, "missing-field", "/States/First", (3, 3, 8)),
        ("x.yaml", YAML, "missing-field", "/States/First/Next", (3, 3, 8)),
        ("x.yaml", YAML, "unknown-type", "/States/First/Type", (1, 20, 24)),  # where its anchor is
        ("x.yaml", YAML, "missing-field", "", (1, 1, 2)),
        ("x.json", JSON, "wrong-type", "/a/0", (2, 8, 9)),
        ("x.json", JSON, "wrong-type", "/a/1/b~1c", (2, 19, 30)),
        ("x.json", JSON, "wrong-type", "/a/1/d", (2, 37, 42)),
        ("x.json", JSON, "wrong-type", "/a/2", (2, 45, 49)),
        ("x.json", JSON, "missing-field", "/ö", (3, 2, 5)),
        ("x.json", JSON, "wrong-type", "/z", (3, 16, 21)),
    ],
)
def test_a_pointer_has_a_line_and_a_column(source: str, text: str, code: str, pointer: str, place: tuple[int, int, int]) -> None:
    assert read_document(text, source).places.of(Problem(code, pointer, "")) == place


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("x.yaml", "a: 1\nb: {c: 1, c: 2}\na: 3\n", [("duplicate-key", "/b/c", 2, 11), ("duplicate-key", "/a", 3, 1)]),
        ("x.yaml", "yes: 1\n12: a\ntrue: b\n", [("bad-key", "/12", 2, 1), ("bad-key", "/true", 3, 1)]),
        ("x.yaml", "a: [1, 2\nb: 3\n", [("syntax", "", 2, 2)]),
        ("x.yaml", "a: b\x01", [("syntax", "", 1, 5)]),
        ("x.yaml", "a: &x [*x]", [("syntax", "", 1, 8)]),
        ("x.yaml", "? [a]\n: b\n", [("syntax", "", 1, 3)]),
        ("x.yaml", "a: 1\n---\nb: 1\n", [("syntax", "", 2, 1)]),
        ("x.json", '{"a": 1,\n "a": 2, "b": {"c": 1, "c": 1}}', [("duplicate-key", "/a", 2, 2), ("duplicate-key", "/b/c", 2, 24)]),
        ("x.json", '{"a": 1,\n "b": }', [("syntax", "", 2, 7)]),
        ("x.json", '{"NaN": 1,\n "b": NaN, "c": [-Infinity]}', [("not-json", "/b", 2, 7), ("not-json", "/c/0", 2, 18)]),
        ("x.json", '{"a": 1e999, "b": -1e999,\n "c": ' + "1" * 5_000 + "}", [("not-json", f"/{n}", *at) for n, at in ABC]),
        (
            "x.yaml",
            "a: 1e999\nb: [-1e400]\nc: " + "1" * 5_000,
            [("not-json", "/a", 1, 4), ("not-json", "/b/0", 2, 5), ("not-json", "/c", 3, 4)],
        ),
        (
            "x.yaml",
            "a: !!binary aGk=\nb: !!set {x, y}\nc: !Sub x",
            [("not-json", "/a", 1, 4), ("not-json", "/b", 2, 4), ("not-json", "/c", 3, 4)],
        ),
        ("x.json", "[" * 200_000, [("too-deep", "", 1, 1)]),
        ("x.json", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", [("too-deep", "", 1, 1)]),
        ("x.yaml", "a: " + "[" * 10_000 + "]" * 10_000, [("too-deep", "", 1, 1)]),
        ("x.yaml", "a: 1\nb: &s\n  c: {d: *s}\n", [("syntax", "", 3, 10)]),
    ],
)
def test_what_json_does_not_have_is_a_problem_with_its_place(source: str, text: str, expected: list[Any]) -> None:
    found = read_document(text, source).problems
    assert [(problem.code, problem.pointer, place.line, place.column) for problem, place in found] == expected


def test_a_document_is_read_to_its_end_in_spite_of_its_names() -> None:
    assert read_document("a: 1\na: 2\n3: {b: c}\n", "x.yaml").document == {"a": 2, "3": {"b": "c"}}


def test_a_few_lines_that_stand_for_a_billion_values_are_refused() -> None:
    text = "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    ((problem, _),) = read_document(text, "x.yaml").problems
    assert "more than 1000000 values" in problem.message


def test_a_part_that_holds_itself_is_told_by_its_names_and_lines() -> None:
    ((problem, _),) = read_document("a: 1\nb: &s\n  - [*s]\n", "x.yaml").problems
    assert problem.message == "expected a YAML document: *s stands inside of &s (line 2), which would hold itself without end"
    assert read_document("b: &s [1]\nc: [*s, *s]\n", "x.yaml").problems == []


@pytest.mark.parametrize("text", ['{\n // c\n "a": 1}', '/* c */ {"a": 1}', '{"a": 1, # c\n "b": 2}', '{"a": 1 // c\n}'])
def test_a_comment_in_json_is_told_what_it_is(text: str) -> None:
    ((problem, place),) = read_document(text, "x.json").problems
    assert (problem.code, problem.hint.startswith("JSON has no comments")) == ("syntax", True)
    assert text.splitlines()[place.line - 1][place.column - 1] in "/#"


def test_files_of_a_folder_count_in_the_old_spelling_too_and_broken_ones_are_told(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("startstate: A\nstates: {}\n")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "latin.yaml").write_bytes("Name: caf\u00e9".encode("latin-1"))
    (tmp_path / "records.json").write_text("[1]")
    read = read_files(tmp_path)
    assert [Path(one.source).name for one in read] == ["broken.json", "latin.yaml", "old.yaml"]
    assert [one.problems[0][0].code for one in read if one.problems] == ["syntax", "syntax"]
    assert read[1].problems[0][1] == (1, 10, 11)


def test_a_file_that_is_not_there_or_holds_no_object_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not there"):
        read_files(tmp_path / "nothing.yaml")
    (tmp_path / "empty.yaml").write_text("\n")
    ((problem, place),) = read_files(tmp_path / "empty.yaml")[0].problems
    assert (problem.code, place.line) == ("wrong-type", 1)
