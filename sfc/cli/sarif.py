"""Problems as SARIF 2.1.0, which code scanning services and editors read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sfc import __version__
from sfc.cli.checking import Found
from sfc.cli.problem_codes import CODES

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(found: Sequence[Found], root: Path) -> dict[str, Any]:
    """One run. Files below ``root`` are named relative to it, as code scanning wants them."""
    codes = sorted({f.problem.code for f in found})
    rules = [{"id": code, "shortDescription": {"text": CODES.get(code, code)}} for code in codes]
    driver = {"name": "sfc", "version": __version__, "semanticVersion": __version__, "rules": rules}
    results = [_result(one, codes.index(one.problem.code), root) for one in found]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _result(found: Found, rule: int, root: Path) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(found.file, root)}}
    if found.place is not None:
        line, column, end = found.place
        place["region"] = {"startLine": line, "startColumn": column, "endLine": line, "endColumn": end}
    return {
        "ruleId": found.problem.code,
        "ruleIndex": rule,
        "level": found.problem.severity,
        "message": {"text": found.problem.said()},
        "locations": [
            {"physicalLocation": place, "logicalLocations": [{"fullyQualifiedName": found.problem.pointer or "/", "kind": "object"}]}
        ],
    }


def _uri(file: str, root: Path) -> str:
    path = Path(file).resolve()
    return quote(path.relative_to(root).as_posix()) if path.is_relative_to(root) else path.as_uri()
