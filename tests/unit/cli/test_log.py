"""Every line of the log is JSON with an action, wherever it comes from."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

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
log.warning("refused Bearer sfc_5d41402abc4b_se-cr_et", action="refused", headers={"authorization": "sfc_5d41402abc4b_se-cr_et"})
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it broke")
try:
    raise ValueError("sfc_5d41402abc4b_se-cr_et")
except ValueError:
    log.exception("a key in a traceback")
"""


def lines_of(format_name: str) -> str:
    code = CODE.replace("FORMAT", repr(format_name))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == ""
    return result.stderr


def test_each_line_is_json_with_an_action() -> None:
    lines = [json.loads(line) for line in lines_of("auto").splitlines()]
    actions = ["shard.taken", "lane.started", "sfc.kafka", "uvicorn.error", "served", "refused", "sfc", "sfc"]
    assert [line["action"] for line in lines] == actions
    assert (lines[0]["shard"], lines[0]["level"], lines[0]["sasl_password"]) == (3, "info", "********")
    assert lines[2]["event"] == "broker b:1 is away"
    assert "ZeroDivisionError" in lines[6]["exception"]
    assert "color_message" not in lines[3]
    assert "hint" not in lines[4]


def test_console_lines_are_for_people() -> None:
    text = lines_of("console")
    assert "took shard 3" in text
    assert "action=shard.taken" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("format_name", ["auto", "console"])
def test_no_secret_of_an_api_key_is_in_a_line(format_name: str) -> None:
    text = lines_of(format_name)
    assert "se-cr_et" not in text
    assert "sfc_5d41402abc4b_********" in text


def test_a_trace_has_no_values_and_is_written_at_once() -> None:
    """Rich would show all local variables, and took minutes for a number of 4,300 digits."""
    code = (
        "from sfc.log import configure, get_logger\n"
        "configure(format='console')\n"
        "def pay(order):\n    raise ValueError('no money')\n"
        "try:\n    pay({'card': '4111' + '-1111', 'n': int('9' * 4_300)})\n"
        "except ValueError:\n    get_logger().exception('it failed', action='failed')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "ValueError: no money" in done.stderr
    assert "Traceback" in done.stderr
    assert "4111-1111" not in done.stderr
    assert "9" * 100 not in done.stderr


def test_lines_go_to_the_stderr_that_is_there_when_they_come() -> None:
    """A command that was run within another program leaves the log to the next one, and not a file that is closed."""
    code = (
        "import contextlib, io, sys\n"
        "from sfc.log import configure, get_logger\n"
        "with contextlib.redirect_stderr(io.StringIO()) as first:\n    configure()\n    get_logger().info('one', action='one')\n"
        "kept = first.getvalue()\nfirst.close()\n"
        "get_logger().info('two', action='two')\n"
        "assert '\"one\"' in kept\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["action"] == "two"
