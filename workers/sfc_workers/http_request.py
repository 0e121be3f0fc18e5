"""The request of one job: its URL, headers and body, from the task's ``Http`` section and the job's input."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec

from sfc.asl import MISSING, Context, Failure
from sfc.engine.sizes import DATA_LIMIT
from sfc.engine.turn import PAYLOAD_BYTES_MAX
from sfc.wire.http_call import CHANGING, Basic, HttpCall, SecretName
from sfc_workers.job import Job
from sfc_workers.secrets import CHARACTERS_MIN, Opened
from sfc_workers.tasks import TaskError

PATH_FAILURE = "States.ParameterPathFailure"
FORM = "application/x-www-form-urlencoded"
_PATH_MIN = 8  # characters of a secret URL's path; "/v1" alone is none, and hiding it would spoil answers
_UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search  # in a header's value
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch


class Request(NamedTuple):
    """``shown``: the URL without secrets and query, for messages. ``secret``: lower-case names of headers that only this host may get."""

    url: str
    headers: dict[bytes, bytes]
    body: bytes | None
    shown: str
    secret: frozenset[str]


def make_request(call: HttpCall, job: Job, look: Opened) -> Request:
    """Raises TaskError for an input that does not have what the section asks for, and for secrets that are not known."""
    context = Context({"Execution": {"Id": job.flow}, "State": {"Name": job.state}, "Task": {"Token": job.token}})
    url = _with_query(_url(call, job, look), _query(call, job, context, look))
    _hide_userinfo(url, look)
    given = _headers(call, job, context, look)
    head = {name.lower(): (name, value) for name, value in _own_headers(call, job).items()}
    head.update((name.lower(), (name, value)) for name, value in given.items())
    secret = call.secret_headers
    if call.auth is not None:
        head["authorization"] = ("Authorization", _authorization(call, look))
        secret = secret | {"authorization"}
    body = _body(call, job, context, head.get("content-type", ("", "application/json"))[1])
    if body is not None:
        head.setdefault("content-type", ("Content-Type", "application/json"))
    shown = look.mask(url.partition("?")[0])
    return Request(url, {name.encode(): _checked(name, value) for name, value in head.values()}, body, shown, secret)


def _own_headers(call: HttpCall, job: Job) -> dict[str, str]:
    own = {"User-Agent": "sfc", "X-Sfc-Flow": job.flow}
    if call.method in CHANGING:
        own["Idempotency-Key"] = job.token
    if trace := job.headers.get("traceparent"):
        own["traceparent"] = trace.decode("ascii", "replace")
    return own


def _url(call: HttpCall, job: Job, look: Opened) -> str:
    parts: list[str] = []
    for number, part in enumerate(call.url):
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, SecretName):
            value = look(part.name)
            if not number:  # it is a URL, or the beginning of one
                _hide_path_and_query(value, look)
            parts.append(quote(value, safe="") if number else value)
        else:
            value = part.find(job.input, None)
            in_path = "?" not in "".join(parts)
            if value is MISSING or isinstance(value, (dict, list)) or value is None or (value == "" and in_path):
                raise TaskError(PATH_FAILURE, f"the Url needs text or a number at {part.text} of the input, and there is none")
            parts.append(quote(_scalar(value), safe=""))
    url = "".join(parts).partition("#")[0]
    try:
        split = urlsplit(url)
        good = split.scheme in ("http", "https") and bool(split.hostname)
    except ValueError:
        good = False
    if not good:
        raise TaskError("States.Runtime", f"the Url is none, with the input and secrets in it: {look.mask(url)}")
    if any(unquote(step) in (".", "..") for step in split.path.split("/")):
        raise TaskError(PATH_FAILURE, f"the Url would lead to another path, with . or .. in it: {look.mask(url)}")
    return url


def _hide_path_and_query(url: str, look: Opened) -> None:
    """Who is called by a secret URL sees no more of it than these, and tells them in its errors ("Cannot POST /hooks/…")."""
    try:
        split = urlsplit(url)
    except ValueError:  # it is refused where it is used
        return
    path = split.path.rstrip("/")
    if len(path) >= _PATH_MIN:
        look.hide(path)
        look.hide(unquote(path))
    for _, value in parse_qsl(split.query):
        if len(value) >= CHARACTERS_MIN:
            look.hide(value)


def _hide_userinfo(url: str, look: Opened) -> None:
    """The client makes an Authorization header of a URL's user and password, which came as a secret when the URL did."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    if at:
        look.hide(b64encode(unquote(user).encode()).decode())
        password = unquote(user.partition(":")[2])
        if password:
            look.hide(password)


