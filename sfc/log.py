"""Logging by structlog, to stderr: readable lines on a terminal, JSON lines elsewhere. Every line has an ``action``.

``get_logger().info("took shard 3", action="shard.taken", shard=3)``. A message that is one word stands for its action; a line
of somebody else's (stdlib logging: uvicorn, ``sfc.kafka``) has its logger's name as action.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from sfc.masking import HIDDEN, mask_keys

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_ONE_WORD = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*").fullmatch
_SECRET = re.compile(r"password|secret", re.IGNORECASE).search  # a job's token is no secret and is looked for in logs


def _with_action(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    name = line.pop("logger", "") or "sfc"
    if "action" not in line:
        event = str(line.get("event", ""))
        line["action"] = event if _ONE_WORD(event) else name
    return line


def _of_somebody_else(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.pop("color_message", None)  # uvicorn's event once more, for its own handler
    line.setdefault("action", line.get("logger", "sfc"))
    return line


def _without_empty_hints(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if line.get("hint") == "":
        del line["hint"]
    return line


def _without_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in line:
        if _SECRET(key):
            line[key] = HIDDEN
    return line


def _without_keys(_logger: Any, _method: str, written: str) -> str:
    """A line as it is written: no secret of an API key is in it, wherever it came from."""
    return mask_keys(written) if "sfc_" in written else written


class _Stderr(logging.StreamHandler[Any]):
    """Writes to what stderr is when a line comes: a runner of commands in one process puts another in its place for a while."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, stream: Any) -> None:
        """It is never another."""


def configure(level: str = "info", format: str = "auto") -> None:
    """Sends everything to stderr. ``level``: debug, info, warning, error. ``format``: auto, console, json."""
    import structlog

    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
        _with_action,
        _without_empty_hints,
        _without_secrets,
    ]
    foreign = [*shared[:-3], _of_somebody_else, *shared[-3:]]
    renderer: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if console:
        # Without the local variables: what flows carry is nobody's to read here, and a long number takes minutes to be painted.
        plain = structlog.dev.plain_traceback
        renderer.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain))
    else:
        renderer += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    renderer.append(_without_keys)
    handler = _Stderr()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=foreign, processors=renderer))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET if level == "debug" else logging.WARNING)
    for name in ("httpx", "httpcore", "alembic"):  # their everyday lines tell nothing that ours do not
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def get_logger(name: str = "sfc") -> BoundLogger:
    """A logger; may be made before ``configure``."""
    import structlog

    return structlog.stdlib.get_logger(name)
