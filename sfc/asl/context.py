"""What a field may look at besides its value: the context object, variables, and the decision's time and chance.

Every ``Step`` gets one. What is dear is made when it is asked for: a field that looks at none of it costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

_NONE: dict[str, Any] = {}
_DRAWS = float(2**53)


class Context:
    """``given``: the context object ``$$``, or what makes it; ``variables``: those in scope by their names, or what finds them.

    ``now_ms``: the decision's time, milliseconds since 1970. ``seed``: of all chance, the same when the same is decided again.
    """

    __slots__ = ("_draws", "_given", "_variables", "now_ms", "seed", "states")

    def __init__(
        self,
        given: dict[str, Any] | Callable[[], dict[str, Any]] = _NONE,
        variables: dict[str, Any] | Callable[[], dict[str, Any]] = _NONE,
        now_ms: int = 0,
        seed: str = "",
    ) -> None:
        self._given = given
        self._variables = variables
        self.now_ms = now_ms
        self.seed = seed
        self.states: dict[str, Any] = _NONE
        self._draws = 0

    @property
    def object(self) -> dict[str, Any]:
        """The context object, as ``$$`` and ``$states.context`` show it."""
        if callable(self._given):
            self._given = self._given()
        return self._given

    @property
    def variables(self) -> dict[str, Any]:
        """The variables in scope, with the values that they had when the state was entered."""
        if callable(self._variables):
            self._variables = self._variables()
        return self._variables

    def having(self, **states: Any) -> Context:
        """The same with more members of ``$states``: ``result`` or ``errorOutput``."""
        more = Context(self._given, self._variables, self.now_ms, self.seed)
        more.states = states
        return more

    def digest(self, place: str) -> bytes:
        """32 bytes of chance for the place (a JSON pointer) that asks; others for each time that this context is asked."""
        self._draws += 1
        return sha256(f"{self.seed}\0{place}\0{self._draws}".encode("utf-8", "surrogatepass")).digest()

    def draw(self, place: str) -> float:
        """A number in [0, 1); see ``digest``."""
        return fraction(self.digest(place))


def fraction(digest: bytes) -> float:
    """The first 53 bits of a digest as a number in [0, 1)."""
    return (int.from_bytes(digest[:8], "big") >> 11) / _DRAWS


def uuid4(digest: bytes) -> str:
    """A UUID of version 4 whose random bits are those of a digest."""
    bits = int.from_bytes(digest[:16], "big")
    bits = bits & ~(0xF << 76) & ~(0x3 << 62) | 4 << 76 | 2 << 62
    digits = f"{bits:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
