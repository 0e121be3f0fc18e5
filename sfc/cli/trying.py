"""``sfc run``, ``sfc test`` and ``sfc step``: blueprints without any server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sfc.cli import exits
from sfc.cli.context import Json
from sfc.words import fine_duration

if TYPE_CHECKING:
    from datetime import datetime

    from sfc.cli.output import Column
    from sfc.testing.cases import Result, Suite
    from sfc.testing.definitions import Loaded
    from sfc.testing.outcome import Outcome

File = Annotated[Path, typer.Argument(metavar="FILE", help="A blueprint, or any machine in Amazon States Language (YAML or JSON).")]
Input = Annotated[str, typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="What it starts with.")]
MocksFile = Annotated[
    Path | None,
    typer.Option(
        "--mocks", "-m", metavar="FILE", help='Answers by Task state, YAML or JSON: {"Split": [{"throw": {…}}, {"return": {…}}]}.'
    ),
]
Now = Annotated[
    str, typer.Option("--now", metavar="TIME", help="When it starts, as 2025-06-18T12:00:00Z.  [default: now]", show_default=False)
]
CHARACTERS_MAX = 2_000


def run(
    file: File,
    input_text: Input = "{}",
    mocks: MocksFile = None,
    now: Now = "",
    name: Annotated[str, typer.Option("--name", help="The flow's name, as $$.Execution.Name has it.")] = "run",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="With the input and output of each state.")] = False,
    as_json: Json = False,
) -> None:
    """Run a blueprint in memory, with a clock that jumps over every wait. Exit code 1 where it ended badly."""
    from sfc.cli import output
    from sfc.cli.starts import read_input
    from sfc.testing import run as run_in_memory

    given = read_input(input_text)
    outcome = run_in_memory(_loaded(file, "run"), given, mocks=_mocks(mocks), now=_moment(now), name=name)
    if as_json:
        from dataclasses import asdict

        output.print_json(asdict(outcome))
    else:
        _print_path(outcome, verbose=verbose)
        _print_end(outcome)
    if outcome.status != "SUCCEEDED":
        raise typer.Exit(exits.FAILED)


def try_cases(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Test files (*.test.yaml), blueprints that have one, or folders.")],
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML, too.")] = None,
    update: Annotated[bool, typer.Option("--update", help="Write the golden histories that cases name, as they are now.")] = False,
    as_json: Json = False,
) -> None:
    """Run the test files beside blueprints, and show which states and choices they cover. Exit code 1 where a case fails."""
    from sfc.cli import output
    from sfc.errors import SfcError
    from sfc.testing.cases import Result, find_suites, load_suite, run_suite, write_golden

    results: list[Result] = []
    suites: list[Suite] = []
    for file in find_suites(paths):
        try:
            suite = load_suite(file)
            if update:
                for written in write_golden(suite):
                    output.note(f"wrote {written}")
        except SfcError as e:
            results.append(Result(str(file), "(the file itself)", [e.message + (f" ({e.hint})" if e.hint else "")]))
            continue
        suites.append(suite)
        results += run_suite(suite)
    if junit is not None:
        from sfc.testing.junit import write_junit

        write_junit(junit, results)
    if as_json:
        output.print_json_lines([*map(_plain_result, results), *map(_plain_coverage, suites)])
    else:
        _print_results(results, suites)
    if not all(result.passed for result in results):
        raise typer.Exit(exits.FAILED)


def step(
    file: File,
    state: Annotated[str, typer.Option("--state", "-s", help="The state; one within a branch too.")],
    input_text: Input = "{}",
    mock: Annotated[
        str | None,
        typer.Option("--mock", metavar="JSON|@FILE|-", help='A Task\'s answer: {"return": …} or {"throw": {"error": …, "cause": …}}.'),
    ] = None,
    mocks: MocksFile = None,
    retries: Annotated[int, typer.Option("--retries", min=0, help="How many retries are already used up.")] = 0,
    variables: Annotated[
        str, typer.Option("--variables", metavar="JSON|@FILE|-", help='What was assigned before: {"name": value}.')
    ] = "{}",
    now: Now = "",
    as_json: Json = False,
) -> None:
    """Enter one state by itself and show what each of its fields makes of the input. Exit code 1 where it fails uncaught."""
    from sfc.cli import output
    from sfc.cli.starts import read_input
    from sfc.testing import step as step_in_memory

    answers = dict(_mocks(mocks) or {})
    if mock is not None:
        answers[state] = read_input(mock, "--mock")
    assigned = read_input(variables, "--variables")
    if not isinstance(assigned, dict):
        raise typer.BadParameter(f"{variables!r:.60} is no object of names and values", param_hint="'--variables'")
    given = read_input(input_text)
    made = step_in_memory(_loaded(file, "tried"), state, given, mocks=answers, retries=retries, variables=assigned, now=_moment(now))
    if as_json:
        from dataclasses import asdict

        output.print_json(asdict(made))
    else:
        lines: list[tuple[str, str]] = [("status", made.status)]
        previous: Any = object()
        for stage, value in made.stages.items():
            lines.append((stage, "(the same)" if value == previous else _shown(value)))
            previous = value
        if made.status in ("SUCCEEDED", "CAUGHT_ERROR"):
            lines += [("output", _shown(made.output)), ("next", made.next or "(the end)")]
        if made.variables:
            lines.append(("variables", _shown(made.variables)))
        lines += [("error", made.error or ""), ("cause", made.cause or "")]
        if made.retrier is not None:
            lines.append(("retry", f"Retry[{made.retrier}] tries again after {fine_duration((made.retry_seconds or 0) * 1000)}"))
        if made.catcher is not None:
            lines.append(("caught by", f"Catch[{made.catcher}]"))
        output.card(f"{made.state} ({made.kind})", lines)
    if made.status == "FAILED":
        raise typer.Exit(exits.FAILED)


def _loaded(file: Path, done: str) -> Loaded:
    """The definition. Where it is none: all its problems with their lines, as ``sfc validate`` shows them, and BadInput."""
    from sfc.cli.checking import check, read_all
    from sfc.cli.documents import refuse
    from sfc.errors import SfcError
    from sfc.testing.definitions import load

    try:
        return load(file)
    except SfcError:
        found = check(read_all([file])) if file.is_file() else []
        if any(one.problem.severity == "error" for one in found):
            refuse(found, done)
        raise  # there is no such file, or it is another one: a task beside it


def _mocks(file: Path | None) -> Mapping[str, Any] | None:
    from sfc.errors import BadInput
    from sfc.registry.files import parse_document

    if file is None:
        return None
    try:
        document = parse_document(file.read_text(encoding="utf-8"), str(file))
    except OSError as e:
        raise BadInput(f"--mocks names {file}, which can't be read: {e.strerror}") from None
    if not isinstance(document, dict):
        raise BadInput(f"{file}: an object of Task states' names and their answers was expected, this is {document!r:.60}")
    return document


def _moment(text: str) -> datetime:
    from datetime import UTC, datetime

    if not text:
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time: write one as 2025-06-18T12:00:00Z", param_hint="'--now'") from None


def _shown(value: Any) -> str:
    from sfc.cli.output import shortened

    return shortened([value], CHARACTERS_MAX)[1:-1] if isinstance(value, str) else shortened(value, CHARACTERS_MAX)


def _print_path(outcome: Outcome, *, verbose: bool) -> None:
    from dataclasses import asdict

    from sfc.cli.output import Column, print_rows
    from sfc.testing.visits import visits_of

    rows = [{**asdict(visit), "number": n} for n, visit in enumerate(visits_of(outcome.history), 1)]
    columns: list[Column] = [
        Column("#", lambda v: str(v["number"]), "right", "dim"),
        Column("after", lambda v: fine_duration(v["seconds"] * 1000), "right", whole=True),
        Column("state", lambda v: v["state"], whole=True),
        Column("type", lambda v: v["kind"]),
        Column("took", lambda v: "" if v["took"] is None else fine_duration(v["took"] * 1000), "right", whole=True),
        Column("tries", lambda v: str(v["attempts"] or ""), "right"),
        Column("then", lambda v: v["left"]),
    ]
    if verbose:
        columns += [
            Column("input", lambda v: _shown(v["input"])),
            Column("output", lambda v: _shown(v["output"]) if v["done"] else ""),
        ]
    print_rows(rows, columns, as_json=False, none="no state was entered")


def _print_end(outcome: Outcome) -> None:
    from sfc.cli.output import card

    lines = [("status", outcome.status), ("took", f"{fine_duration(outcome.seconds * 1000)} of its own time")]
    if outcome.status == "SUCCEEDED":
        lines.append(("output", _shown(outcome.output)))
    card(outcome.id, [*lines, ("error", outcome.error or ""), ("cause", outcome.cause or "")])


def _plain_result(result: Result) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "file": result.file,
        "case": result.name,
        "passed": result.passed,
        "problems": result.problems,
        "seconds": round(result.took, 6),
        "status": outcome.status if outcome else None,
        "path": outcome.path if outcome else None,
    }


def _plain_coverage(suite: Suite) -> dict[str, Any]:
    of = suite.coverage
    covered = {
        "states": {"entered": sum(of.states.values()), "of": len(of.states)},
        "choices": {"taken": sum(of.ways.values()), "of": len(of.ways)},
        "missed": of.missed,
    }
    return {"blueprint": str(suite.blueprint), "coverage": covered}


def _print_results(results: Iterable[Result], suites: list[Suite]) -> None:
    from sfc.cli import output

    rows = [
        {"file": r.file, "case": r.name, "result": "passed" if r.passed else "FAILED", "took": fine_duration(r.took * 1000)}
        for r in results
    ]
    columns = [_plain("file"), _plain("case"), _plain("result"), _plain("took")]
    output.print_rows(rows, columns, as_json=False, none="no cases")
    for result in results:
        for problem in result.problems:
            output.say(f"{result.file}: {result.name}: {problem}")
    covered = []
    for suite in suites:
        of = suite.coverage
        covered.append(
            {
                "blueprint": str(suite.blueprint),
                "states": f"{sum(of.states.values())} of {len(of.states)}",
                "choices": f"{sum(of.ways.values())} of {len(of.ways)}",
                "missed": ", ".join(of.missed),
            }
        )
    if covered:
        output.print_rows(covered, [_plain("blueprint"), _plain("states"), _plain("choices"), _plain("missed")], as_json=False, none="")
    failed = sum(row["result"] != "passed" for row in rows)
    output.say(f"{len(rows)} case{'s' * (len(rows) != 1)}, {failed} failed")


def _plain(title: str) -> Column:
    from sfc.cli.output import Column

    return Column(title, lambda row: str(row[title]))
