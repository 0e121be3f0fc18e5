"""What may stand in a task's ``Http`` section: every field, and everything in it that must compile."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from sfc import asl
from sfc.errors import InvalidDocument
from sfc.registry.shapes import Checks, join, shown
from sfc.wire.http_call import METHODS, REDIRECTS, RESULTS, is_status, read_body, read_text, read_url, read_value

FIELDS = (
    "Url", "Method", "Headers", "Query", "Body", "Body.$", "Auth", "Success", "RetryOn", "Error", "Result", "Redirects",
    "ConnectTimeoutSeconds", "TimeoutSeconds",
)  # fmt: skip
_CONDITION = "a condition over status, headers and body ($.body.ok == true)"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_PLACES = re.compile(r"\$\{secret:[^{}]*\}|\{\$[^{}]*\}")


def check_http(checks: Checks, value: Any, at: str) -> None:
    http = checks.fields(value, at, FIELDS, ["Url"])
    if "Url" in http:
        check_url(checks, http["Url"], join(at, "Url"))
    for field, words in (("Method", METHODS), ("Result", RESULTS), ("Redirects", REDIRECTS)):
        if field in http:
            checks.one_of(http[field], join(at, field), words)
    for field in ("ConnectTimeoutSeconds", "TimeoutSeconds"):
        if field in http:
            checks.seconds(http[field], join(at, field))
    for field in ("Headers", "Query"):
        if field in http:
            _values(checks, http[field], join(at, field), lists=field == "Query")
    if "Body" in http and "Body.$" in http:
        checks.add("one-of", join(at, "Body.$"), "a request has Body or Body.$, not both.", "Leave one of them out.")
    elif "Body" in http or "Body.$" in http:
        _compiled(checks, join(at, "Body"), lambda: read_body(http))
    if "Auth" in http:
        _auth(checks, http["Auth"], join(at, "Auth"), http.get("Headers"))
    if "Success" in http:
        _success(checks, http["Success"], join(at, "Success"))
    if "RetryOn" in http:
        _statuses(checks, http["RetryOn"], join(at, "RetryOn"))
    if "Error" in http:
        _errors(checks, http["Error"], join(at, "Error"))


def check_url(checks: Checks, value: Any, at: str) -> None:
    """A URL with ``{$.path}`` and ``${secret:NAME}`` in it; one that begins with a secret is known only when it is called."""
    if not isinstance(value, str) or not value.startswith("${secret:"):
        plain = _PLACES.sub("0", value) if isinstance(value, str) else value  # a digit may stand in a host, a port and a path
        if checks.http_url(plain, at) is None:
            return
    checks.compiles(value, at, read_url, "a URL with places like {$.order.id}")


def _compiled(checks: Checks, at: str, compile_: Callable[[], Any]) -> None:
    """What is wrong comes with a pointer of its own where it has one."""
    try:
        compile_()
    except InvalidDocument as e:
        parent = at.rpartition("/")[0]  # a template is compiled with its field's name before it
        checks.problems += [p._replace(pointer=parent + p.pointer) for p in e.problems]
    except ValueError as e:
        checks.add("bad-expression", at, f"{e}.")


def _values(checks: Checks, value: Any, at: str, *, lists: bool) -> None:
    """Texts, numbers and truth values, in Query lists of them too; ``"id.$"`` holds a path or a function."""
    if not isinstance(value, dict):
        checks.add("wrong-type", at, f"expected an object of names and texts, came {shown(value)}.")
        return
    for name, item in value.items():
        here = join(at, name)
        if not lists and not _HEADER(name.removesuffix(".$")):
            checks.add("bad-name", here, f"expected the name of a header, came {shown(name)}.")
        plain = isinstance(item, (str, bool, int, float)) or item is None if lists else isinstance(item, str)
        if plain or name.endswith(".$") or (lists and isinstance(item, list)):
            _compiled(checks, here, lambda name=name, item=item: read_value(name, item))  # type: ignore[misc]
        else:
            what = "text, a number or a list of these" if lists else "text"
            checks.add("wrong-type", here, f"expected {what}, came {shown(item)}.", "Put it in quotes.")


def _auth(checks: Checks, value: Any, at: str, headers: Any) -> None:
    auth = checks.fields(value, at, ["Basic", "Bearer"])
    if isinstance(value, dict) and len(auth) != 1:
        checks.add("one-of", at, "expected one of Basic and Bearer.", "Write {Bearer: ${secret:NAME}}.")
    if isinstance(headers, dict) and any(str(name).removesuffix(".$").lower() == "authorization" for name in headers):
        checks.add("one-of", at, "Auth makes the header Authorization, and Headers has one.", "Leave one of them out.")
    if "Bearer" in auth:
        checks.compiles(auth["Bearer"], join(at, "Bearer"), read_text, "a text like ${secret:NAME}")
    if "Basic" in auth:
        here = join(at, "Basic")
        basic = checks.fields(auth["Basic"], here, ["User", "Password"], ["User", "Password"])
        for field in basic:
            checks.compiles(basic[field], join(here, field), read_text, "a text like ${secret:NAME}")


def _success(checks: Checks, value: Any, at: str) -> None:
    if not isinstance(value, dict):
        _statuses(checks, value, at)
        return
    success = checks.fields(value, at, ["Status", "When"])
    if "Status" in success:
        _statuses(checks, success["Status"], join(at, "Status"))
    if "When" in success:
        checks.compiles(success["When"], join(at, "When"), asl.compile_condition, _CONDITION)


def _errors(checks: Checks, value: Any, at: str) -> None:
    if isinstance(value, dict):
        for status, error in value.items():
            _each_status(checks, [status], [join(at, status)])
            checks.text(error, join(at, status))
        return
    if not isinstance(value, list):
        checks.add("wrong-type", at, f"expected an object of statuses and names, or a list of rules, came {shown(value)}.",
                   "Write {404: OrderUnknown}, or [{When: \"$.body.code == 'x'\", Error: NAME}].")  # fmt: skip
        return
    for index, one in enumerate(value):
        here = join(at, index)
        rule = checks.fields(one, here, ["Status", "When", "Error"], ["Error"])
        if "Error" in rule:
            checks.text(rule["Error"], join(here, "Error"))
        if "Status" in rule:
            _statuses(checks, rule["Status"], join(here, "Status"))
        if "When" in rule:
            checks.compiles(rule["When"], join(here, "When"), asl.compile_condition, _CONDITION)


def _statuses(checks: Checks, value: Any, at: str) -> None:
    words = checks.listing(value, at)
    _each_status(checks, words, [join(at, index) for index in range(len(words))])


def _each_status(checks: Checks, words: Iterable[Any], pointers: Iterable[str]) -> None:
    for word, pointer in zip(words, pointers, strict=True):
        if not is_status(word):
            checks.add("wrong-value", pointer, f"expected a status (404) or a class (4xx), came {shown(word)}.")
