"""Output that nobody reads any more: it is dropped, and the command goes on to its own exit code.

``sfc validate … | head -1`` must not turn a failure into a success: in a pipeline of CI the exit code is all that is looked at.
"""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO


class ReaderGone(BrokenPipeError):
    """Whoever read the output has gone, and the command does nothing but write it."""


class Lenient(io.RawIOBase):
    """A stream that takes everything. ``ends``: the first write that nobody reads raises ReaderGone, once."""

    def __init__(self, under: Any) -> None:
        self._under = under
        self._gone = False
        self.ends = False

    def write(self, data: Any, /) -> int | None:
        if not self._gone:
            try:
                written: int | None = self._under.write(data)
                return written
            except BrokenPipeError:
                self._gone = True
                if self.ends:
                    raise ReaderGone from None
        return memoryview(data).nbytes

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._under.fileno())

    def isatty(self) -> bool:
        return bool(self._under.isatty())


def be_lenient() -> None:
    """From now on nothing that is printed fails by a reader that has gone."""
    sys.stdout, sys.stderr = _lenient(sys.stdout), _lenient(sys.stderr)


def end_with_reader() -> None:
    """For commands that follow something for ever: when nobody reads on, they end."""
    under = getattr(sys.stdout, "buffer", None)
    under = getattr(under, "raw", under)
    if isinstance(under, Lenient):
        under.ends = True


def _lenient(stream: TextIO) -> TextIO:
    """The stream as it was, above one that takes everything. One without a buffer (there is no console at all) stays as it is."""
    buffer = getattr(stream, "buffer", None)
    if buffer is None or stream.isatty():
        return stream
    stream.flush()
    unbuffered = isinstance(buffer, io.RawIOBase)
    under = Lenient(buffer if unbuffered else buffer.raw)
    return io.TextIOWrapper(
        under if unbuffered else io.BufferedWriter(under),  # type: ignore[type-var]
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=getattr(stream, "line_buffering", False),
        write_through=getattr(stream, "write_through", False),
    )
