"""The codes of problems: those in the sources, those in the table, those in the reference."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from sfc.cli.problem_codes import CODES, WARNINGS

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "reference" / "problems.md"
CODE = re.compile(r"[a-z]+(-[a-z]+)*").fullmatch
NOTES = ("error", "warning", "add", "Problem", "PathError", "refused", "_twice")


def calls() -> Iterator[tuple[str, str]]:
    """(how it is noted, code) of every problem that is noted under its code's own name."""
    for folder in ("asl", "registry"):
        for path in (ROOT / "sfc" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called not in NOTES:
                    continue
                for argument in node.args[:2]:
                    for part in (argument.body, argument.orelse) if isinstance(argument, ast.IfExp) else (argument,):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str) and CODE(part.value):
                            yield called, part.value
                            break
                    else:
                        continue
                    break


def test_every_code_of_the_sources_is_in_the_table() -> None:
    assert {code for _, code in calls()} - set(CODES) == set()


def test_the_table_has_no_code_that_is_in_no_source() -> None:
    text = "".join(path.read_text() for folder in ("asl", "registry") for path in (ROOT / "sfc" / folder).rglob("*.py"))
    assert [code for code in CODES if f'"{code}"' not in text] == []


def test_warnings_are_the_codes_that_are_noted_as_warnings() -> None:
    assert {code for called, code in calls() if called == "warning"} == WARNINGS
    assert {code for called, code in calls() if called == "error"} & WARNINGS == set()


def test_the_reference_has_the_same_codes_severities_and_words() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|warning) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(code, "warning" if code in WARNINGS else "error", meaning) for code, meaning in CODES.items()]


def test_every_meaning_is_a_sentence() -> None:
    assert [code for code, meaning in CODES.items() if not re.fullmatch(r"[A-Z].*\.", meaning)] == []
