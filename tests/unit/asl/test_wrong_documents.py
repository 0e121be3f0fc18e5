"""Wrong documents with several faults each: every fault is found at its line and column, and none is invented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sfc.cli.checking import check, read_all

FOLDER = Path(__file__).parent / "wrong"


def expected() -> dict[str, list[str]]:
    """By the name of the document: ``line:column code``, a ``!`` before an error's code."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / "expected.txt").read_text().splitlines():
        if re.fullmatch(r"[a-z-]+\.(yaml|json)", line):
            faults = found.setdefault(line, [])
        elif line.startswith("  "):
            faults.append(line.strip())
    return found


def test_there_are_twenty_documents_and_all_of_them_are_expected_to_be_wrong() -> None:
    names = {path.name for path in FOLDER.iterdir()} - {"expected.txt"}
    assert len(names) >= 20
    assert set(expected()) == names
    assert all(expected().values())


@pytest.mark.parametrize("name", sorted(expected()))
def test_every_fault_is_found_where_it_is_and_none_is_invented(name: str) -> None:
    found = []
    for one in check(read_all([FOLDER / name])):
        assert one.place is not None
        sign = "!" if one.problem.severity == "error" else ""
        found.append(f"{one.place.line}:{one.place.column} {sign}{one.problem.code}")
        assert one.text.strip() or name == "broken.json"
    assert found == expected()[name]


def test_a_number_beyond_a_double_is_refused_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "beyond.json"
    file.write_text(
        '{"StartAt": "A", "Sfc": {"Name": "beyond"}, "States": {"A": {"Type": "Pass",\n"End": true,'
        '"Parameters": {"v.$": "States.Array(1, 1e400)"}}}}'
    )
    (one,) = check(read_all([file]))
    assert one.place is not None
    assert (one.place.line, one.problem.code, one.problem.pointer) == (2, "bad-path", "/States/A/Parameters/v.$")
    assert "at character 17 of States.Array(1, 1e400), came 1e400" in one.problem.message
