"""Where a ResultWriter's results are: what the parts and the run of a Map are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfc.asl import Failure, MapState
from sfc.asl.map_state import ResultWriter
from sfc.engine.flow import Branch
from sfc.engine.ids import map_run, token_stem
from sfc.engine.turn import Turn

MANIFEST = "manifest.json"


def run_name(turn: Turn, state: MapState, token: str) -> str:
    """What Step Functions calls MapRunArn: which run of which Map it is. ``token``: the Map's."""
    return f"{turn.flow.blueprint}/{state.label or state.name}:{map_run(token)}"


def key_of(parameters: Mapping[str, Any], run: str, name: str) -> str:
    """The place of a part below the Bucket, as Step Functions has it: ``PREFIX/RUN/NAME``."""
    prefix = str(parameters.get("Prefix") or "").strip("/")
    return "/".join(part for part in (prefix, run, name) if part)


def tried(turn: Turn, branch: Branch, state: MapState, writer: ResultWriter) -> dict[str, Any] | Failure:
    """The result of a Map that writes, where nothing is written: a flow alone is tried."""
    request = writer.request(turn.effective(state, branch), turn.context(branch))
    if isinstance(request, Failure):
        return request
    token = f"{token_stem(turn.flow_id, turn.flow.run, branch.entered_seq)}map"
    told = request["Parameters"]
    parameters: Mapping[str, Any] = told if isinstance(told, dict) else {}
    details = {"Bucket": parameters.get("Bucket", ""), "Key": key_of(parameters, map_run(token), MANIFEST)}
    return {"MapRunArn": run_name(turn, state, token), "ResultWriterDetails": details}
