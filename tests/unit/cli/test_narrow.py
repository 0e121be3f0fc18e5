"""Tables on terminals that are too narrow for them, and in pipes: nothing is left out."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from sfc.cli import output
from sfc.cli.output import Column

Printed = Callable[[int, bool], list[str]]
ID = "order:2025-01-01T00.00.00"
ROWS: list[dict[str, Any]] = [
    {"id": ID, "type": "Parallel", "took": "1 min 30 s", "then": "failed: Oops and nobody caught it", "input": ""},
    {"id": "b", "type": "Task", "took": "", "then": "stopped", "input": '{"paid": true, "lines": [1, 2, 3, 4, 5, 6, 7, 8, 9]}'},
]


def column(title: str, whole: bool = False) -> Column:
    return Column(title, lambda row: str(row[title]), whole=whole)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    """Prints the rows at a width, and gives the lines."""

    def print_them(width: int, terminal: bool) -> list[str]:
        file = io.StringIO()
        console = Console(file=file, width=width, force_terminal=terminal, no_color=True, highlight=False, emoji=False, color_system=None)
        monkeypatch.setattr(output, "console", lambda: console)
        output.print_rows(ROWS, [column("id", True), *map(column, ("type", "took", "then", "input"))], as_json=False, none="")
        return file.getvalue().splitlines()

    return print_them


def test_a_wide_terminal_shows_a_table(printed: Printed) -> None:
    lines = printed(150, True)
    assert lines[1].split() == ["id", "type", "took", "then", "input"]
    assert "failed: Oops and nobody caught it" in lines[3]


def test_on_a_narrow_terminal_each_row_has_lines_of_its_own(printed: Printed) -> None:
    lines = [line.rstrip() for line in printed(40, True)]
    assert lines == [
        f"id: {ID}",
        "type: Parallel",
        "took: 1 min 30 s",
        "then: failed: Oops and nobody caught it",
        "",
        "id: b",
        "type: Task",
        "then: stopped",
        'input: {"paid": true, "lines": [1, 2, 3,',
        "4, 5, 6, 7, 8, 9]}",
    ]


@pytest.mark.parametrize("width", [1, 7, 20, 40, 60, 80, 100])
def test_no_width_loses_a_character(width: int, printed: Printed) -> None:
    told = "".join("".join(printed(width, True)).split())
    for row in ROWS:
        for text in row.values():
            if width < 60:  # where a table is shown the lines of its cells stand side by side
                assert "".join(text.split()) in told
            else:
                assert all(word in " ".join(printed(width, True)) for word in text.split())


def test_a_pipe_has_one_line_for_each_row_however_long_the_ids_are(printed: Printed) -> None:
    lines = printed(20, False)
    assert lines[1].split() == ["id", "type", "took", "then", "input"]
    assert ID in lines[3]
