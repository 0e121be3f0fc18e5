"""What the scheduler needs of who runs replicas: processes of this machine, or a cluster."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from sfc.runtime.pools import Pool


class Replica(NamedTuple):
    """A worker that is kept going. ``instance``: its name, under which it joins consumer groups. ``module``: what it was started for.
    ``up``: whether it runs now, or waits to be started again."""

    pool: str
    instance: str
    module: str
    up: bool


class Replicas(Protocol):
    """Only what was started through it is known to it: a new leader counts no strangers. Belongs to one thread."""

    def list(self, pool: str) -> list[Replica]:
        """Those that are kept, oldest first; one that was told to stop is not among them."""

    def pools(self) -> set[str]:
        """Names of the pools that have replicas."""

    def start(self, pool: Pool, n: int) -> None:
        """Keeps ``n`` more going. Returns at once."""

    def stop(self, replica: Replica) -> None:
        """Lets it finish what it does, and ends it. Returns at once."""

    def tend(self) -> None:
        """Called again and again: starts anew what has died, and ends what does not stop by itself."""

    def stop_all(self, grace_s: float) -> None:
        """Returns when none is left: who has not ended after ``grace_s`` is killed."""

    def close(self) -> None: ...
