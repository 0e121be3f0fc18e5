"""``sfc start``, and reading a JSON input from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sfc.cli import context, exits
from sfc.cli.context import Json

ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")


def read_input(text: str) -> Any:
    """The value of ``--input``: JSON, ``@file``, or ``-`` for stdin. Raises BadInput that says where it is no JSON."""
    import msgspec

    from sfc.errors import BadInput

    where = "--input"
    if text == "-":
        where, text = "stdin", sys.stdin.read()
    elif text.startswith("@"):
        where = text[1:]
        try:
            text = Path(where).read_text()
        except OSError as e:
            raise BadInput(f"--input names {where}, which can't be read: {e.strerror}") from None
    try:
        return msgspec.json.decode(text)  # keeps integers of any size
    except msgspec.DecodeError as e:
        raise BadInput(f"{where} is no JSON: {e}; it starts with {text[:40]!r}", hint="text needs quotes of its own: '\"text\"'") from None


def start(
    blueprint: Annotated[str, typer.Argument(help="Name of the blueprint.")],
    input_text: Annotated[str, typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="What the flow starts with.")] = "{}",
    flow: Annotated[str | None, typer.Option("--id", help="The flow's id; one that exists already starts nothing.")] = None,
    wait: Annotated[str | None, typer.Option("--wait", metavar="10s", help="Wait so long for the flow's end.")] = None,
    as_json: Json = False,
) -> None:
    """Start a flow. With --wait, exit code 1 where it ended badly."""
    from sfc.cli import output

    value = read_input(input_text)
    with context.client() as gateway:
        answer = gateway.start(blueprint, value, id=flow, wait=wait)
    status = str(answer.get("status", ""))
    if as_json:
        output.print_json(answer)
    elif not wait:
        output.say(f"started {answer.get('flow')}")
    elif status in ("", "RUNNING"):
        output.say(f"{answer.get('flow')} still runs after {wait}")
    else:
        output.card(
            str(answer.get("flow")),
            [
                ("status", status),
                ("output", output.shortened(answer["output"], 2000) if "output" in answer else ""),
                ("error", str(answer.get("error") or "")),
                ("cause", str(answer.get("cause") or "")),
            ],
        )
    if status in ENDED_BADLY:
        raise typer.Exit(exits.FAILED)
