"""How many recorded executions and definitions of Step Functions come out the same here: ``python -m tests.conformance``.

``SFC_ASL_CASES`` (or ``--cases``) names a folder with ``executions.jsonl`` and ``definitions.jsonl``; they are not part of this project.
An execution passes when status and output are those recorded (strict), and, where it failed, the error's name; the text of the cause is
judged in a column of its own. In expected values ``<…>`` and the case's own ``placeholders`` match anything.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfc.asl import InvalidBlueprint, validate
from sfc.errors import SfcError
from sfc.testing import run

VARIABLE = "SFC_ASL_CASES"

SKIPPED_EXECUTIONS: dict[str, str] = {}
"""Part of a case's id -> why it can't be judged here."""

SKIPPED_DEFINITIONS = {
    "invalid-task-alias-function": "refused for its Resource: here any URI is one",
    "valid-task-intrisic-function": "CloudFormation fills in its Resource: here a Resource is a text",
    "::test_invalid_integration::": "refused for a service that AWS does not have: here any URI is a Resource",
    "::test_illegal_activity_task::": "refused for an AWS resource: here any URI is a Resource",
}

_ARN = r"arn:[^\s,{}\"]*<[^\s,{}\"]*"  # AWS's own names of things have a place of the record in them: here they have other names
_PLACEHOLDER = re.compile(rf"{_ARN}|<[^<>]*>")


@dataclass
class Verdict:
    """What came of a case. ``error`` and ``cause`` None: there was none to compare. ``said``: what differs, for people."""

    id: str
    category: str
    skipped: str = ""
    passed: bool = False
    error: bool | None = None
    cause: bool | None = None
    said: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Status, output and error name are right."""
        return self.passed and self.error is not False


def matches(expected: Any, actual: Any, placeholders: Iterable[str] = ()) -> bool:
    """Whether a value is the expected one. 1 is 1.0, true is not 1."""
    names = frozenset(placeholders)
    if isinstance(expected, str):
        if expected in names:
            return True
        if not isinstance(actual, str):
            return _PLACEHOLDER.fullmatch(expected) is not None
        return expected == actual or _pattern(expected, names).fullmatch(actual) is not None
    if isinstance(expected, dict):
        if not isinstance(actual, dict) or expected.keys() != actual.keys():
            return False
        return all(matches(value, actual[key], names) for key, value in expected.items())
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(expected) != len(actual):
            return False
        return all(matches(e, a, names) for e, a in zip(expected, actual, strict=True))
    if isinstance(expected, bool) or isinstance(actual, bool) or expected is None:
        return expected is actual
    return bool(expected == actual)


def _pattern(expected: str, names: frozenset[str]) -> re.Pattern[str]:
    wild = "|".join([_PLACEHOLDER.pattern, *(rf"\b{re.escape(n)}\b" for n in names if not n.startswith("<"))])
    parts = re.split(wild, expected)
    return re.compile(".*".join(map(re.escape, parts)), re.DOTALL)


def cause_matches(expected: Any, actual: str | None, placeholders: Iterable[str] = ()) -> bool:
    """A cause that is an object in the record is JSON text in the flow."""
    if isinstance(expected, dict | list) and isinstance(actual, str):
        try:
            actual = json.loads(actual)
        except ValueError:
            return False
    return matches(expected, actual, placeholders)


def judge_execution(case: dict[str, Any]) -> Verdict:
    """Runs one recorded execution with its recorded mocks."""
    verdict = Verdict(case["id"], case["category"], _reason(case["id"], SKIPPED_EXECUTIONS))
    if verdict.skipped:
        return verdict
    expected, names = case["expected"], case.get("placeholders") or ()
    failed = expected["status"] != "SUCCEEDED"
    if failed and "error" in expected:
        verdict.error = False
    if failed and "cause" in expected:
        verdict.cause = False
    mocks = {
        state: [{kind: mock[kind] for kind in ("return", "throw") if kind in mock} for mock in recorded]
        for state, recorded in (case.get("mocks") or {}).items()
    }
    try:
        outcome = run(case["definition"], case["input"], mocks=mocks)
    except InvalidBlueprint as e:
        verdict.said = [f"refused: {p.code} {p.pointer}: {p.said()}" for p in e.problems if p.severity == "error"]
        return verdict
    except SfcError as e:
        verdict.said = [f"{type(e).__name__}: {e.message}"]
        return verdict
    except Exception as e:
        verdict.said = [f"RAISED {type(e).__name__}: {e}"]
        return verdict
    verdict.passed = outcome.status == expected["status"] and (failed or matches(expected.get("output"), outcome.output, names))
    if failed:
        if verdict.error is not None:
            verdict.error = outcome.status == expected["status"] and matches(expected["error"], outcome.error, names)
        if verdict.cause is not None:
            verdict.cause = verdict.error is not False and cause_matches(expected["cause"], outcome.cause, names)
    shown: dict[str, Any] = {"status": outcome.status, "output": outcome.output, "error": outcome.error, "cause": outcome.cause}
    if not verdict.good or verdict.cause is False:
        verdict.said = [f"{key}: expected {_text(expected.get(key))}" for key in shown if key in expected]
        verdict.said += [f"{key}: came {_text(value)}" for key, value in shown.items() if key in expected or value is not None]
    return verdict


