"""Test files beside blueprints: ``NAME.test.yaml`` holds cases for ``NAME.yaml``.

::

    blueprint: blueprint.yaml        # only where it has another name
    cases:
      - name: a paid order is sent
        input: {paid: true}
        now: 2025-06-18T12:00:00Z    # when it starts
        mocks: {Send: [{return: ok}]}
        expect: {status: SUCCEEDED, output: {…}, path: [Receive, Send], error: …, cause: …, history: golden/paid.json}

Of ``expect`` only what is written is compared. A golden history is written by ``write_golden``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from sfc.asl.checks import did_you_mean
from sfc.errors import BadInput, SfcError
from sfc.registry.files import parse_document
from sfc.testing.coverage import Coverage
from sfc.testing.definitions import Loaded, load
from sfc.testing.outcome import Outcome
from sfc.testing.running import run

ENDINGS = (".test.yaml", ".test.yml", ".test.json")
_SUITE = ("blueprint", "cases")
_CASE = ("name", "input", "now", "mocks", "stop_after", "expect")
_EXPECT = ("status", "output", "error", "cause", "path", "written", "history")
_STATUS = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


@dataclass(slots=True)
class Suite:
    """A test file that was read: its blueprint, its cases as they stand in it, and what they covered so far."""

    file: Path
    blueprint: Path
    loaded: Loaded
    cases: list[dict[str, Any]]
    coverage: Coverage


@dataclass(slots=True)
class Result:
    """``problems``: what is not as expected, empty when the case passed. ``took``: real seconds."""

    file: str
    name: str
    problems: list[str] = field(default_factory=list)
    took: float = 0.0
    outcome: Outcome | None = None

    @property
    def passed(self) -> bool:
        return not self.problems


def find_suites(paths: Iterable[Path]) -> list[Path]:
    """Test files among these, and in folders and all below them. Raises BadInput where there are none."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(f for f in path.rglob("*.test.*") if f.name.endswith(ENDINGS) and f.is_file())
            if not below:
                raise BadInput(f"{path} has no test file: files *.test.yaml or *.test.json were expected")
            found += below
        elif not path.exists():
            raise BadInput(f"{path} is not there: a test file, or a folder of them, was expected")
        elif path.name.endswith(ENDINGS):
            found.append(path)
        else:
            beside = next((b for ending in ENDINGS if (b := path.with_name(path.stem + ending)).exists()), None)
            if beside is None:
                raise BadInput(f"{path} is no test file, and {path.stem}.test.yaml is not beside it")
            found.append(beside)
    return list(dict.fromkeys(found))


def load_suite(file: Path) -> Suite:
    """Reads a test file and its blueprint. Raises BadInput that names file and place."""
    try:
        document = parse_document(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as e:
        raise BadInput(f"{file} can't be read: {e}") from e
    _fields(document, _SUITE, str(file))
    cases = document.get("cases")
    if not isinstance(cases, list) or not cases:
        raise BadInput(f"{file}: cases is a list of at least one case, this is {cases!r:.60}")
    names: set[str] = set()
    for number, case in enumerate(cases, 1):
        _check_case(case, f"{file}: case {number}", names)
    blueprint = _blueprint(file, document.get("blueprint"))
    loaded = load(blueprint)
    return Suite(file, blueprint, loaded, cases, Coverage(loaded.document))


def run_suite(suite: Suite) -> Iterator[Result]:
    """Runs the cases, one after another."""
    for case in suite.cases:
        began = perf_counter()
        result = Result(str(suite.file), case["name"])
        try:
            outcome = result.outcome = _outcome(suite, case)
            suite.coverage.add(outcome.history)
            result.problems = differences(case.get("expect") or {}, outcome, suite.file.parent)
        except SfcError as e:
            result.problems = [e.message + (f" ({e.hint})" if e.hint else "")]
        result.took = perf_counter() - began
        yield result


def write_golden(suite: Suite) -> list[Path]:
    """Writes the golden histories that cases name, as they are now. Returns the files that changed."""
    written = []
    for case in suite.cases:
        named = (case.get("expect") or {}).get("history")
        if named is None:
            continue
        path = suite.file.parent / named
        text = json.dumps(_outcome(suite, case).history, ensure_ascii=False, indent=1) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def differences(expected: dict[str, Any], outcome: Outcome, folder: Path) -> list[str]:
    """What of an outcome is not as expected, one sentence each."""
    found = []
    for name in ("status", "error", "cause", "output", "path", "written"):
        came = getattr(outcome, name)
        if name in expected and not _same(expected[name], came):
            found.append(f"{name}: expected {_text(expected[name])}, came {_text(came)}")
    if found and outcome.error is not None and "error" not in expected:
        found.append(f"it ended with {outcome.error}: {outcome.cause or ''}")
    if "history" in expected:
        found += _history_differences(folder / expected["history"], outcome.history)
    return found


def _outcome(suite: Suite, case: dict[str, Any]) -> Outcome:
    now = None if "now" not in case else datetime.fromisoformat(case["now"])
    return run(
        suite.loaded, case.get("input", {}), mocks=case.get("mocks"), now=now, name=_flow_name(case), stop_after=case.get("stop_after")
    )


def _flow_name(case: dict[str, Any]) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in case["name"])[:80]


