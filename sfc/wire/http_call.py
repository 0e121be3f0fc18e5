"""A task's ``Http`` section, prepared: what the common workers call, and what they make of the answer.

The registry refuses what can't be prepared; both use this, so that a section that was deployed can be run. Secrets stay names here:
``${secret:NAME}`` is looked up where the call is made, and so is ``${credentials}``, the secret that the state's ``Credentials`` name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sfc.asl import Failure, Path, compile_condition, compile_path, compile_template

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
WITH_INPUT = ("POST", "PUT", "PATCH")  # the input is their body, where no Body is given
CHANGING = ("POST", "PUT", "PATCH", "DELETE")  # they are sent with an idempotency key
REDIRECTS = ("same-host", "any", "none")
RESULTS = ("body", "response")
CONNECT_S = 10

CREDENTIALS = "credentials:"  # no secret's name has a colon

Look = Callable[[str], str]  # a secret's name, or CREDENTIALS and a part of the job's own -> its value
Text = Callable[[Look], str]
Value = Callable[[Any, Any, Look], Any]  # (input, context, look) -> a value or a Failure
Step = Callable[[Any, Any], Any]
Holds = Callable[[Any], bool]

_MARK = re.compile(r"\$\{secret:([^{}]*)\}|\{(\$[^{}]*)\}")
_SECRET = re.compile(r"\$\{(secret:[^{}]*|credentials(?::[^{}]*)?)\}")
is_secret_name = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}").fullmatch
_STATUS = re.compile(r"[1-5](?:xx|[0-9][0-9])", re.IGNORECASE).fullmatch


class SecretName(NamedTuple):
    """A place in a text where a secret goes."""

    name: str


Part = str | Path | SecretName


class ErrorRule(NamedTuple):
    """Which answers are which error. ``statuses`` None: any; ``when`` None: always."""

    statuses: frozenset[int] | None
    when: Holds | None
    error: str


@dataclass(frozen=True, slots=True)
class Basic:
    user: Text
    password: Text


@dataclass(frozen=True, slots=True)
class Bearer:
    token: Text


@dataclass(frozen=True, slots=True)
class HttpCall:
    """``body``: None where the request has none; ``sends_input``: the job's input is the body, as it came. ``timeout_s``: of one try;
    None: up to the job's deadline. ``secret_headers``: lower-case names of headers that hold a secret."""

    url: tuple[Part, ...]
    method: str
    headers: tuple[tuple[str, Value], ...]
    query: tuple[tuple[str, Value], ...]
    body: Step | None
    sends_input: bool
    auth: Basic | Bearer | None
    success: frozenset[int]
    success_when: Holds | None
    retry_on: frozenset[int]
    errors: tuple[ErrorRule, ...]
    result: str
    redirects: str
    connect_s: float
    timeout_s: float | None
    secret_headers: frozenset[str]


def prepare(http: Mapping[str, Any]) -> HttpCall:
    """Raises ValueError (or InvalidDocument) for a text, path, template or condition that can't be used."""
    method = str(http.get("Method", "POST"))
    headers: Mapping[str, Any] = http.get("Headers") or {}
    success = http.get("Success")
    good: Mapping[str, Any] = success if isinstance(success, dict) else {"Status": success}
    body = read_body(http)
    return HttpCall(
        url=read_url(str(http["Url"])),
        method=method,
        headers=tuple(read_value(key, value) for key, value in headers.items()),
        query=tuple(read_value(key, value) for key, value in (http.get("Query") or {}).items()),
        body=body,
        sends_input=body is None and "Body" not in http and method in WITH_INPUT,
        auth=read_auth(http.get("Auth")),
        success=statuses(good.get("Status") or ["2xx"]),
        success_when=compile_condition(good["When"]) if "When" in good else None,
        retry_on=statuses(http.get("RetryOn") or []),
        errors=tuple(read_errors(http.get("Error") or {})),
        result=str(http.get("Result", "body")),
        redirects=str(http.get("Redirects", "same-host")),
        connect_s=http.get("ConnectTimeoutSeconds", CONNECT_S),
        timeout_s=http.get("TimeoutSeconds"),
        secret_headers=frozenset(key.lower() for key, value in headers.items() if isinstance(value, str) and _SECRET.search(value)),
    )


def read_url(text: str) -> tuple[Part, ...]:
    """Texts, and between them ``{$.path}`` into the input and ``${secret:NAME}``. Raises ValueError."""
    parts: list[Part] = []
    behind = 0
    for found in _MARK.finditer(text):
        parts.append(_literal(text[behind : found.start()]))
        parts.append(_path(found[2]) if found[2] is not None else _secret(found[1]))
        behind = found.end()
    parts.append(_literal(text[behind:]))
    return tuple(part for part in parts if part != "")


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError(f"a brace begins or ends nothing in {text!r}: write {{$.path}} for a place of the input, %7B for a brace")
    return text


