"""Items behind an http(s) URL."""

from __future__ import annotations

import io
import time
from typing import BinaryIO
from urllib.parse import quote

import httpx

from sfc_workers.item_formats import SOURCE_BYTES_MAX

TIMEOUT_S = 30.0  # of connecting, and of each silence
WHOLE_S = 600.0


def fetch(url: str, parts: list[str], transport: httpx.BaseTransport | None = None) -> BinaryIO:
    """What a GET gives; 64 MiB at most. ``parts``: below the URL. Redirects are not followed: the blueprint says where is read.
    Raises ValueError."""
    if parts and ("?" in url or "#" in url):
        raise ValueError("a URL with a query takes no Bucket and Key below it")
    below = "/".join(quote(part) for part in parts)
    whole = f"{url.rstrip('/')}/{below}" if below else url
    shown = whole.partition("?")[0].rpartition("@")[2]  # without what may be a secret
    ends_s = time.monotonic() + WHOLE_S
    found = io.BytesIO()
    try:
        with (
            httpx.Client(transport=transport, timeout=TIMEOUT_S, follow_redirects=False) as client,
            client.stream("GET", whole) as response,
        ):
            if response.status_code != 200:
                raise ValueError(f"GET {shown}: status 200 was expected, {response.status_code} came")
            for chunk in response.iter_bytes():
                found.write(chunk)
                if found.tell() > SOURCE_BYTES_MAX:
                    raise ValueError(f"GET {shown}: more than {SOURCE_BYTES_MAX} bytes came")
                if time.monotonic() > ends_s:
                    raise ValueError(f"GET {shown}: it took longer than {WHOLE_S:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        raise ValueError(f"GET {shown}: {e or type(e).__name__}") from None
    found.seek(0)
    return found
