"""The demo over a gateway that is played: its steps, its checks, its deadline; and the records it takes."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sfc.cli import demo
from sfc.cli.demo_checks import Check
from sfc.registry.files import load_documents

FOLDER = Path(__file__).resolve().parents[3] / "blueprints"
ORDERS = FOLDER / "tmall-order"
EXPECTED: dict[str, Any] = json.loads((ORDERS / "expected.json").read_text())


class Gateway:
    """SFC as it should be: it has done at once whatever may be done. ``lost``: the last so many flows of version 2 are forgotten."""

    url = "http://127.0.0.1:1"

    def __init__(self, lost: int = 0) -> None:
        self.calls: list[str] = []
        self.version = 0
        self.paused = False
        self.redriven = False
        self.published: list[tuple[int, list[bytes]]] = []
        self.lost = lost

    def publish(self, values: list[bytes]) -> None:
        self.calls.append("publish")
        self.published.append((self.version, values))

    def deploy(self, documents: Any) -> list[dict[str, Any]]:
        self.calls.append("deploy")
        self.version += 1
        named = [("task", d["Name"]) if "Name" in d else ("blueprint", d["Sfc"]["Name"]) for _, d in documents]
        return [{"kind": kind, "name": name, "version": self.version if kind == "blueprint" else 1} for kind, name in named]

    def pause_blueprint(self, name: str, reason: str = "") -> dict[str, Any]:
        self.calls.append("pause")
        self.paused = True
        return {}

    def resume_blueprint(self, name: str) -> dict[str, Any]:
        self.calls.append("resume")
        self.paused = False
        return {}

    def blueprint(self, name: str) -> dict[str, Any]:
        return {"status": "paused" if self.paused else "enabled"}

    def flow(self, flow: str) -> dict[str, Any]:
        return {"flow": flow, "status": "FAILED", "error": "OutOfStock", "cause": "nothing is left"}

    def redrive(self, flow: str) -> dict[str, Any]:
        self.calls.append(f"redrive {flow}")
        self.redriven = True
        return {}

    def stats(self) -> dict[str, Any]:
        resumed = "resume" in self.calls
        versions = [version for version, _ in self.published if version == 1 or resumed]
        blueprints = [self._version(version, resumed) for version in versions]
        return {"blueprints": blueprints, "dead_letters": EXPECTED["dead_letters"] if versions else {}}

    def _version(self, version: int, resumed: bool) -> dict[str, Any]:
        flows = dict(EXPECTED["after_redrive" if self.redriven else "before_redrive"][str(version)])
        if not resumed:
            flows["RUNNING"] = flows.pop("SUCCEEDED")
        if version == 2:
            flows["SUCCEEDED"] -= self.lost
        retries = EXPECTED["retries"][str(version)]
        states = [
            {"state": name, "entered": entered, "retries": retries.get(name, 0), "mean_ms": 1.0, "p95_ms": 2.0}
            for name, entered in EXPECTED["entered"][str(version)].items()
        ]
        return {"blueprint": "tmall-order", "version": version, "flows": flows, "paused": 1, "states": states}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "POLL_S", 0.001)
    monkeypatch.setattr(demo, "STANDSTILL_S", 0.002)


def play(gateway: Gateway, deadline_s: float = 5.0) -> tuple[int, str]:
    told = io.StringIO()
    code = demo.run(gateway, Console(file=told, width=160), gateway.publish, FOLDER, deadline_s)
    return code, told.getvalue()


def test_the_steps_come_in_order_and_all_checks_agree() -> None:
    gateway = Gateway()
    code, told = play(gateway)
    assert gateway.calls == ["deploy", "publish", "pause", "deploy", "publish", "resume", "redrive tmall-order:T880140"]
    assert [len(values) for _, values in gateway.published] == [150, 150]
    assert "✗" not in told
    assert "checks agree with expected.json" in told
    assert code == 0


def test_its_end_names_only_what_can_be_done() -> None:
    _, told = play(Gateway())
    assert "sfc flows" not in told.split("where to look next")[1]
    assert "sfc demo --keep" in told
    told_by = io.StringIO()
    gateway = Gateway()
    demo.run(gateway, Console(file=told_by, width=160), gateway.publish, FOLDER, 5.0, kept="sfc dev --data kept")
    end = told_by.getvalue().split("where to look next")[1]
    assert "  sfc dev --data kept\n" in end
    assert "sfc flows history tmall-order:T880140" in end


def test_a_number_that_differs_is_named_and_fails_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPECTED["entered"]["2"], "Send", 134)
    code, told = play(Gateway())
    assert "✗ states @2 entered: Send: 135 expected, 134 found\n" in told
    assert "1 of 18 checks differ" in told
    assert code == 1


def test_the_deadline_says_what_was_awaited_and_what_came() -> None:
    code, told = play(Gateway(lost=2), deadline_s=0.2)
    assert "✗ 0.2 s are over: awaited all 299 flows to end; there are 297 started, 0 running" in told
    assert code == 1


def test_flows_of_an_earlier_demo_are_not_counted_as_this_ones() -> None:
    gateway = Gateway()
    gateway.published.append((1, []))
    code, told = play(gateway)
    assert gateway.calls == []
    assert "✗ flows of an earlier demo: 0 expected, 149 found" in told
    assert code == 1


def test_a_difference_names_only_what_differs() -> None:
    assert Check("x", {"A": 1, "B": 2}, {"A": 1, "C": 3}).difference == "B: 2 expected, 0 found; C: 0 expected, 3 found"
    assert Check("x", 1, 2).difference == "1 expected, 2 found"
    assert Check("x", {"A": 1}, {"A": 1}).ok


def test_the_records_and_what_is_expected_of_them_are_made_byte_for_byte(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_orders", ORDERS / "make_orders.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write(tmp_path)
    for name in ("orders.jsonl", "expected.json"):
        assert (tmp_path / name).read_bytes() == (ORDERS / name).read_bytes(), name


def test_the_folder_of_the_blueprint_deploys_its_first_version_only() -> None:
    documents = [d for _, d in load_documents(ORDERS)]
    blueprints = [d for d in documents if "States" in d]
    assert len(documents) == 6
    assert [("Label" in d["States"], d["Sfc"]["Name"]) for d in blueprints] == [(False, "tmall-order")]
    ((_, edit),) = load_documents(ORDERS / "_edits" / "label.yaml")
    assert "Label" in edit["States"]
    assert edit["Sfc"] == blueprints[0]["Sfc"]


def test_the_folder_of_all_examples_names_nothing_twice() -> None:
    names = [("States" in d, d["Sfc"]["Name"] if "States" in d else d["Name"]) for _, d in load_documents(FOLDER)]
    assert sorted(names) == sorted(set(names))
