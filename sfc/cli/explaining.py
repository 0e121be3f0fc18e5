"""``sfc explain``: why a flow does not move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from sfc.cli import context
from sfc.cli.context import Json


def explain(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="The flow's id.")],
    as_json: Json = False,
) -> None:
    """Say why a flow does not move: what it waits for, what holds it, and the command that helps."""
    from sfc.cli import output

    with context.client() as gateway:
        found = gateway.explain(flow)
    if as_json:
        output.print_json(found)
        return
    version = f", {found['blueprint']}@{found['version']}" if found.get("blueprint") else ""
    goes_on = " - nothing is wrong: it goes on by itself" if found["moving"] and found["status"] == "RUNNING" else ""
    _print(f"{found['flow']} is {found['status']}{version}, on shard {found['shard']}{goes_on}", found["reasons"], 0)
    for child in found.get("children") or ():
        _print(f"its child {child['flow']} is {child['status']}", child["reasons"], 2)


def _print(title: str, reasons: Iterable[Mapping[str, Any]], indent: int) -> None:
    from rich.text import Text

    from sfc.cli import output

    margin = " " * indent
    console = output.console()
    console.print(Text(margin + title, style="bold"), soft_wrap=True)
    for reason in reasons:
        console.print(Text(f"{margin}- {reason['said']}"), soft_wrap=True)
        for number, do in enumerate(reason.get("do") or ()):
            console.print(Text(f"{margin}  {'do:' if not number else 'or:'} {do}", style="cyan"), soft_wrap=True)