def _history_differences(golden: Path, history: list[dict[str, Any]]) -> list[str]:
    try:
        expected = json.loads(golden.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as e:
        return [f"history: {golden} can't be read ({e}): `sfc test --update` writes it"]
    for number, (old, new) in enumerate(zip(expected, history, strict=False), 1):
        if not _same(old, new):
            return [f"history: event {number} is {_text(new)}, in {golden} it is {_text(old)}"]
    if len(expected) != len(history):
        return [f"history: {len(history)} events came, {golden} has {len(expected)}"]
    return []


def _same(expected: Any, came: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(expected, bool) or isinstance(came, bool):
        return expected is came
    if isinstance(expected, dict) and isinstance(came, dict):
        return expected.keys() == came.keys() and all(_same(value, came[key]) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(came, list):
        return len(expected) == len(came) and all(map(_same, expected, came))
    return bool(expected == came)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 500 else text[:499] + "…"


def _blueprint(file: Path, named: Any) -> Path:
    if named is not None:
        if not isinstance(named, str):
            raise BadInput(f"{file}: blueprint is a file's name, this is {named!r:.60}")
        return file.parent / named
    stem = file.name[: file.name.rindex(".test.")]
    for suffix in (".yaml", ".yml", ".json"):
        if (beside := file.with_name(stem + suffix)).exists():
            return beside
    raise BadInput(f"{file}: {stem}.yaml is not beside it", hint="name its file: blueprint: FILE")


def _check_case(case: Any, where: str, names: set[str]) -> None:
    _fields(case, _CASE, where)
    name = case.get("name")
    if not isinstance(name, str) or not name:
        raise BadInput(f"{where} has no name: a text was expected, this is {name!r:.60}")
    if name in names:
        raise BadInput(f"{where}: the name {name!r} is here twice")
    names.add(name)
    if "now" in case:
        try:
            datetime.fromisoformat(case["now"])
        except (TypeError, ValueError):
            raise BadInput(f"{where}: now is a time as 2025-06-18T12:00:00Z, this is {case['now']!r:.60}") from None
    expect = case.get("expect") or {}
    _fields(expect, _EXPECT, f"{where}, expect")
    if expect.get("status", "FAILED") not in _STATUS:
        raise BadInput(f"{where}: status is one of {', '.join(_STATUS)}, this is {expect['status']!r:.60}")


def _fields(value: Any, known: tuple[str, ...], where: str) -> None:
    if not isinstance(value, dict):
        raise BadInput(f"{where}: an object with {', '.join(known)} was expected, this is {value!r:.60}")
    for name in value:
        if name not in known:
            raise BadInput(f"{where} has the field {name!r}. {did_you_mean(name, known)}")
