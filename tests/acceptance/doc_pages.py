"""The commands of the documentation, run as a reader runs them.

A page is read from top to bottom. In its fenced blocks a line that begins with ``$ `` is a command, and the lines up to the next one are
what it prints. Two comments before a block say something of it: ``<!-- file: NAME -->`` (the block is that file's content) and
``<!-- not run: why -->``.

What a command prints must have the shown lines, in their order; there may be more. Times, durations, numbers of offsets and ids that SFC
makes may differ, ``…`` stands for anything, and rows of spaces for one. An id that the page shows stands, in later commands, for the one
that was printed there. A command without an answer on the page must succeed; one whose answer has ``error:`` must not.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import textwrap
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from sfc.cli.app import app
from tests.acceptance.processes import Process, Processes, wait_for

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("dev", "gateway", "engine", "trigger", "monitor", "worker", "scheduler")
LOOKS = re.compile(r"sfc (stats|explain|audit|doctor|[a-z-]+ (list|show|history|versions)|demo)\b|curl ")
"""What may be asked again until the answer is there."""
LOOK_S = 60.0
WRONG_USAGE = 2
SHELL_ONLY = re.compile(r"[|<>;&`]|\$\(")
_COMMENT = re.compile(r"^\s*<!-- (file|not run): (.+?) -->\s*$")
ID = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:-\d+-\d+)?\b|\bsfc_[0-9a-f]{12}_[\w-]+"  # also of dead letters; and API keys
_LOOSE = (
    (r"\x1b\[[0-9;]*m", ""),
    (ID, "<id>"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)?", "<time>"),
    (r"\b\d{8}T\d{6}Z\b", "<time>"),
    (r"\b\d\d:\d\d:\d\d\b", "<time>"),
    (r"\b\d+(\.\d+)? (ms|s|min|h|d)\b", "<duration>"),
    (r"\b\d+m \d+s\b", "<duration>"),
    (r"/\d+/\d+/[0-9a-f]{8}\b", "/<job>"),
    (r"-\d+@\d+\b", "-<place>"),
    (r"\b[0-9a-f]{16,}\b", "<hash>"),
    (r"\s+", " "),
)


class File(NamedTuple):
    """A file that the reader is told to save."""

    line: int
    name: str
    text: str


class Command(NamedTuple):
    """A command and what the page says that it prints; ``skipped`` says why it is not run."""

    line: int
    text: str
    shown: list[str]
    skipped: str = ""


class Block(NamedTuple):
    """A fenced block: the number of its first line, its language, its lines, and what comments say of it."""

    line: int
    language: str
    lines: list[str]
    remarks: Mapping[str, str]


def blocks(page: str) -> Iterator[Block]:
    remarks: dict[str, str] = {}
    lines = enumerate(page.splitlines(), 1)
    for number, line in lines:
        if found := _COMMENT.match(line):
            remarks[found[1]] = found[2]
        elif line.strip().startswith("```"):
            body = []
            for _, inner in lines:
                if inner.strip() == "```":
                    break
                body.append(inner)
            yield Block(number + 1, line.strip()[3:], textwrap.dedent("\n".join(body)).splitlines(), remarks)
            remarks = {}
        elif line.strip():
            remarks = {}


def steps(page: str) -> Iterator[File | Command]:
    """What the reader of a page does, in order."""
    for block in blocks(page):
        if name := block.remarks.get("file"):
            yield File(block.line, name, "\n".join(block.lines) + "\n")
            continue
        command: Command | None = None
        for number, line in enumerate(block.lines, block.line):
            if line.startswith("$ "):
                if command:
                    yield command
                command = Command(number, line[2:], [], block.remarks.get("not run", ""))
            elif command and line.strip():
                command.shown.append(line)
        if command:
            yield command


def loose(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, stands_for in _LOOSE:
        line = re.sub(pattern, stands_for, line)
    return line.strip()


class Comparison(NamedTuple):
    """``missing``: the first shown line that was not printed in its place; None when all were. ``ids``: printed ones by shown ones."""

    missing: str | None
    ids: dict[str, str]


def compare(shown: list[str], printed: str) -> Comparison:
    ids: dict[str, str] = {}
    actual = iter(printed.splitlines())
    for line in shown:
        if line.strip() == "…":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in loose(line).split("…")))
        found = next((candidate for candidate in actual if pattern.fullmatch(loose(candidate))), None)
        if found is None:
            return Comparison(line, ids)
        ids |= zip(re.findall(ID, line), re.findall(ID, found), strict=False)
    return Comparison(None, ids)


class Reader:
    """Runs a page's steps in a folder of its own. ``stands_for``: what addresses and names of the page are here. Each ``sfc`` role goes on
    in the background until the page's end; other ``sfc`` commands run in this process, since starting one takes a second."""

    def __init__(self, folder: Path, processes: Processes, settings: Mapping[str, str], stands_for: Mapping[str, str]) -> None:
        self._folder = folder
        self._processes = processes
        self._settings = dict(settings)
        self._stands_for = dict(stands_for)
        self._ids: dict[str, str] = {}
        shutil.copytree(ROOT / "blueprints", folder / "blueprints", dirs_exist_ok=True)
        for file in (folder / "blueprints").rglob("*.yaml"):
            file.write_text(self._here(file.read_text(encoding="utf-8")), encoding="utf-8")

    def follow(self, page: str) -> int:
        """The number of commands that were run. Fails with the page's line where something is not as it says."""
        count = 0
        for step in steps(page):
            if isinstance(step, File):
                file = self._folder / step.name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(self._here(step.text), encoding="utf-8")
            elif not step.skipped:
                self._run(step)
                count += 1
        ended = {process.name: process.log for process in self._processes.all if not process.alive}
        assert not ended, f"did not go on until the page's end: {ended}"
        return count

    def _run(self, step: Command) -> None:
        text = self._here(step.text)
        words = shlex.split(text, comments=True)
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            self._settings[name] = value
        elif words[0] == "sfc" and words[1] in ROLES and words[1:3] != ["monitor", "rebuild"]:
            self._start(step, words)
        else:
            self._compare(step, text, words)

    def _start(self, step: Command, words: list[str]) -> None:
        role = self._processes.start(f"{words[1]}-line-{step.line}", *words[1:], **self._settings)
        if words[1] in ("dev", "gateway"):
            wait_for(f"line {step.line}: {step.text} to be ready", lambda: role.ready, 60)
            self._settings["SFC_URL"] = self._stands_for["http://127.0.0.1:8321"] = role.url
        wait_for(f"line {step.line}: {step.text} printing what is shown", lambda: self._has_said(role, step))

    def _has_said(self, role: Process, step: Command) -> bool:
        assert role.alive, f"line {step.line}: {step.text} ended:\n{role.log}"
        return compare(step.shown, self._there(role.log)).missing is None

    def _compare(self, step: Command, text: str, words: list[str]) -> None:
        wait_for(f"every role's being ready before line {step.line}", lambda: all(role.ready for role in self._processes.all), 60)
        until_s = time.monotonic() + (LOOK_S if LOOKS.match(step.text) else 0)
        while True:
            code, printed = self._sfc(words[1:]) if words[0] == "sfc" and not SHELL_ONLY.search(text) else self._shell(text)
            printed = self._there(printed)
            missing, ids = compare(step.shown, printed)
            refused = any("error:" in line for line in step.shown)
            if missing is None and (code != 0 if refused else code == 0 or step.shown):
                self._ids |= ids
                return
            if time.monotonic() > until_s or code == WRONG_USAGE:
                raise AssertionError(f"line {step.line}: {step.text}\nexit code {code}, shown but not printed: {missing!r}\n{printed}")
            time.sleep(0.2)

    def _sfc(self, words: list[str]) -> tuple[int, str]:
        unset = {name: None for name in os.environ if name.startswith("SFC_")}
        result = CliRunner().invoke(app, words, env={**unset, **self._processes.settings, **self._settings}, prog_name="sfc")
        return result.exit_code, result.output

    def _shell(self, text: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self._folder,
            env={**self._processes.settings, **self._settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout

    def _here(self, text: str) -> str:
        for there, here in (self._stands_for | self._ids).items():
            text = text.replace(there, here)
        return text

    def _there(self, text: str) -> str:
        for there, here in self._stands_for.items():
            text = text.replace(here, there)
        return text
