"""HTTP tasks against a real HTTP server: what is asked, and what is made of the answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from sfc_workers import http
from sfc_workers.http_request import FORM
from sfc_workers.http_response import read_answer
from sfc_workers.secrets import Secrets

from sfc.engine.turn import PAYLOAD_BYTES_MAX
from sfc.wire import headers
from tests.unit.workers.http_service import Asked, Said, Service, Site, serving

ORDER = {"order": {"id": "a/b", "lines": [{"sku": "x"}]}, "q": "tea & co", "tags": ["new", "hot"]}


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as service:
        yield service


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def test_query_headers_and_body_are_templates_over_the_input(service: Service, site: Site) -> None:
    section = {
        "Url": service.url + "/orders/{$.order.id}?fixed=1",
        "Method": "PUT",
        "Query": {"q.$": "$.q", "tag.$": "$.tags", "page": 2, "all": True, "none": None},
        "Headers": {"X-Order.$": "$.order.id", "X-Flow.$": "$$.Execution.Id", "X-Plain": "1"},
        "Body": {"sku.$": "$.order.lines[0].sku", "label.$": "States.Format('#{}', $.order.id)", "fixed": [1]},
    }
    service.answer = lambda asked: Said(body={"id": 7})
    assert site.do(section, ORDER) == ({"id": 7}, None, "")
    [asked] = service.asked
    assert (asked.method, asked.path) == ("PUT", "/orders/a%2Fb?fixed=1&q=tea%20%26%20co&tag=new&tag=hot&page=2&all=true")
    assert json.loads(asked.body) == {"sku": "x", "label": "#a/b", "fixed": [1]}
    assert (asked.headers["x-order"], asked.headers["x-flow"], asked.headers["x-plain"]) == ("a/b", "shop:1", "1")


@pytest.mark.parametrize(
    ("method", "body", "key"),
    [
        ("POST", b'{"a": 1}', True),
        ("PUT", b'{"a": 1}', True),
        ("PATCH", b'{"a": 1}', True),
        ("DELETE", b"", True),
        ("GET", b"", False),
        ("HEAD", b"", False),
        ("OPTIONS", b"", False),
    ],
)
def test_the_input_is_the_body_and_the_token_the_key_where_the_method_says_so(
    service: Service, site: Site, method: str, body: bytes, key: bool
) -> None:
    assert site.do({"Url": service.url, "Method": method}, {"a": 1}).error is None
    [asked] = service.asked
    assert (asked.body, asked.headers.get("idempotency-key")) == (body, "shop:1/0/1/x" if key else None)


def test_a_document_s_own_idempotency_key_and_content_type_win_however_they_are_written(service: Service, site: Site) -> None:
    own = {"idempotency-KEY.$": "$.id", "content-type": "application/vnd.shop+json"}
    site.do({"Url": service.url, "Headers": own}, {"id": "o-1"})
    [asked] = service.asked
    assert (asked.headers["idempotency-key"], asked.headers["content-type"]) == ("o-1", "application/vnd.shop+json")


@pytest.mark.parametrize(
    ("section", "body"),
    [
        ({"Body": None}, b""),
        ({"Body.$": "$.order.lines"}, b'[{"sku":"x"}]'),
        ({"Body.$": "$.q"}, b'"tea & co"'),
        ({"Body.$": "$.q", "Headers": {"Content-Type": "text/plain"}}, b"tea & co"),
        ({"Body": {"q.$": "$.q", "tag.$": "$.tags", "no": None}, "Headers": {"Content-Type": FORM}}, b"q=tea+%26+co&tag=new&tag=hot"),
    ],
)
def test_a_body_is_json_or_a_form_or_text_as_content_type_says(service: Service, site: Site, section: dict[str, Any], body: bytes) -> None:
    assert site.do({"Url": service.url, **section}, ORDER).error is None
    assert service.asked[0].body == body


@pytest.mark.parametrize(
    ("section", "given"),
    [
        ({"Url": "{}/o/{{$.id}}"}, {}),
        ({"Url": "{}/o/{{$.id}}"}, {"id": ""}),
        ({"Url": "{}/o/{{$.id}}"}, {"id": ".."}),
        ({"Url": "{}/o/{{$.a}}{{$.a}}/x"}, {"a": "."}),
        ({"Url": "{}", "Query": {"a.$": "$.a"}}, {}),
        ({"Url": "{}", "Query": {"a.$": "$.a"}}, {"a": [{"b": 1}]}),
        ({"Url": "{}", "Headers": {"a.$": "$.a"}}, {"a": ["b"]}),
        ({"Url": "{}", "Body.$": "$.a"}, {}),
        ({"Url": "{}", "Headers": {"Content-Type": FORM}}, "text"),
    ],
)
def test_an_input_that_does_not_fit_fails_the_job_and_nothing_is_asked(
    service: Service, site: Site, section: dict[str, Any], given: Any
) -> None:
    outcome = site.do({**section, "Url": section["Url"].format(service.url)}, given)
    assert outcome.error == "States.ParameterPathFailure"
    assert service.asked == []


def test_a_header_with_a_line_break_is_not_sent(service: Service, site: Site) -> None:
    outcome = site.do({"Url": service.url, "Headers": {"X-A.$": "$.a"}}, {"a": "1\r\nX-Evil: 1"})
    assert (outcome.error, service.asked) == ("States.Runtime", [])
    assert "X-A" in outcome.cause
    assert "Evil" not in outcome.cause


def test_the_whole_response_is_the_result_where_it_is_asked_for(service: Service, site: Site) -> None:
    service.answer = lambda asked: Said(201, {"id": 7}, {"X-Shop-Id": "9"})
    found = site.do({"Url": service.url, "Result": "response"}).output
    assert (found["status"], found["body"], found["headers"]["x-shop-id"]) == (201, {"id": 7}, "9")


OK_MEANS_OK = {"Status": ["2xx"], "When": "$.body.ok == true"}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Said(200, {"ok": True}), None),
        (Said(200, {"ok": False}), "Http.200"),
        (Said(200, b"ok"), "Http.200"),
        (Said(200, {"ok": False, "code": "STOCK"}), "OutOfStock"),
        (Said(404, {}), "OrderUnknown"),
        (Said(409, {"code": "STOCK"}), "OutOfStock"),
        (Said(418, b"teapot"), "Http.418"),
    ],
)
def test_success_and_errors_are_told_by_status_and_predicate(service: Service, site: Site, said: Said, error: str | None) -> None:
    rules = [{"Status": [404], "Error": "OrderUnknown"}, {"When": "$.body.code == 'STOCK'", "Error": "OutOfStock"}]
    service.answer = lambda asked: said
    assert site.do({"Url": service.url, "Success": OK_MEANS_OK, "Error": rules}).error == error


def test_errors_may_be_named_by_status_alone(service: Service, site: Site) -> None:
    for status, error in ((404, "Gone"), (503, "Busy"), (400, "Http.400")):
        service.answer = lambda asked, status=status: Said(status)  # type: ignore[misc]
        assert site.do({"Url": service.url, "Error": {"404": "Gone", "5xx": "Busy"}}).error == error


def test_an_answer_beyond_the_limit_is_not_read_to_its_end(service: Service, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    async def reading(response: Any) -> Any:
        answer = await read_answer(response)
        read.append(response.num_bytes_downloaded)
        return answer

    monkeypatch.setattr(http, "read_answer", reading)
    service.answer = lambda asked: Said(body=b"x" * 50_000_000)
    assert site.do({"Url": service.url}).error == "States.DataLimitExceeded"
    assert PAYLOAD_BYTES_MAX < read[0] < PAYLOAD_BYTES_MAX + 1_000_000
    service.answer = lambda asked: Said(500, b"x" * 1_000_000)
    error, cause = site.do({"Url": service.url})[1:]
    assert (error, cause) == ("Http.500", "x" * 1_000)


@pytest.mark.parametrize("by_date", [False, True])
def test_retry_after_is_waited_for_with_signs_of_life(service: Service, site: Site, by_date: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "RETRY_S", 0.001)

    def busy_once(asked: Asked) -> Said:
        if len(service.asked) > 1:
            return Said(body="done")
        when = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if by_date else "1"
        return Said(429, headers={"Retry-After": when})

    service.answer = busy_once
    since_s = time.monotonic()
    assert site.do({"Url": service.url, "RetryOn": [429]}, heartbeat_s=1).output == "done"
    assert time.monotonic() - since_s >= 0.9
    assert len(service.asked) == 2
    beats = [r for r in site.last if headers.find(r.headers, headers.HEARTBEAT) is not None]
    assert len(beats) >= 2


@pytest.mark.parametrize(("asks_s", "seconds"), [("30", 5), ("100000", 1_000_000)])
def test_a_retry_after_beyond_the_deadline_or_the_longest_wait_fails_at_once(
    service: Service, site: Site, asks_s: str, seconds: float
) -> None:
    service.answer = lambda asked: Said(503, headers={"Retry-After": asks_s})
    since_s = time.monotonic()
    assert site.do({"Url": service.url, "RetryOn": ["5xx"]}, seconds=seconds).error == "Http.503"
    assert time.monotonic() - since_s < 10
    assert len(service.asked) == 1


def test_a_call_has_a_time_of_its_own(service: Service, site: Site) -> None:
    service.answer = lambda asked: Said(after_s=5)
    since_s = time.monotonic()
    outcome = site.do({"Url": service.url + "/slow?key=1", "TimeoutSeconds": 1})
    assert outcome.error == "States.Http.Socket"
    assert outcome.cause == f"POST {service.url}/slow: no answer within 1 s"
    assert time.monotonic() - since_s < 4


def test_nothing_is_answered_after_the_deadline_though_the_call_may_last_longer(service: Service, site: Site) -> None:
    service.answer = lambda asked: Said(after_s=0.8)
    assert site.do({"Url": service.url, "TimeoutSeconds": 30}, seconds=0.3) == (None, None, "")
    assert site.worker.counts.late == 1


def test_a_redirect_is_followed_on_the_same_host_only(service: Service, site: Site) -> None:
    with serving() as other:
        service.answer = lambda asked: (
            Said(302, headers={"Location": "/new" if asked.path == "/here" else other.url}) if asked.path != "/new" else Said(body="new")
        )
        assert site.do({"Url": service.url + "/here"}).output == "new"
        outcome = site.do({"Url": service.url + "/away", "Headers": {"X-A": "1"}})
        assert outcome.error == "Http.302"
        assert other.asked == []
        assert site.do({"Url": service.url + "/here", "Redirects": "none"}).error == "Http.302"
        assert site.do({"Url": service.url + "/here", "Success": [302], "Result": "response"}).output["headers"]["location"] == "/new"


def test_where_any_redirect_is_followed_secrets_stay_with_their_host(service: Service) -> None:
    site = Site({"SFC_SECRET_KEY": "hunter2-key", "SFC_SECRET_TOKEN": "hunter2-token"})
    section = {
        "Url": service.url,
        "Method": "GET",
        "Redirects": "any",
        "Headers": {"X-Key": "${secret:key}", "X-A": "1"},
        "Auth": {"Bearer": "${secret:token}"},
    }
    with serving() as other:
        service.answer = lambda asked: Said(307, headers={"Location": other.url + "/there"})
        assert site.do(section).error is None
        assert service.asked[0].headers["x-key"] == "hunter2-key"
        [asked] = other.asked
        assert (asked.path, asked.headers["x-a"]) == ("/there", "1")
        assert "hunter2" not in str(asked)
    site.close()


def test_one_flow_s_cookies_are_not_sent_for_the_next(service: Service, site: Site) -> None:
    service.answer = lambda asked: Said(headers={"Set-Cookie": "session=1; Path=/"})
    site.do({"Url": service.url})
    site.do({"Url": service.url})
    assert [asked.headers.get("cookie") for asked in service.asked] == [None, None]


def test_secrets_come_from_the_environment_or_a_file_and_are_read_anew(service: Service, tmp_path: Path) -> None:
    site = Site(Secrets(tmp_path, {"SFC_SECRET_SHOP_KEY": "from-environment"}))
    (tmp_path / "pass-word").write_text("from file/1\n")
    section = {
        "Url": service.url + "/${secret:pass-word}",
        "Query": {"key": "${secret:shop.key}"},
        "Auth": {"Basic": {"User": "ada", "Password": "${secret:pass-word}"}},
    }
    site.do(section)
    assert service.asked[0].path == "/from%20file%2F1?key=from-environment"
    assert service.asked[0].headers["authorization"] == "Basic YWRhOmZyb20gZmlsZS8x"
    (tmp_path / "pass-word").write_text("other-one")
    site.do(section)
    assert service.asked[1].path == "/other-one?key=from-environment"
    site.close()


def test_a_whole_url_may_be_a_secret(service: Service) -> None:
    site = Site({"SFC_SECRET_HOOK": f"{service.url}/hooks/hunter2?x=1"})
    assert site.do({"Url": "${secret:hook}", "Query": {"y": 2}}).error is None
    assert service.asked[0].path == "/hooks/hunter2?x=1&y=2"
    site.close()


@pytest.mark.parametrize("status", [200, 404])
def test_the_path_and_the_query_of_a_secret_url_are_hidden_in_what_it_answers(service: Service, status: int) -> None:
    site = Site({"SFC_SECRET_HOOK": f"{service.url}/hooks/hunt%C3%A9r2?key=hunter3"})
    service.answer = lambda asked: Said(status, {"said": f"Cannot GET {asked.path}", "plain": unquote(asked.path)})
    outcome = site.do({"Url": "${secret:hook}", "Method": "GET", "Query": {"page": "second"}})
    said = str(outcome)
    assert "Cannot GET" in said
    assert "second" in said, "what is no secret stays"
    for hidden in ("hunt", "hooks"):
        assert hidden not in said
    site.close()


def test_a_secret_is_hidden_as_html_writes_it_too(service: Service) -> None:
    site = Site({"SFC_SECRET_KEY": "hunter<&>2"})
    service.answer = lambda asked: Said(403, "<b>" + escape(asked.headers["x-key"]) + "</b>")
    outcome = site.do({"Url": service.url, "Headers": {"X-Key": "${secret:key}"}})
    assert outcome.error == "Http.403"
    assert "hunter" not in outcome.cause
    site.close()


def test_an_unknown_secret_fails_the_job_by_its_name(service: Service, site: Site) -> None:
    outcome = site.do({"Url": service.url, "Headers": {"X-Key": "${secret:shop-key}"}})
    assert outcome.error == "SFC.SecretMissing"
    assert "secret shop-key" in outcome.cause
    assert "SFC_SECRET_SHOP_KEY" in outcome.cause
    assert service.asked == []


def test_an_input_can_t_name_a_secret(service: Service) -> None:
    site = Site({"SFC_SECRET_KEY": "hunter2-key"})
    given = {"a": "${secret:key}"}
    site.do({"Url": service.url + "/{$.a}", "Query": {"a.$": "$.a"}, "Headers": {"X-A.$": "$.a"}}, given)
    assert "hunter2" not in str(service.asked)
    assert service.asked[0].headers["x-a"] == "${secret:key}"
    site.close()


SECRET = 'hunter2/"ü&9'


def everything(asked: Asked) -> dict[str, Any]:
    return {"path": asked.path, "headers": asked.headers, "body": asked.body.decode()}


@pytest.mark.parametrize(
    "said",
    [
        lambda asked: Said(200, everything(asked)),
        lambda asked: Said(401, everything(asked)),
        lambda asked: Said(400, json.dumps(everything(asked), ensure_ascii=False).encode()),
        lambda asked: Said(400, b"x" * 995 + SECRET.encode()),
        lambda asked: Said(200, {"ok": 1}, {"X-Echo": asked.headers["authorization"]}),
        lambda asked: Said(302, headers={"Location": "https://elsewhere.example" + asked.path}),
        lambda asked: Said(200, b"{", {"Content-Type": "application/json"}),
    ],
)
def test_a_secret_that_a_service_sends_back_does_not_leave_the_worker(
    service: Service, said: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    site = Site({"SFC_SECRET_KEY": SECRET})
    service.answer = said
    key = "${secret:key}"
    site.do(
        {"Url": service.url + "/" + key, "Query": {"k": key}, "Auth": {"Basic": {"User": "ada", "Password": key}}, "Result": "response"}
    )
    assert "hunter2" in service.asked[0].path
    basic = service.asked[0].headers["authorization"].removeprefix("Basic ")
    told = caplog.text + "".join(f"{r.value!r} {(r.value or b'').decode()} {r.headers}" for r in site.last)
    assert "hunter2" not in told
    assert basic not in told
    site.close()


def test_a_socket_error_tells_no_secret(site: Site) -> None:
    with serving() as gone:
        url = gone.url
    site = Site({"SFC_SECRET_KEY": "hunter2-key"})
    outcome = site.do({"Url": url + "/${secret:key}", "Query": {"k": "${secret:key}"}})
    assert outcome.error == "States.Http.Socket"
    assert "hunter2" not in outcome.cause
    assert url in outcome.cause
    site.close()
