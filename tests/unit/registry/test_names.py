"""Everything that the package promises is there, though it is imported late."""

from __future__ import annotations

import sfc.registry


def test_every_promised_name_is_there() -> None:
    assert [name for name in sfc.registry.__all__ if not hasattr(sfc.registry, name)] == []
