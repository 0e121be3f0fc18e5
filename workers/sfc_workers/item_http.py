"""What is behind an http(s) URL: read with GET, written with PUT."""

from __future__ import annotations

import time
from urllib.parse import quote

import httpx

from sfc_workers.item_formats import SOURCE_BYTES_MAX

TIMEOUT_S = 30.0  # of connecting, and of each silence
WHOLE_S = 600.0


class Unsteady(ValueError):
    """It may go better when it is tried again."""


def url_of(url: str, parts: list[str]) -> str:
    """``parts``: below the URL. Raises ValueError."""
    if parts and ("?" in url or "#" in url):
        raise ValueError("a URL with a query takes no Bucket and Key below it")
    below = "/".join(quote(part) for part in parts)
    return f"{url.rstrip('/')}/{below}" if below else url


def fetch(url: str, transport: httpx.BaseTransport | None = None) -> bytes:
    """What a GET gives; 64 MiB at most. Redirects are not followed: the blueprint says where is read. Raises ValueError."""
    shown = _shown(url)
    ends_s = time.monotonic() + WHOLE_S
    found = bytearray()
    try:
        with _client(transport) as client, client.stream("GET", url) as response:
            _check(f"GET {shown}", response, (200,))
            for chunk in response.iter_bytes():
                found += chunk
                if len(found) > SOURCE_BYTES_MAX:
                    raise ValueError(f"GET {shown}: more than {SOURCE_BYTES_MAX} bytes came")
                if time.monotonic() > ends_s:
                    raise ValueError(f"GET {shown}: it took longer than {WHOLE_S:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        raise Unsteady(f"GET {shown}: {e or type(e).__name__}") from None
    return bytes(found)


def put(url: str, content: bytes, content_type: str, transport: httpx.BaseTransport | None = None) -> None:
    """Raises ValueError."""
    shown = _shown(url)
    try:
        with _client(transport) as client:
            _check(f"PUT {shown}", client.put(url, content=content, headers={"Content-Type": content_type}), (200, 201, 202, 204))
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        raise Unsteady(f"PUT {shown}: {e or type(e).__name__}") from None


def _client(transport: httpx.BaseTransport | None) -> httpx.Client:
    return httpx.Client(transport=transport, timeout=TIMEOUT_S, follow_redirects=False)


def _check(what: str, response: httpx.Response, expected: tuple[int, ...]) -> None:
    if response.status_code not in expected:
        kind = Unsteady if response.status_code >= 500 or response.status_code == 429 else ValueError
        raise kind(f"{what}: status {' or '.join(map(str, expected))} was expected, {response.status_code} came")


def _shown(url: str) -> str:
    """Without what may be a secret."""
    return url.partition("?")[0].rpartition("@")[2]
