"""The repository keeps its own house rules."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("sfc", "workers/sfc_workers", "gateway/sfc_gateway", "scheduler/sfc_scheduler")
SKIPPED = {".git", ".hypothesis", ".venv", ".venv-uv", ".sfc", ".bench", ".cache", "node_modules", "dist", "build", "__pycache__"}
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".jsonl", ".lock", ".sh", ".xml", ".ini", ".mako", ".html", ".js", ""}
SOURCE = {".py", ".sh", ".js", ".html"}
LINES_MAX = 500


def files(suffixes: set[str]) -> list[Path]:
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        hidden = any(p in SKIPPED or p.endswith(("_cache", ".egg-info")) for p in parts)
        if not hidden and path.is_file() and path.suffix in suffixes:
            found.append(path)
    return found


def test_no_source_file_is_longer_than_500_lines() -> None:
    long = {str(p.relative_to(ROOT)): n for p in files(SOURCE) if (n := len(p.read_text().splitlines())) > LINES_MAX}
    assert long == {}


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    # Put together here, so that this file does not find itself.
    places = re.compile("|".join(["/" + "work/", "/" + "root/", "/home/" + r"\w+/", "/opt/" + "wheels", "/" + r"Users/\w+"]))
    found = [f"{p.relative_to(ROOT)}: {m.group()}" for p in files(TEXT) if (m := places.search(p.read_text(errors="replace")))]
    assert found == []


def test_the_locks_hold_hashes_and_no_addresses() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|file:|--index-url|--find-links|@ ", text), name


def test_the_lock_holds_every_dependency_of_the_project() -> None:
    import tomllib

    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert {re.split(r"[^A-Za-z0-9._-]", w)[0].lower() for w in wanted} <= locked


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_what_it_is_for(package: str) -> None:
    silent = []
    for directory in [ROOT / package, *(ROOT / package).rglob("*")]:
        if not directory.is_dir() or directory.name in SKIPPED or not any(directory.glob("*.py")):
            continue
        init = directory / "__init__.py"
        if init.exists() and not ast.get_docstring(ast.parse(init.read_text())):
            silent.append(str(directory.relative_to(ROOT)))
    assert silent == []
