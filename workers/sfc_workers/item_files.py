"""Items in files, and results: only below the one folder that the worker's setting names."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO


def open_file(folder: Path | None, place: str, parts: list[str]) -> BinaryIO:
    """``place``: behind ``file:``; a path below the folder, or the whole path of what is there. ``parts``: below that. Links are followed,
    and what they lead to must be below the folder too. Raises ValueError."""
    place, shown = _named(place, parts)
    if folder is None:
        raise ValueError(f"this worker may read no files, and {shown!r} is asked for: set SFC_ITEMS_DIR to the folder that it may read")
    root = folder.resolve()
    found = Path(os.path.realpath(root.joinpath(place, *parts)))
    if not found.is_relative_to(root):
        raise ValueError(f"{shown!r} is not below the folder that may be read (SFC_ITEMS_DIR)")
    try:
        # Found without links by now: one that took its place meanwhile is not followed. A pipe would be waited for.
        number = os.open(found, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as e:
        raise ValueError(f"{shown!r} can't be read: {e.strerror}") from None
    source = os.fdopen(number, "rb")
    if not stat.S_ISREG(os.fstat(number).st_mode):
        source.close()
        raise ValueError(f"{shown!r} is no file")
    return source


def write_file(folder: Path | None, place: str, parts: list[str], content: bytes) -> None:
    """As ``open_file``; folders on the way are made. Whoever reads sees the whole file, or the one that was there before. Raises
    ValueError."""
    place, shown = _named(place, parts)
    if folder is None:
        raise ValueError(f"this worker may write no files, and {shown!r} is asked for: set SFC_RESULTS_DIR to the folder that it may write")
    root = folder.resolve()
    above = Path(os.path.realpath(root.joinpath(place, *parts[:-1])))
    if not above.is_relative_to(root):
        raise ValueError(f"{shown!r} is not below the folder that may be written (SFC_RESULTS_DIR)")
    try:
        above.mkdir(parents=True, exist_ok=True)
        number, beside = tempfile.mkstemp(dir=above, prefix=".", suffix=".part")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(number, 0o644)
                os.fsync(number)
            os.replace(beside, above / parts[-1])
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
    except OSError as e:
        raise ValueError(f"{shown!r} can't be written: {e.strerror}") from None


def _named(place: str, parts: list[str]) -> tuple[str, str]:
    """The path without what stands for this machine, and as it is shown. Raises ValueError."""
    if place.startswith("//"):
        host, _, rest = place[2:].partition("/")
        if host not in ("", "localhost"):
            raise ValueError(f"file:{place} names the machine {host!r}: write file:PATH")
        place = f"/{rest}"
    if "\0" in place:
        raise ValueError("a path must not have a zero character")
    return place, "/".join(part for part in (place.rstrip("/"), *parts) if part) or place