def _query(call: HttpCall, job: Job, context: Any, look: Opened) -> list[tuple[str, str]]:
    pairs = []
    for name, made in call.query:
        value = _made(made(job.input, context, look))
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, (dict, list)):
                raise TaskError(PATH_FAILURE, f"Query/{name} needs text, a number or a list of these, and an object came")
            if item is not None:
                pairs.append((name, _scalar(item)))
    return pairs


def _with_query(url: str, pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return url
    return url + ("&" if "?" in url else "?") + urlencode(pairs, quote_via=quote)


def _headers(call: HttpCall, job: Job, context: Any, look: Opened) -> dict[str, str]:
    found = {}
    for name, made in call.headers:
        value = _made(made(job.input, context, look))
        if isinstance(value, (dict, list)):
            raise TaskError(PATH_FAILURE, f"Headers/{name} needs text or a number, and an object or a list came")
        if value is not None:
            found[name] = _scalar(value)
    return found


def _authorization(call: HttpCall, look: Opened) -> str:
    auth = call.auth
    if isinstance(auth, Basic):
        pair = b64encode(f"{auth.user(look)}:{auth.password(look)}".encode()).decode()
        look.hide(pair)
        return f"Basic {pair}"
    return f"Bearer {auth.token(look)}" if auth is not None else ""


def _body(call: HttpCall, job: Job, context: Any, kind: str) -> bytes | None:
    """JSON; a form where Content-Type says so; a text as it is where Content-Type says that it is no JSON."""
    if call.sends_input and not _is_form(kind):
        return job.record.value or b"null"
    if call.body is None and not call.sends_input:
        return None
    value = job.input if call.body is None else _made(call.body(job.input, context))
    if _is_form(kind):
        if not isinstance(value, dict) or any(isinstance(item, dict) for item in value.values()):
            raise TaskError(PATH_FAILURE, "a form is made of an object of texts, numbers and lists of these, and something else came")
        pairs = [(name, item) for name, items in value.items() for item in (items if isinstance(items, list) else [items])]
        body = urlencode([(name, _scalar(item)) for name, item in pairs if item is not None]).encode()
    elif isinstance(value, str) and "json" not in kind.lower():
        body = value.encode("utf-8", "replace")
    else:
        body = msgspec.json.encode(value)
    if len(body) > PAYLOAD_BYTES_MAX:
        raise TaskError(DATA_LIMIT, f"the request's body has {len(body)} bytes, and at most {PAYLOAD_BYTES_MAX} were expected")
    return body


def _is_form(kind: str) -> bool:
    return kind.partition(";")[0].strip().lower() == FORM


def _made(value: Any) -> Any:
    if isinstance(value, Failure):
        raise TaskError(PATH_FAILURE, value.cause or "")
    return value


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _checked(name: str, value: str) -> bytes:
    if not _NAME(name):
        raise TaskError("States.Runtime", f"{name!r} can't be a header's name")
    if _UNFIT(value):  # it is not shown: it may be a secret
        raise TaskError("States.Runtime", f"the header {name} can't be sent: there is a control character or a line break in its value")
    return value.encode("utf-8", "replace")