def _path(text: str) -> Path:
    path = compile_path(text)
    if not path.definite:
        raise ValueError(f"{text} may find several values: write a path that names one place, like $.order.id")
    return path


def _secret(name: str) -> SecretName:
    if not is_secret_name(name):
        raise ValueError(f"{name!r} can't be a secret's name: letters, digits, _ . and -, the first no . or -, at most 128")
    return SecretName(name)


def read_text(text: str) -> Text:
    """A text with ``${secret:NAME}``, ``${credentials}`` and ``${credentials:PART}`` in it. Raises ValueError."""
    pieces = _SECRET.split(text)  # every second one is a mark
    pieces[1::2] = [_asked(mark) for mark in pieces[1::2]]
    for word, how in (("secret", "${secret:NAME}"), ("credentials", "${credentials} or ${credentials:PART}")):
        if any("${" + word in piece for piece in pieces[::2]):
            raise ValueError(f"expected {how}, which {text!r} begins and does not end")
    if len(pieces) == 1:
        return lambda look: text
    return lambda look: "".join(look(piece) if place % 2 else piece for place, piece in enumerate(pieces))


def _asked(mark: str) -> str:
    """What a mark asks ``Look`` for."""
    word, _, name = mark.partition(":")
    if word == "secret":
        return _secret(name).name
    return CREDENTIALS + (_secret(name).name if name or mark.endswith(":") else "")


def read_value(key: str, value: Any) -> tuple[str, Value]:
    """A field of Headers or Query: its name, and what makes its value. ``"id.$": "$.order_id"`` is taken from the input. Raises
    ValueError (or InvalidDocument)."""
    if key.endswith(".$"):
        name = key[:-2]
        step = compile_template({key: value})

        def taken(input: Any, context: Any, look: Look) -> Any:
            made = step(input, context)
            return made if isinstance(made, Failure) else made[name]

        return name, taken
    if isinstance(value, str):
        text = read_text(value)
        return key, lambda input, context, look: text(look)
    if isinstance(value, list):
        items = [read_value("", item)[1] for item in value]
        return key, lambda input, context, look: [item(input, context, look) for item in items]
    if isinstance(value, dict):
        raise ValueError("an object can't be sent here: write texts, numbers, or lists of these")
    return key, lambda input, context, look: value


def read_body(http: Mapping[str, Any]) -> Step | None:
    """Of ``Body`` (a template) or ``Body.$`` (a path or a function); None where there is neither, or ``Body: null``."""
    key = "Body.$" if "Body.$" in http else "Body"
    if http.get(key) is None:
        return None
    if _any_secret(http[key]):
        raise ValueError("secrets are for Url, Query, Headers and Auth: a body that holds one would be a payload like any other")
    step = compile_template({key: http[key]})

    def made(input: Any, context: Any) -> Any:
        found = step(input, context)
        return found if isinstance(found, Failure) else found["Body"]

    return made


def _any_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_any_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(map(_any_secret, value))
    return isinstance(value, str) and ("${secret:" in value or "${credentials" in value)


def read_auth(auth: Mapping[str, Any] | None) -> Basic | Bearer | None:
    if not auth:
        return None
    if "Bearer" in auth:
        return Bearer(read_text(auth["Bearer"]))
    return Basic(read_text(auth["Basic"]["User"]), read_text(auth["Basic"]["Password"]))


def read_errors(given: Any) -> list[ErrorRule]:
    """Of ``{404: NAME, 5xx: NAME}`` or ``[{Status: [404], When: …, Error: NAME}]``, in their order."""
    if isinstance(given, dict):
        return [ErrorRule(statuses([status]), None, error) for status, error in given.items()]
    return [
        ErrorRule(
            statuses(rule["Status"]) if "Status" in rule else None,
            compile_condition(rule["When"]) if "When" in rule else None,
            rule["Error"],
        )
        for rule in given
    ]


def is_status(word: Any) -> bool:
    """404, or a class like 4xx."""
    return isinstance(word, (int, str)) and not isinstance(word, bool) and bool(_STATUS(str(word)))


def statuses(words: list[Any]) -> frozenset[int]:
    """``[404, "5xx"]`` as numbers."""
    found: set[int] = set()
    for word in map(str, words):
        found.update(range(int(word[0]) * 100, int(word[0]) * 100 + 100) if word.lower().endswith("xx") else [int(word)])
    return frozenset(found)
