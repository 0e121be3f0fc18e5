"""Waiting for the engine's answers: verdicts on commands, and ends of flows. By reply records, never by polling."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from fastapi import Response
from starlette.concurrency import run_in_threadpool

from sfc.engine.commands import FlowCommand, Pause, Redrive, ReplyTo, Resume, Signal, Stop
from sfc.errors import BadInput, NoAnswer, NotPossible, UnknownName
from sfc.runtime.starts import new_uuid7
from sfc.wire.replies import Answer
from sfc.wire.texts import TEXT_CHARACTERS_MAX, long_text
from sfc_gateway.bodies import json_response
from sfc_gateway.services import Services

Asked = Pause | Resume | Stop | Redrive | Signal


class Awaited(NamedTuple):
    """An answer that was announced: where the engine sends it, and where it turns up."""

    to: ReplyTo
    future: Future[Answer]

    async def within(self, timeout_s: float) -> Answer | None:
        """None when it did not come in time. The announcement stands: it may be awaited again."""
        return await _within(self.future, timeout_s)


async def _within(future: Future[Answer], timeout_s: float) -> Answer | None:
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), timeout_s)
    except TimeoutError:
        return None


@contextmanager
def awaited(services: Services) -> Iterator[Awaited]:
    """Announces an answer for as long as the block runs."""
    id_ = new_uuid7(services.clock)
    try:
        yield Awaited(services.answers.reply_to(id_), services.answers.expect(id_))
    finally:
        services.answers.forget(id_)


async def put(services: Services, flow: str, command: FlowCommand) -> None:
    """Returns when the log has the command."""
    await run_in_threadpool(services.appender.put, flow, command)


async def ask(services: Services, flow: str, command: Asked) -> Response:
    """Asks something of a flow and passes the engine's verdict on.

    Raises BadInput for a text that no engine takes, UnknownName, NotPossible, or NoAnswer after ``verdict_s``: the command is on the log
    then and will be carried out.
    """
    verb = type(command).__name__.lower()
    if long := long_text(command):
        said = "the Idempotency-Key" if long == "request" else f"the {long} of a {verb}"
        raise BadInput(f"{said} takes up to {TEXT_CHARACTERS_MAX} characters, this one is longer")
    with awaited(services) as verdict:
        await put(services, flow, msgspec.structs.replace(command, reply=verdict.to))
        answer = await verdict.within(services.verdict_s)
    if answer is None:
        raise NoAnswer(
            f"no engine answered within {services.verdict_s:g} s; the command is on the log, and {verb} of {flow} will be carried out"
            " as soon as an engine runs",
            hint="look at the flow later; is an engine running?",
        )
    if answer.status == "unknown":
        await _explain_unknown(services, flow, verb)
    if answer.status == "not-possible":
        raise NotPossible(answer.detail or f"{verb} of {flow} is not possible in its present state")
    return json_response(_plain({"flow": flow, "done": verb}, answer))


async def _explain_unknown(services: Services, flow: str, verb: str) -> None:
    """The engine forgets flows that succeeded; the index may still tell."""
    known = await run_in_threadpool(services.index.get, flow)
    if known is not None and known.ended_ms:
        raise NotPossible(f"{verb} is not possible: {flow} has ended ({known.status}) and the engine keeps it no more")
    raise UnknownName(f"there is no flow {flow}", hint="`sfc flows list` shows those there are")


def _plain(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """``changed`` False: it was so already, as ``detail`` says."""
    return {**body, "changed": False, "detail": answer.detail} if answer.detail else {**body, "changed": True}
