"""What a doctor says."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field


class Finding(Struct, frozen=True, omit_defaults=True):
    """``code`` is stable. ``breaks``: what goes wrong by it; ``mend``: the command that mends it, or what else to do."""

    code: str
    severity: Literal["error", "warning"]
    said: str
    breaks: str
    mend: str
    topic: str = ""
    shard: int = -1


class Diagnosis(Struct):
    """``sound``: no errors; warnings may be there. ``notes``: what could not be looked at."""

    sound: bool = True
    brokers: int = 0
    topics: int = 0
    shards: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def error(self, code: str, said: str, breaks: str, mend: str, topic: str = "", shard: int = -1) -> None:
        self.sound = False
        self.findings.append(Finding(code, "error", said, breaks, mend, topic, shard))

    def warn(self, code: str, said: str, breaks: str, mend: str, topic: str = "", shard: int = -1) -> None:
        self.findings.append(Finding(code, "warning", said, breaks, mend, topic, shard))
