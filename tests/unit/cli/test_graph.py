"""``sfc graph``: pictures of blueprints and of flows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sfc.asl.graph import read_graph
from sfc.cli import context
from sfc.cli.app import app
from sfc.cli.graph import drawn, statuses_of
from sfc.cli.graph_layout import GAP_X, Box, Layout, Wish, lay_out

ROOT = Path(__file__).resolve().parents[3]
ORDER = ROOT / "blueprints" / "tmall-order" / "blueprint.yaml"
IMAGE = ROOT / "docs" / "images" / "tmall-order.svg"
SVG = "{http://www.w3.org/2000/svg}"


def order() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(ORDER.read_text())
    return document


def test_the_picture_in_the_docs_is_the_present_one() -> None:
    assert drawn(order(), "tmall-order", "svg") == IMAGE.read_text(), f"sfc graph {ORDER.relative_to(ROOT)} -o {IMAGE.relative_to(ROOT)}"


def test_the_picture_of_a_flow_in_the_docs_is_the_present_one() -> None:
    events = [entered("Receive"), left("Receive"), entered("Paid?"), left("Paid?"), entered("Split"), {"type": "ExecutionFailed"}]
    picture = drawn(order(), "tmall-order:T880140 · tmall-order@1 · FAILED", "svg", statuses_of(events))
    assert picture == (IMAGE.parent / "flow.svg").read_text()


def test_the_outline_in_the_guide_is_the_present_one() -> None:
    assert drawn(order(), "tmall-order", "text").strip() in (ROOT / "docs" / "guide" / "diagrams.md").read_text()


def test_the_picture_is_whole_and_names_every_state() -> None:
    picture = ElementTree.fromstring(drawn(order(), "a <b> & c", "svg"))
    texts = [element.text for element in picture.iter(f"{SVG}text")]
    assert "a <b> & c" in texts
    assert {node.name for node in read_graph(order()).every_node()} <= set(texts)
    assert "$.paid" in texts


def overlap(one: Box, other: Box) -> bool:
    return abs(one.x - other.x) * 2 < one.width + other.width - 0.1 and abs(one.y - other.y) * 2 < one.height + other.height - 0.1


def crossed(layout: Layout, route: list[tuple[float, float]], own: set[int]) -> list[int]:
    """Boxes that an edge's bends lie in."""
    inside = [n for n, b in enumerate(layout.places) for x, y in route if abs(x - b.x) * 2 < b.width and abs(y - b.y) * 2 < b.height - 0.1]
    return [n for n in inside if n not in own]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 14).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=24))
    )
)
def test_boxes_never_overlap_and_edges_pass_beside_them(machine: tuple[int, list[tuple[int, int]]]) -> None:
    count, pairs = machine
    wishes = [Wish(a, b, (40.0, 14.0) if (a + b) % 3 == 0 else (0.0, 0.0)) for a, b in dict.fromkeys(pairs)]
    layout = lay_out([(60.0 + 20 * (n % 4), 44.0 if n % 5 else 120.0) for n in range(count)], wishes)
    for n, box in enumerate(layout.places):
        assert box.x - box.width / 2 >= -0.1
        assert box.x + box.width / 2 <= layout.width + 0.1
        assert box.y + box.height / 2 <= layout.height + 0.1
        assert not [m for m in range(n) if overlap(box, layout.places[m])]
    for wish, route in zip(wishes, layout.routes, strict=True):
        assert crossed(layout, route, {wish.source, wish.target}) == []


def test_states_in_a_row_stand_below_one_another() -> None:
    layout = lay_out([(60.0, 40.0), (100.0, 40.0), (80.0, 40.0)], [Wish(0, 1), Wish(1, 2)])
    assert len({round(box.x, 3) for box in layout.places}) == 1
    assert [box.y for box in layout.places] == sorted(box.y for box in layout.places)


def test_two_ways_out_of_a_state_stand_side_by_side() -> None:
    layout = lay_out([(60.0, 40.0), (100.0, 40.0), (80.0, 40.0)], [Wish(0, 1), Wish(0, 2)])
    left, right = layout.places[1:]
    assert (left.y, right.x - left.x) == (right.y, 90 + GAP_X)


def test_mermaid_has_subgraphs_and_quotes_what_it_must() -> None:
    document = order()
    document["States"]["Paid?"]["Choices"][0] = {"Variable": "$.a", "StringEquals": 'x"<y>', "Next": "Split"}
    text = drawn(document, "", "mermaid", {"Receive": "done", "Split": "current"})
    assert text.startswith("flowchart TD\n")
    assert 's4["Fulfil"]' in text
    assert '  begin((" ")) --> s1\n' in text
    assert '    s5 --> s4b1stop(((" ")))\n' in text
    assert text.count("subgraph") == text.count("end\n") == 3
    assert '-->|"$.a = #quot;x\\#quot;#lt;y#gt;#quot;"| s3' in text
    assert re.search(r"class s1 done\n", text)
    assert re.search(r"class s3 current\n", text)


