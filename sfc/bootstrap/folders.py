"""The folders of ItemReaders and ResultWriters, looked at before a worker begins: one that is wrong would be found by the first Map."""

from __future__ import annotations

import os

from sfc.errors import BadInput
from sfc.settings import Settings


def check_folders(settings: Settings) -> None:
    """Raises BadInput. Results make their folder with the first file; items must be there already."""
    items, results = settings.items_dir, settings.results_dir
    if items is not None and not (items.is_dir() and os.access(items, os.R_OK | os.X_OK)):
        was = "is a folder that can't be read" if items.is_dir() else "is no folder" if items.exists() else "is not there"
        hint = "make it, name another one, or leave the setting out: then ItemReaders read no files"
        raise BadInput(f"SFC_ITEMS_DIR: expected a folder with files to read, {items} {was}", hint=hint)
    if results is not None and results.exists() and not results.is_dir():
        hint = "name a folder, or leave the setting out: then ResultWriters write no files"
        raise BadInput(f"SFC_RESULTS_DIR: expected a folder to write files to, {results} is no folder", hint=hint)