def judge_definition(case: dict[str, Any]) -> Verdict:
    """The verdict valid or invalid; ``error`` and ``cause`` are not judged."""
    verdict = Verdict(case["id"], f"definitions/{case['source']}", _reason(case["id"], SKIPPED_DEFINITIONS))
    if verdict.skipped:
        return verdict
    try:
        problems = [problem for problem in validate(case["definition"]) if problem.severity == "error"]
    except Exception as e:
        verdict.said = [f"RAISED {type(e).__name__}: {e}"]
        return verdict
    verdict.passed = case["valid"] == (not problems)
    if not verdict.passed:
        verdict.said = [f"recorded as {'valid' if case['valid'] else 'invalid'}", *(f"{p.code} {p.pointer}: {p.said()}" for p in problems)]
        verdict.said += [str(message.get("message")) for message in case.get("messages") or ()]
    return verdict


def judged(folder: Path) -> tuple[list[Verdict], list[Verdict]]:
    """All executions and all definitions of a folder."""
    executions = [judge_execution(case) for case in _lines(folder / "executions.jsonl")]
    return executions, [judge_definition(case) for case in _lines(folder / "definitions.jsonl")]


def table(verdicts: list[Verdict]) -> str:
    """Pass rates by category, with a line for all of them."""
    rows = [("category", "cases", "skipped", "status+output", "error name", "passed", "cause text")]
    categories = sorted({verdict.category for verdict in verdicts})
    for category in [*categories, "all"]:
        of = [v for v in verdicts if category in (v.category, "all")]
        run_ones = [v for v in of if not v.skipped]
        rates = [
            _rate(run_ones, lambda v: v.passed),
            _rate([v for v in run_ones if v.error is not None], lambda v: bool(v.error)),
            _rate(run_ones, lambda v: v.good),
            _rate([v for v in run_ones if v.cause is not None], lambda v: bool(v.cause)),
        ]
        rows.append((category, str(len(of)), str(len(of) - len(run_ones)), *rates))  # type: ignore[arg-type]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows)


def failures(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    """What did not come out as recorded, and what was not judged, as plain objects."""
    told: list[dict[str, Any]] = []
    for verdict in verdicts:
        if verdict.skipped:
            told.append({"id": verdict.id, "skipped": verdict.skipped})
        elif not verdict.good:
            told.append({"id": verdict.id, "failed": "error name" if verdict.passed else "outcome", "said": verdict.said})
        elif verdict.cause is False:
            told.append({"id": verdict.id, "failed": "cause text", "said": verdict.said})
    return told


def _rate(verdicts: list[Verdict], is_good: Callable[[Verdict], bool]) -> str:
    if not verdicts:
        return "-"
    good = sum(is_good(verdict) for verdict in verdicts)
    return f"{good}/{len(verdicts)} {100 * good / len(verdicts):5.1f} %"


def _reason(case: str, reasons: dict[str, str]) -> str:
    return next((reason for part, reason in reasons.items() if part in case), "")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 1500 else text[:1499] + "…"


def main(arguments: list[str] | None = None) -> int:
    """Prints the tables; 1 when anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--cases", default=os.environ.get(VARIABLE, ""), help=f"folder of the recorded cases (default: {VARIABLE})")
    parser.add_argument("--failures", type=Path, help="file to write what failed and what was skipped to, as JSON Lines")
    parser.add_argument("--only", default="", help="only cases whose id contains this; what failed is printed")
    options = parser.parse_args(arguments)
    if not options.cases:
        parser.error(f"no recorded cases: set {VARIABLE} or give --cases")
    executions, definitions = judged(Path(options.cases))
    executions, definitions = ([v for v in verdicts if options.only in v.id] for verdicts in (executions, definitions))
    told = failures([*executions, *definitions])
    if executions:
        print(table(executions), end="\n\n")
    if definitions:
        print(table(definitions), end="\n\n")
    for reason in sorted({each["skipped"] for each in told if "skipped" in each}):
        print(f"skipped: {sum(each.get('skipped') == reason for each in told)}: {reason}")
    if options.only:
        print(*(json.dumps(each, ensure_ascii=False, indent=1) for each in told), sep="\n")
    if options.failures:
        options.failures.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in told), encoding="utf-8")
    return int(any("failed" in each for each in told))


if __name__ == "__main__":
    sys.exit(main())