def test_dot_has_clusters_and_edges_to_them() -> None:
    text = drawn(order(), "tmall-order", "dot", {"Receive": "done"})
    assert text.startswith('digraph "tmall-order" {\n')
    assert text.count("{") == text.count("}")
    assert "subgraph cluster_s4_2 {" in text
    assert "s3 -> s4 [lhead=cluster_s4];" in text
    assert 'label="✓ Receive\\ntask:order-receive"' in text


def test_text_has_a_line_for_each_state_in_the_order_of_the_way() -> None:
    lines = drawn(order(), "tmall-order", "text", {"Receive": "done"}).splitlines()
    assert lines[0] == "tmall-order"
    assert [line.strip().split("  ")[0] for line in lines[2:]] == [
        "✓ Receive", "Paid?", "Split", "Fulfil", "branch 1", "Pick", "branch 2", "Invoice", "Send", "Done", "Unpaid",
    ]  # fmt: skip
    assert "$.paid → Split   else → Unpaid" in lines[3]


def test_the_format_follows_the_name_of_the_output(tmp_path: Path) -> None:
    for name, begin in (("a.svg", "<svg "), ("a.dot", "digraph"), ("a.mmd", "flowchart"), ("a.txt", "tmall-order")):
        result = CliRunner().invoke(app, ["graph", str(ORDER), "-o", str(tmp_path / name)])
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / name).read_text().startswith(begin)


@pytest.mark.parametrize("name", ["a.png", "a.PDF", "a.jpeg"])
def test_a_form_that_can_not_be_drawn_is_refused(tmp_path: Path, name: str) -> None:
    result = CliRunner().invoke(app, ["graph", str(ORDER), "-o", str(tmp_path / name)])
    assert result.exit_code == 3
    assert f"ends in {Path(name).suffix}, and .svg, .dot, .gv, .mmd, .mermaid, .txt are what can be drawn" in result.stderr
    assert not (tmp_path / name).exists()
    assert CliRunner().invoke(app, ["graph", str(ORDER), "--format", "text", "-o", str(tmp_path / name)]).exit_code == 0


def test_a_file_that_is_no_blueprint_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("States: [\n")
    (tmp_path / "task.yaml").write_text("Name: t\n")
    for name, said in (("bad.yaml", "bad.yaml:2:1: error: expected a YAML document"), ("task.yaml", "no blueprints, one was expected")):
        result = CliRunner().invoke(app, ["graph", str(tmp_path / name)])
        assert (result.exit_code, said in result.stderr) == (3, True), result.stderr
    assert CliRunner().invoke(app, ["graph"]).exit_code == 2


def entered(state: str, branch: int = 0) -> dict[str, Any]:
    return {"type": "StateEntered", "state": state, "branch": branch}


def left(state: str, branch: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": "StateExited", "state": state, "branch": branch, **more}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([entered("A"), left("A"), entered("B")], {"A": "done", "B": "current"}),
        ([entered("A"), left("A", caught="E"), entered("B"), {"type": "WaitStarted", "branch": 0}], {"A": "failed", "B": "waiting"}),
        ([entered("A"), {"type": "RetryScheduled", "branch": 0}], {"A": "waiting"}),
        (
            [entered("A"), {"type": "RetryScheduled", "branch": 0}, {"type": "TaskScheduled", "branch": 0, "task": "task:a@1"}],
            {"A": "current"},
        ),
        ([entered("A"), {"type": "TaskScheduled", "branch": 0, "task": "signal:ok"}], {"A": "waiting"}),
        (
            [entered("P"), entered("B", 1), entered("C", 2), left("B", 1), {"type": "ExecutionFailed"}],
            {"P": "failed", "B": "done", "C": "failed"},
        ),
        ([entered("A"), {"type": "ExecutionSucceeded"}], {"A": "done"}),
        ([entered("A"), left("A"), entered("B"), left("B"), entered("A")], {"A": "current", "B": "done"}),
    ],
)
def test_a_history_tells_where_a_flow_is(events: list[dict[str, Any]], expected: dict[str, str]) -> None:
    assert statuses_of(events) == expected


def test_a_paused_flow_waits() -> None:
    assert statuses_of([entered("A"), left("A"), entered("B")], paused=True) == {"A": "done", "B": "waiting"}


class Gateway:
    """A gateway with one flow."""

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def flow(self, flow: str) -> dict[str, Any]:
        return {"flow": flow, "blueprint": "tmall-order", "version": 2, "status": "RUNNING"}

    def blueprint(self, name: str, version: int) -> dict[str, Any]:
        assert (name, version) == ("tmall-order", 2)
        return {"document": order()}

    def history(self, _flow: str) -> list[dict[str, Any]]:
        return [entered("Receive"), left("Receive"), entered("Paid?")]


def test_a_flow_is_drawn_on_the_version_that_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "client", Gateway)
    result = CliRunner().invoke(app, ["graph", "--flow", "tmall-order:1"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("tmall-order:1 · tmall-order@2 · RUNNING\n")
    assert "✓ Receive" in result.stdout
    assert "▶ Paid?" in result.stdout
    picture = CliRunner().invoke(app, ["graph", "--flow", "tmall-order:1", "--format", "svg"]).stdout
    assert picture.count('class="faded"') == 7
