"""What the commands print: tables and cards for people, JSON for programs. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sfc.cli.pipes import ReaderGone

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_COLUMNS = 200
COLUMN_GAP = 3
CUT_COLUMNS = 12  # what a column gets at least that may be cut into lines
STATUS_STYLES = {
    "RUNNING": "cyan",
    "SUCCEEDED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "ABORTED": "magenta",
    "PAUSED": "yellow",
    "enabled": "green",
    "paused": "yellow",
    "disabled": "red",
    "draft": "dim",
    "retired": "dim",
}


class Column(NamedTuple):
    """A column of a table: its title, the text of a row, and how it is set."""

    title: str
    text: Callable[[Mapping[str, Any]], str]
    justify: str = "left"
    style: str = ""
    whole: bool = False  # never cut: ids, which people copy


@cache
def _stream(error: bool) -> Console:
    """Without a terminal: no colours, and wide enough that nothing a script reads is folded. No emoji: ids have colons."""
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            """rich would exit with 1."""
            raise ReaderGone

    terminal = (sys.stderr if error else sys.stdout).isatty()
    return Quiet(stderr=error, width=None if terminal else PIPE_COLUMNS, highlight=False, emoji=False, soft_wrap=not terminal)


def console() -> Console:
    return _stream(False)


def error_console() -> Console:
    return _stream(True)


def say(text: str) -> None:
    """A line for people; markup is not read."""
    console().print(text, markup=False)


def warn(text: str) -> None:
    """A line on stderr, without rich: it may be the only thing that is printed."""
    print(f"warning: {text}", file=sys.stderr)


def note(text: str) -> None:
    """A line on stderr beside a result: worth knowing, and nothing is wrong."""
    print(f"note: {text}", file=sys.stderr)


def print_json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, default=str, indent=2 if sys.stdout.isatty() else None))


def print_json_lines(rows: Iterable[Any]) -> None:
    for row in rows:
        print(json.dumps(row, ensure_ascii=False, default=str), flush=True)


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, as_json: bool, none: str) -> None:
    """A list: a table, or JSON Lines. ``none``: what to say where there is nothing. On a terminal that is too narrow for the table each
    row is a few lines, since columns without room would be left out."""
    if as_json:
        print_json_lines(rows)
    elif rows:
        needed, shown = _width(rows, columns), console()
        if needed > shown.width and shown.is_terminal:
            _print_apart(rows, columns)
        else:
            shown.width = max(needed, shown.width)  # a pipe has no width of its own
            shown.print(table(rows, columns))
    else:
        error_console().print(none, markup=False)


def _width(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> int:
    """In which a table loses nothing: a column that may be cut into lines needs a few characters."""
    from rich.cells import cell_len

    needed = 2 - COLUMN_GAP  # at both ends, and between columns
    for column in columns:
        longest = max((cell_len(line) for row in rows for line in column.text(row).splitlines()), default=0)
        title = cell_len(column.title)
        needed += COLUMN_GAP + max(title, longest if column.whole else min(longest, CUT_COLUMNS))
    return needed


def _print_apart(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """Each row by itself, a line for each column that has something to say."""
    from rich.text import Text

    for number, row in enumerate(rows):
        if number:
            console().print()
        for column in columns:
            if text := column.text(row):
                title = (f"{column.title}: ", "bold") if column.title else ""
                console().print(Text.assemble(title, _styled(text, Text)), overflow="fold")


class Bar(NamedTuple):
    """Moves a bar: on by a count, or to a place, where the total may grow."""

    advance: Callable[[int], None]
    move: Callable[[int, int], None]  # done, total


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Bar]:
    """A bar on a terminal while something takes a while; gone when it is done. ``total`` None: not known yet."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    shown = error_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=shown, disable=total in (0, 1) or not shown.is_terminal, transient=True) as bars:
        bar = bars.add_task(description, total=total)
        yield Bar(lambda count: bars.advance(bar, count), lambda done, of: bars.update(bar, completed=done, total=of))


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column.title, justify=column.justify, style=column.style, no_wrap=column.whole, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        made.add_row(*(_styled(column.text(row), Text) for column in columns))
    return made


def _styled(text: str, make: Any) -> Any:
    return make(text, style=STATUS_STYLES.get(text.split(",", maxsplit=1)[0].split(" ", maxsplit=1)[0], ""))


def card(title: str, lines: Iterable[tuple[str, str]]) -> None:
    """Names and values of one thing; empty values are left out."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in lines:
        if value:
            grid.add_row(name, _styled(value, Text))
    console().print(Text(title, style="bold"))
    console().print(grid)


def local_time(time_ms: Any) -> str:
    """Milliseconds since 1970, or RFC 3339, in local time: today's without the date, this year's without the year."""
    if not time_ms:
        return ""
    if isinstance(time_ms, str):
        try:
            moment = datetime.fromisoformat(time_ms).astimezone()
        except ValueError:
            return time_ms
    else:
        moment = datetime.fromtimestamp(time_ms / 1000).astimezone()
    now = datetime.now().astimezone()
    if moment.date() == now.date():
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%m-%d %H:%M:%S" if moment.year == now.year else "%Y-%m-%d %H:%M")


def shortened(value: Any, characters_max: int = 100) -> str:
    """A value as JSON on one line, cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"
