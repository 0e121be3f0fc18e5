"""``sfc engine`` of this process' settings, which dies the moment it decides anything for a flow whose id ends with ``poison``."""

from __future__ import annotations

import os
from typing import Any

from sfc import bootstrap
from sfc.engine.decide import decide
from sfc.log import configure
from sfc.runtime import shard
from sfc.settings import Settings


def planted(program: Any, flow: Any, command: Any, state: Any, offset: int, flow_id: str, missing: Any) -> Any:
    if flow_id.endswith("poison"):
        os._exit(137)
    return decide(program, flow, command, state, offset, flow_id, missing)


if __name__ == "__main__":
    setattr(shard, decide.__name__, planted)
    configure("info", "console")
    bootstrap.run_engine(Settings())
