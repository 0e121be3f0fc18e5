"""``sfc monitor rebuild``: the flow index, made anew from the log."""

from __future__ import annotations

from collections.abc import Callable

from sfc.bootstrap.roles import open_index
from sfc.bootstrap.site import open_site
from sfc.settings import Settings


def rebuild_index(settings: Settings, progress: Callable[[int, int], None]) -> int:
    """Returns how many records were read."""
    from sfc.monitor.rebuild import rebuild

    settings.data.mkdir(parents=True, exist_ok=True)
    site = open_site(settings)
    index = open_index(site)
    try:
        return rebuild(site.log, site.names, index, progress)
    finally:
        index.close()
        site.log.close()
