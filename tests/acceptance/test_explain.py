"""`sfc explain` and `sfc audit` as users run them, against `sfc dev` in memory and on Kafka."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from tests.acceptance.dev_process import Dev, dev, sfc
from tests.acceptance.processes import wait_for

BLUEPRINT = {
    "StartAt": "Greet",
    "States": {
        "Greet": {"Type": "Task", "Resource": "task:greet", "Next": "Ask"},
        "Ask": {"Type": "Task", "Resource": "signal:go", "End": True},
    },
    "Sfc": {"Name": "visit"},
}
TASK = {"Name": "greet", "Scale": {"Min": 0, "Max": 1, "Module": "shop.greeting"}}


def folder(tmp_path: Path) -> str:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "visit.json").write_text(json.dumps(BLUEPRINT))
    (tmp_path / "shop" / "greet.json").write_text(json.dumps(TASK))
    return str(tmp_path / "shop")


def explained(running: Dev, tmp_path: Path) -> None:
    """Deploys, starts, and asks why; then pauses and asks again."""
    assert running.sfc("deploy", folder(tmp_path)).code == 0
    assert running.sfc("start", "visit", "--id", "v1", "--input", "{}").code == 0
    wait_for("the flow being known", lambda: running.sfc("flows", "show", "visit:v1").code == 0)
    shown = running.sfc("explain", "visit:v1")
    assert shown.code == 0, shown.err
    assert "visit:v1 is RUNNING, visit@1" in shown.out
    assert "nobody consumes" in shown.out
    assert "do: sfc worker shop.greeting" in shown.out
    assert running.sfc("flows", "pause", "visit:v1", "--reason", "lunch").code == 0

    def codes() -> list[str]:
        return [reason["code"] for reason in running.sfc("explain", "visit:v1", "--json").document()["reasons"]]

    wait_for("the pause being told", lambda: codes() == ["paused", "no-consumer"])
    missing = running.sfc("explain", "visit:v2")
    assert missing.code == 4
    assert "there is no flow visit:v2" in missing.err


def test_a_flow_is_explained_in_memory(tmp_path: Path) -> None:
    with dev("--memory", SFC_DATA=str(tmp_path / "data")) as running:
        explained(running, tmp_path)


def test_a_flow_is_explained_on_kafka_and_the_log_is_sound(kafka: str, tmp_path: Path) -> None:
    settings = {
        "SFC_NAMESPACE": f"explain-{uuid.uuid4().hex[:8]}",
        "SFC_KAFKA": kafka,
        "SFC_DATA": str(tmp_path / "data"),
        "SFC_SHARDS": "2",
    }
    with dev(**settings) as running:
        explained(running, tmp_path)
        report = sfc("audit", "--json", SFC_NAMESPACE=settings["SFC_NAMESPACE"], SFC_KAFKA=kafka).document()
    assert (report["clean"], report["flows"], report["open"]) == (True, 1, 1)
