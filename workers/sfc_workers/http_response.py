"""What an answer is: the job's output, or an error with a name."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx

from sfc.engine.sizes import DATA_LIMIT
from sfc.engine.turn import PAYLOAD_BYTES_MAX
from sfc.errors import MalformedRecord
from sfc.wire.http_call import HttpCall
from sfc.wire.payload import decode_any
from sfc_workers.replies import CAUSE_CHARACTERS_MAX
from sfc_workers.secrets import Opened
from sfc_workers.tasks import TaskError


class Answer(NamedTuple):
    """``content``: as far as it was read; ``whole``: whether that is all of it."""

    response: httpx.Response
    content: bytes
    whole: bool


async def read_answer(response: httpx.Response) -> Answer:
    """Reads no more than a payload may have, and one piece beyond it."""
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > PAYLOAD_BYTES_MAX:
            return Answer(response, bytes(content[:PAYLOAD_BYTES_MAX]), False)
    return Answer(response, bytes(content), True)


def output_of(call: HttpCall, answer: Answer, look: Opened) -> Any:
    """Raises TaskError for an answer that is no success, is too large, or is not the JSON that it says it is."""
    response = answer.response
    if response.status_code not in call.success:
        try:
            body = _body(answer)
        except MalformedRecord:
            body = _text(answer)
        raise _refusal(call, answer, body, look, "")
    if not answer.whole:
        raise TaskError(DATA_LIMIT, f"the answer has more than {PAYLOAD_BYTES_MAX} bytes: ask for less, or store it elsewhere")
    try:
        body = _body(answer)
    except MalformedRecord as e:
        raise TaskError("States.Runtime", f"the answer says it is {_kind(response)}, and can't be read: {e.message}") from None
    whole = _whole(response, body)
    if call.success_when is not None and not call.success_when(whole):
        raise _refusal(call, answer, body, look, "Success/When does not hold: ")
    return whole if call.result == "response" else body


def _refusal(call: HttpCall, answer: Answer, body: Any, look: Opened, why: str) -> TaskError:
    status = answer.response.status_code
    whole = _whole(answer.response, body)
    error = f"Http.{status}"
    for rule in call.errors:
        if (rule.statuses is None or status in rule.statuses) and (rule.when is None or rule.when(whole)):
            error = rule.error
            break
    text = _text(answer)
    if not text and answer.response.has_redirect_location:
        text = "the answer leads to another place, which Redirects does not let it follow"
    return TaskError(error, (why + look.mask(text))[:CAUSE_CHARACTERS_MAX])  # hidden before it is cut: half a secret is not found


def _whole(response: httpx.Response, body: Any) -> dict[str, Any]:
    return {"status": response.status_code, "headers": dict(response.headers), "body": body}


def _body(answer: Answer) -> Any:
    """JSON as it is, anything else as text; null for an empty answer."""
    if not answer.content:
        return None
    kind = _kind(answer.response)
    if answer.whole and (kind == "application/json" or kind.endswith("+json")):
        return decode_any(answer.content)
    return _text(answer)


def _kind(response: httpx.Response) -> str:
    kind: str = response.headers.get("Content-Type", "")
    return kind.partition(";")[0].strip().lower()


def _text(answer: Answer) -> str:
    try:
        return answer.content.decode(answer.response.charset_encoding or "utf-8", "replace")
    except LookupError:  # a character set that nobody knows
        return answer.content.decode("utf-8", "replace")


def retry_after_s(response: httpx.Response) -> float | None:
    """Seconds that the service asks to wait, by number or by date; None when it doesn't, or can't be understood."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
