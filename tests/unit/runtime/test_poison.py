"""A command at which decide raises: that one flow fails visibly, the trace is in the log, and the shard goes on (EXACTLY-ONCE 26)."""

from __future__ import annotations

import pytest

from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from tests.poison import DOUBLE, POISON, plant
from tests.unit.runtime.lane_bench import NAMES, Bench, settle


def test_a_poison_record_fails_its_flow_with_the_trace_in_the_log(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    bench.define(BlueprintVersion("double", 1, "h-double", {"StartAt": "S", "States": {"S": DOUBLE}}))
    bench.define(BlueprintHead("double", 1, "enabled", 1))
    lane = bench.lane()
    for n in range(4):
        bench.start(f"double:{n}", {"n": POISON if n == 1 else n})
    bench.run([lane], lambda: len(bench.answers) == 4)
    ended = {a.flow: (a.status, a.error) for a in bench.answers}
    assert ended.pop("double:1") == ("FAILED", "States.Runtime")
    assert set(ended.values()) == {("SUCCEEDED", None)}
    settle(bench, [lane])
    assert not lane.stopped
    out = capsys.readouterr()
    assert "decide-raised" in out.out + out.err
    assert "Traceback" in out.out + out.err
    written = b"".join(record.value or b"" for topic in (NAMES.history, NAMES.state) for record in bench.all(topic))
    assert b"could not decide what comes next: ValueError" in written
    assert b"Traceback" not in written
    lane.close()
