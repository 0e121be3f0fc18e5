"""Every command of the README and the guide does what the page says. How pages are read: doc_pages.py."""

from __future__ import annotations

import os
import re
import sys
import uuid
from pathlib import Path

import pytest

from tests.acceptance.doc_pages import ROOT, File, Reader, blocks, compare, steps
from tests.acceptance.processes import Processes, environment

PAGES = ["README.md", *sorted(f"docs/guide/{page.name}" for page in (ROOT / "docs" / "guide").glob("*.md"))]
SERVICES = {
    "localhost:9092": "kafka",
    "http://localhost:9200": "elasticsearch",
    "postgresql://sfc:PASSWORD@localhost:5432/sfc": "postgresql",
}
COMMAND_WORDS = re.compile(r"^(\$ )?(sfc|make|export|curl|kafka-topics\.sh|createdb|createuser|echo|pip|uv) ")

TOPICS_SH = """#!{python}
# What the pages need of Kafka's kafka-topics.sh: --create --topic NAME --partitions N.
import sys
from confluent_kafka.admin import AdminClient, NewTopic
given = dict(zip(sys.argv[1:], sys.argv[2:]))
admin = AdminClient({{"bootstrap.servers": given["--bootstrap-server"]}})
made = admin.create_topics([NewTopic(given["--topic"], int(given["--partitions"]), 1)])
for topic, done in made.items():
    done.result(20)
    print(f"Created topic {{topic}}.")
"""


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_does_what_the_page_says(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    stands_for = {there: str(request.getfixturevalue(fixture)) for there, fixture in SERVICES.items() if there in page}
    unique = f"docs-{uuid.uuid4().hex[:8]}"
    if "localhost:9092" in stands_for:
        stands_for["order_created"] = f"{unique}.order_created"
    tools, folder = tmp_path / "bin", tmp_path / "shop"
    for made in (tools, folder):
        made.mkdir()
    stands_for["~/shop"] = str(folder)
    (folder / "greet.py").write_text(next(step.text for step in steps((ROOT / "README.md").read_text()) if isinstance(step, File)))
    script = tools / "kafka-topics.sh"
    script.write_text(TOPICS_SH.format(python=sys.executable))
    script.chmod(0o755)
    settings = environment(
        SFC_PORT="0",
        SFC_DATA=str(folder / ".sfc"),
        SFC_SHARDS="4",
        SFC_NAMESPACE=unique if "localhost:9092" in stands_for else "sfc",
        COLUMNS="180",
        PATH=os.pathsep.join((str(tools), str(Path(sys.executable).parent), os.environ["PATH"])),
    )
    monkeypatch.chdir(folder)
    with Processes(folder, settings) as processes:
        assert Reader(folder, processes, settings={}, stands_for=stands_for).follow(page) > 0, "a page of the guide without a command"


@pytest.mark.parametrize("name", PAGES)
def test_no_command_stands_in_a_page_without_being_run_or_saying_why(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    unmarked = [
        f"line {number}: {line}"
        for block in blocks(page)
        if not block.remarks
        for number, line in enumerate(block.lines, block.line)
        if COMMAND_WORDS.match(line) and not line.startswith("$ ") and not any(one.startswith("$ ") for one in block.lines)
    ]
    assert unmarked == [], "write `$ ` before a command, or <!-- not run: why --> before its block"


def test_what_is_shown_is_compared_line_by_line_without_times_and_ids() -> None:
    printed = " flow   status\n a:1    SUCCEEDED   15:27:03   883 ms\n b:2    FAILED      15:27:04   2.6 s\n"
    assert compare([" a:1   SUCCEEDED   11:11:11   1 ms", "…", " b:2 FAILED … "], printed).missing is None
    assert compare([" a:1   FAILED   11:11:11   1 ms"], printed).missing == " a:1   FAILED   11:11:11   1 ms"
    assert compare([" b:2 FAILED …", " a:1 SUCCEEDED …"], printed).missing == " a:1 SUCCEEDED …", "in another order"


def test_an_id_that_a_page_shows_stands_for_the_one_that_was_printed() -> None:
    shown, printed = (f"{head}1feb7-ccfa-7784-9246-db42a6ff4944-1-13" for head in ("01a", "fff"))
    assert compare([f" {shown} not-json"], f" {printed}   not-json\n") == (None, {shown: printed})
