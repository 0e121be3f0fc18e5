"""Functions that do tasks: how they are marked, and how they are found."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sfc
from sfc.errors import BadInput

Function = TypeVar("Function", bound=Callable[..., Any])

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}").fullmatch
_MARK = "__sfc_task__"
_LOOKED = "modules are named as in `import`, and looked for in the working directory and the Python environment"


class TaskError(Exception):
    """Fails the job with an error that Retry and Catch of the blueprint can name."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that does a task. ``blocking``: it is run in a thread of its own, so that it may wait."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    blocking: bool


def task(name: str, *, blocking: bool = True) -> Callable[[Function], Function]:
    """Marks a function, ``async`` or not, as the one that does a task: it gets a ``Job`` and returns the output (anything JSON).

    Functions that are not ``async`` run in a few threads; ``blocking=False`` runs one in the worker's own thread, which is
    faster, and holds up all others while it lasts: for functions that only compute, and briefly.
    Raises BadInput for a name that no task can have.
    """
    if not _NAME(name):
        raise BadInput(f"{name!r} can't be a task's name: lower-case letters, digits and hyphens, at most 63, the first no hyphen")

    def mark(function: Function) -> Function:
        is_async = inspect.iscoroutinefunction(function)
        setattr(function, _MARK, Handler(name, function, is_async, blocking and not is_async))
        return function

    return mark


def load_modules(names: Iterable[str]) -> dict[str, Handler]:
    """Imports modules (also from the working directory) and returns their handlers by task.

    Raises BadInput for a module that is not there, does not compile or has no tasks, and for a task that two functions claim.
    """
    if sys.path[0] != "":
        sys.path.insert(0, "")  # before the environment's: `sfc` is a script, whose own folder would be first
    found: dict[str, Handler] = {}
    for name in names:
        handlers = _handlers(name)
        if not handlers:
            raise BadInput(f"module {name} has no tasks", hint='mark a function of it with @task("…") of sfc_workers')
        for handler in handlers:
            other = found.setdefault(handler.name, handler)
            if other.function is not handler.function:
                raise BadInput(f"task {handler.name} is done by two functions: {_where(other)}, {_where(handler)}; leave one out")
    return found


def chosen(handlers: dict[str, Handler], tasks: Collection[str]) -> dict[str, Handler]:
    """Those of these tasks, or all where none is named. Raises BadInput for a task that nothing does."""
    missing = sorted(set(tasks) - handlers.keys())
    if missing:
        raise BadInput(f"no module does the task {missing[0]}", hint=f"these are done: {', '.join(sorted(handlers))}")
    return {name: handler for name, handler in handlers.items() if not tasks or name in tasks}


def _handlers(name: str) -> list[Handler]:
    if name.endswith(".py"):
        module_name = name.removesuffix(".py").replace("/", ".").lstrip(".")
        raise BadInput(f"{name} is a file; a module was expected", hint=f"write {module_name}, not {name}")
    _refuse_the_checkouts(name.partition(".")[0])
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as e:
        if e.name is not None and (name == e.name or name.startswith(e.name + ".")):
            raise BadInput(
                f"there is no module {name} (nothing called {e.name} was found)",
                hint=_LOOKED,
            ) from e
        raise BadInput(f"module {name} can't be imported: it needs {e.name}, which is not installed") from e
    except SyntaxError as e:
        raise BadInput(f"module {name} does not compile: {e.filename}, line {e.lineno}: {e.msg}") from e
    except ValueError as e:
        raise BadInput(f"{name!r} is no module's name: write it as in `import`, for example shop.workers") from e
    return [h for h in (getattr(value, _MARK, None) for value in vars(module).values()) if isinstance(h, Handler)]


def _refuse_the_checkouts(top: str) -> None:
    """An editable install of SFC puts its checkout on the path: a module that merely lies there is not meant by who works elsewhere."""
    checkout = Path(sfc.__file__).parents[1]
    if top in sys.modules or checkout == Path.cwd() or str(checkout) in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        return
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return
    if found is None or not (checkout / "pyproject.toml").is_file():
        return
    places = [found.origin] if found.origin and not found.submodule_search_locations else list(found.submodule_search_locations or ())
    if top != "sfc" and any(Path(place).parent == checkout for place in places):
        raise BadInput(f"there is no module {top} in {Path.cwd()} (one lies in {checkout})", hint=_LOOKED)


def _where(handler: Handler) -> str:
    return f"{handler.function.__module__}.{handler.function.__qualname__}"
