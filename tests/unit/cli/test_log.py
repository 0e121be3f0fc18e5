"""Every line of the log is JSON with an action, wherever it comes from."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import logging
from sfc.log import configure, get_logger
log = get_logger()  # before configure, as modules do
configure("info", FORMAT)
log.info("took shard 3", action="shard.taken", shard=3, sasl_password="hunter2")
log.info("lane.started")
logging.getLogger("sfc.kafka").warning("broker %s is away", "b:1")
logging.getLogger("uvicorn.error").info("started")  # its everyday lines are for debug
logging.getLogger("uvicorn.error").warning("slow", extra={"color_message": "slow"})
log.info("served", action="served", hint="")
log.debug("never")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it broke")
"""


def lines_of(format_name: str) -> str:
    code = CODE.replace("FORMAT", repr(format_name))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == ""
    return result.stderr


def test_each_line_is_json_with_an_action() -> None:
    lines = [json.loads(line) for line in lines_of("auto").splitlines()]
    assert [line["action"] for line in lines] == ["shard.taken", "lane.started", "sfc.kafka", "uvicorn.error", "served", "sfc"]
    assert (lines[0]["shard"], lines[0]["level"], lines[0]["sasl_password"]) == (3, "info", "********")
    assert lines[2]["event"] == "broker b:1 is away"
    assert "ZeroDivisionError" in lines[5]["exception"]
    assert "color_message" not in lines[3]
    assert "hint" not in lines[4]


def test_console_lines_are_for_people() -> None:
    text = lines_of("console")
    assert "took shard 3" in text
    assert "action=shard.taken" in text
    assert "hunter2" not in text
