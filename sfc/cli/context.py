"""What every command needs: options of one kind, settings, the gateway's client, and errors that end it with a clear line."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from sfc.cli import exits
from sfc.cli.pipes import ReaderGone

if TYPE_CHECKING:
    from sfc.client import Client
    from sfc.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Kafka = Annotated[str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Bootstrap servers (SFC_KAFKA).")]
Elasticsearch = Annotated[
    str | None, typer.Option("--elasticsearch", metavar="URL", help="Elasticsearch for the flow index (SFC_ELASTICSEARCH_URL).")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the history.")]


_UsageError: Any = typer.BadParameter.__base__


class Group(TyperGroup):
    """The root: an error that leaves a command becomes a line, a hint and an exit code."""

    def main(self, *args: Any, **named: Any) -> Any:
        shown, _UsageError.show = _UsageError.show, print_usage_error  # subclasses that show help keep theirs
        try:
            return super().main(*args, **named)
        finally:
            _UsageError.show = shown

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(exits.INTERRUPTED) from None
        except ReaderGone:
            raise typer.Exit(exits.OK) from None
        except Exception as e:
            if type(e).__module__.split(".")[0] in ("typer", "click"):  # usage errors and exits are typer's own business
                raise
            if os.environ.get("SFC_DEBUG"):
                traceback.print_exc()
            print_error(e)
            raise typer.Exit(exits.code_of(e)) from None


def print_usage_error(error: Any, file: Any = None) -> None:
    """Like the other errors, after the command's usage."""
    from sfc.settings import in_our_words

    where = file or sys.stderr
    if error.ctx is not None:
        print(error.ctx.get_usage(), file=where)
    print(f"error: {in_our_words(error.format_message())}", file=where)
    if error.ctx is not None:
        print(f"hint: `{error.ctx.command_path} --help` shows what it takes", file=where)


def print_error(error: Exception) -> None:
    from sfc.errors import SfcError

    code = exits.code_of(error)
    if isinstance(error, SfcError):
        message, hint = error.message, error.hint
    elif code == exits.NO_ANSWER:
        from sfc.settings import load_settings

        message, hint = (
            f"the gateway at {load_settings().masked()['url']} does not answer: {error}",
            "is `sfc dev` running? SFC_URL says where",
        )
    else:
        message, hint = f"{type(error).__name__}: {error}", "SFC_DEBUG=1 shows where it comes from"
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def settings(**overrides: Any) -> Settings:
    """Settings of the environment and the command line; names that are none are warned of."""
    from sfc.cli.output import warn
    from sfc.settings import load_settings, unknown_names

    for sentence in unknown_names(os.environ):
        warn(sentence)
    return load_settings(**overrides)


def client() -> Client:
    """A client of the gateway that SFC_URL names; a context manager."""
    from sfc.client import Client

    found = settings()
    return Client(found.url, api_key=found.api_key.get_secret_value())


def log_as(settings: Settings) -> None:
    """Starts logging as the settings say."""
    from sfc import log

    log.configure(settings.log_level, settings.log_format)
