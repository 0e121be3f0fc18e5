"""Results in JUnit's XML, as build servers read it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree as ET

from sfc.testing.cases import Result


def write_junit(path: Path, results: Sequence[Result]) -> None:
    """One test suite for each file. Raises OSError."""
    root = ET.Element("testsuites", _counts(results))
    for file, of_file in groupby(results, key=lambda result: result.file):
        group = list(of_file)
        suite = ET.SubElement(root, "testsuite", {"name": file, **_counts(group)})
        for result in group:
            case = ET.SubElement(suite, "testcase", {"classname": file, "name": result.name, "time": f"{result.took:.3f}"})
            if result.problems:
                failure = ET.SubElement(case, "failure", {"message": _clean(result.problems[0])})
                failure.text = _clean("\n".join(result.problems))
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _counts(results: Sequence[Result]) -> dict[str, str]:
    failed = sum(not result.passed for result in results)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0", "time": f"{sum(r.took for r in results):.3f}"}


def _clean(text: str) -> str:
    """Without what XML can't say."""
    return "".join(c for c in text if c in "\t\n\r" or (" " <= c <= "\ud7ff") or ("\ue000" <= c <= "\ufffd") or c >= "\U00010000")
