"""``sfc schema``: JSON Schemas of documents, for editors."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Literal

import typer


def schema(
    what: Annotated[Literal["blueprint", "task"], typer.Argument(metavar="blueprint|task", help="Of which documents.", show_default=False)],
) -> None:
    """Print the JSON Schema (2020-12) of blueprints or of tasks: editors complete and check documents with it."""
    from sfc.registry.document_schemas import document_schema

    sys.stdout.write(json.dumps(document_schema(what), ensure_ascii=False, indent=2) + "\n")
