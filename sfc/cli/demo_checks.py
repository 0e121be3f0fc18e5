"""What the demo has to find: its numbers beside the expected ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


class Snapshot(NamedTuple):
    """The statistics of one moment. ``flows``: how many by version and status; ``states``: by version, each state's numbers."""

    flows: Mapping[int, Mapping[str, int]]
    paused: int
    states: Mapping[int, Sequence[Mapping[str, Any]]]
    dead_letters: Mapping[str, int]

    def started(self, version: int | None = None) -> int:
        """Flows of a version, or of all."""
        return sum(sum(count.values()) for v, count in self.flows.items() if version in (None, v))

    def count(self, *statuses: str) -> int:
        return sum(count.get(status, 0) for count in self.flows.values() for status in statuses)

    @property
    def ended(self) -> int:
        return self.count(*ENDED)

    def per_state(self, number: str) -> dict[str, dict[str, int]]:
        """One number of every state, by version: ``entered``, ``retries``…"""
        return {str(version): {s["state"]: s[number] for s in states} for version, states in self.states.items()}


def snapshot(statistics: Mapping[str, Any], blueprint: str) -> Snapshot:
    """Of one blueprint, from what the gateway tells of all."""
    own = [b for b in statistics["blueprints"] if b["blueprint"] == blueprint]
    return Snapshot(
        {b["version"]: b["flows"] for b in own},
        sum(b["paused"] for b in own),
        {b["version"]: b["states"] for b in own},
        statistics.get("dead_letters") or {},
    )


class Check(NamedTuple):
    """One thing that was expected, and what came."""

    name: str
    expected: Any
    found: Any

    @property
    def ok(self) -> bool:
        return bool(self.expected == self.found)

    @property
    def difference(self) -> str:
        """Only what differs: ``Send: 135 expected, 134 found``."""
        if not (isinstance(self.expected, Mapping) and isinstance(self.found, Mapping)):
            return f"{self.expected} expected, {self.found} found"
        names = [*self.expected, *(name for name in self.found if name not in self.expected)]
        pairs = [(name, self.expected.get(name, 0), self.found.get(name, 0)) for name in names]
        return "; ".join(f"{name}: {wanted} expected, {came} found" for name, wanted, came in pairs if wanted != came)


def compare(expected: Mapping[str, Any], before: Snapshot, after: Snapshot) -> list[Check]:
    """``before`` and ``after`` the redrive; ``expected``: the document beside the records."""
    entered, retries = after.per_state("entered"), after.per_state("retries")
    checks = [Check("dead letters", expected["dead_letters"], _some(after.dead_letters))]
    for version in sorted(expected["after_redrive"]):
        flows = [_some(moment.flows.get(int(version), {})) for moment in (before, after)]
        checks += [
            Check(f"flows @{version} before the redrive", _some(expected["before_redrive"][version]), flows[0]),
            Check(f"flows @{version} after the redrive", _some(expected["after_redrive"][version]), flows[1]),
            Check(f"states @{version} entered", _some(expected["entered"][version]), _some(entered.get(version, {}))),
            Check(f"states @{version} retried", _some(expected["retries"][version]), _some(retries.get(version, {}))),
        ]
    strange = sorted(str(v) for v in after.flows if str(v) not in expected["after_redrive"])
    return [*checks, Check("versions with flows that should have none", [], strange)]


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    """Without the zeros: a number that is missing is one."""
    return {name: count for name, count in counts.items() if count}
