"""References from blueprint to blueprint (``blueprint:NAME[@VERSION]``): checked, pinned, and put in an order for saving."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sfc.registry.shapes import NAME, Checks, did_you_mean, shown

SCHEME = "blueprint:"


class KnownBlueprint(NamedTuple):
    """A blueprint that references may name. ``current`` is 0 for one that is saved first, in the same deploy."""

    current: int
    versions: Collection[int] = ()


def check_child(checks: Checks, rest: str, pointer: str, own: str | None, blueprints: Mapping[str, KnownBlueprint]) -> None:
    """Adds a problem when ``NAME[@VERSION]`` names nothing, or the very version that is to be saved."""
    name, at, version = rest.partition("@")
    if not NAME(name):
        checks.name(name, pointer)
    elif name == own and not at:
        checks.add("own-blueprint", pointer, "expected another blueprint, or a version of this one that is there.",
                   f"Write blueprint:{name}@VERSION, or loop by Next.")  # fmt: skip
    elif name not in blueprints:
        hint = did_you_mean(name, blueprints) or "Deploy it first, or together with this one."
        checks.add("unknown-blueprint", pointer, f"there is no blueprint {name}.", hint)
    elif at and not (version.isascii() and version.isdigit() and int(version) in blueprints[name].versions):
        known = ", ".join(map(str, sorted(blueprints[name].versions))) or "none yet"
        checks.add("unknown-version", pointer, f"blueprint {name} has no version {shown(version)}.", f"There is: {known}.")


def pinned_child(resource: str, blueprints: Mapping[str, KnownBlueprint]) -> str:
    """The reference with its version: the current one, where it names none."""
    name, _, version = resource.removeprefix(SCHEME).partition("@")
    return f"{SCHEME}{name}@{int(version) if version else blueprints[name].current}"


def unpinned(resource: str) -> str | None:
    """The blueprint's name in a reference that leaves the version open."""
    rest = resource.removeprefix(SCHEME)
    return rest if rest != resource and "@" not in rest else None


def in_order(named: Mapping[str, Collection[str]]) -> tuple[list[str], list[str]]:
    """Names so that each comes behind those that it names; and the names of a cycle, [] where there is none."""
    done: list[str] = []
    left = {name: {other for other in others if other in named} for name, others in named.items()}
    while left:
        free = [name for name, others in left.items() if others.isdisjoint(left)]
        if not free:
            return done, sorted(left)
        done += free
        for name in free:
            del left[name]
    return done, []
