"""Python's cycle collector in a server process."""

from __future__ import annotations

import gc

YOUNG_MAX = 50_000  # objects made and not yet freed before it looks; Python's default is 700


def spare_collections() -> None:
    """Lets the collector look seldom, and never at what has been loaded by now.

    What a role makes goes by its reference counts; what lives on is the interval that is being decided, which the collector would look
    through again and again: 13 % of an engine's time under load, in pauses of up to 65 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 10, 10)
