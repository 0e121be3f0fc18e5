"""The reference says what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sfc_gateway.app import create_app
from typer.main import get_command

from sfc.cli.app import app
from sfc.settings import Settings, env_name
from sfc.wire.problems import KINDS

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"


def commands() -> set[str]:
    found = set()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        verbs = getattr(command, "commands", ())
        found |= {f"{name} {verb}" for verb in verbs}
        if not verbs or command.invoke_without_command:
            found.add(name)
    return found


def test_every_setting_is_in_the_reference_and_the_reference_has_no_other() -> None:
    table = re.findall(r"^\| `(SFC_[A-Z_]+)` \| .+ \| .+ \|$", (REFERENCE / "settings.md").read_text(), re.MULTILINE)
    assert sorted(table) == sorted(env_name(name) for name in Settings.model_fields)


def test_every_command_is_in_the_reference_and_the_reference_has_no_other() -> None:
    documented = re.findall(r"^### `sfc ([a-z -]+)`$", (REFERENCE / "cli.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(commands())


def test_every_option_of_a_command_is_in_the_reference() -> None:
    text = (REFERENCE / "cli.md").read_text()
    missing = []
    for path in commands():
        command = get_command(app)
        for word in path.split():
            command = command.commands[word]  # type: ignore[attr-defined]
        section = text.split(f"### `sfc {path}`\n", 1)[1].split("\n### ", 1)[0]
        options = [o for p in command.params for o in p.opts if o.startswith("--") and o != "--help"]
        missing += [f"{path} {o}" for o in options if o not in section]
    assert missing == []


def test_every_kind_of_problem_is_in_the_reference() -> None:
    found = re.findall(r"`urn:sfc:problem:([a-z-]+)` \| (\d+)", (REFERENCE / "http.md").read_text())
    assert found == [(kind.code, str(kind.status)) for kind in KINDS]


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if not target.startswith("http") and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_problem_says_what_to_do() -> None:
    rows = re.findall(r"^\| `urn:sfc:problem:[a-z-]+` \|([^|]*)\|([^|]*)\|([^|]*)\|$", (REFERENCE / "http.md").read_text(), re.MULTILINE)
    assert [title.strip() for _, title, _ in rows] == [kind.title for kind in KINDS]
    assert all(advice.strip() for _, _, advice in rows)


def test_every_operation_is_in_the_reference() -> None:
    described = create_app(cast("Any", SimpleNamespace(dev=True, registry=None, clock=None, local=True))).openapi()["paths"]
    found = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    text = (REFERENCE / "http.md").read_text()
    documented = set()
    for line in re.findall(r"^\| (`[A-Z]+ /[^|]*) \|", text, re.MULTILINE):
        first, *more = re.findall(r"`([^`]+)`", line)
        documented.add(first)
        documented |= {f"{first.rsplit('/', 1)[0]}{other.removeprefix('…')}" for other in more}
    assert documented == found
