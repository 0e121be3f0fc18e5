"""The server and its troubles, in SFC's words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from elastic_transport import ConnectionError as NoConnection
from elastic_transport import ConnectionTimeout, TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

from sfc.errors import BadInput, IndexFailed, IndexUnavailable
from sfc.masking import mask_url

OVERLOADED = (429, 502, 503, 504)
logging.getLogger("elastic_transport").setLevel(logging.ERROR)  # else it tells of every request, and of every attempt that failed

TIMEOUT_S = 30.0
STARTING_S = (0.05, 0.1, 0.2, 0.5, 1.0)  # pauses while a shard comes up

T = TypeVar("T")


class Server:
    """``url``: one, or several separated by commas, each with its port; a user and password may stand in them. Connects when it is
    asked for the first time. Any thread may use it. Raises BadInput for a URL that is none."""

    def __init__(self, url: str, api_key: str = "", *, timeout_s: float = TIMEOUT_S) -> None:
        urls = [one.strip() for one in url.split(",")]
        self.shown = ",".join(mask_url(one) for one in urls)
        try:
            # Whoever asks decides about another attempt: the monitor waits, a caller of the gateway is told.
            self._client = Elasticsearch(
                urls, api_key=api_key or None, request_timeout=timeout_s, max_retries=0, retry_on_timeout=False, retry_on_status=()
            )
        except ValueError as e:
            raise BadInput(f"{self.shown} is no URL of Elasticsearch: {e}", hint="write it with its port: http://127.0.0.1:9200") from None

    @contextmanager
    def asking(self) -> Iterator[Elasticsearch]:
        """The client. Raises IndexUnavailable where nobody answers or the server is overloaded, IndexFailed where it refuses."""
        try:
            yield self._client
        except ConnectionTimeout as e:
            raise IndexUnavailable(f"Elasticsearch at {self.shown} did not answer in time", hint="is it overloaded?") from e
        except NoConnection as e:
            raise IndexUnavailable(
                f"no Elasticsearch answers at {self.shown}", hint="is it running? SFC_ELASTICSEARCH_URL says where; flows go on meanwhile"
            ) from e
        except ApiError as e:
            raise self._refusal(e.meta.status, str(e)) from e
        except (TransportError, UnsupportedProductError) as e:
            raise IndexFailed(f"what answers at {self.shown} is no Elasticsearch: {e}", hint="look at SFC_ELASTICSEARCH_URL") from e

    def patiently(self, ask: Callable[[Elasticsearch], T], good: Callable[[T], bool] = lambda _answer: True) -> T:
        """Asks again for a moment where the server is there and a shard is not: one of an index that has just been made, or one that is
        moving. Raises as ``asking`` does."""
        for pause_s in STARTING_S:
            try:
                with self.asking() as es:
                    answer = ask(es)
                if good(answer):
                    return answer
            except IndexUnavailable as e:
                if not (isinstance(e.__cause__, ApiError) and e.__cause__.meta.status == 503):
                    raise
            time.sleep(pause_s)
        with self.asking() as es:
            answer = ask(es)
        if good(answer):
            return answer
        raise IndexUnavailable(f"Elasticsearch at {self.shown} can't read a part of the flow index", hint="it is asked again")

    def close(self) -> None:
        self._client.close()

    def _refusal(self, status: int, reason: str) -> IndexFailed:
        if status in OVERLOADED:
            return IndexUnavailable(f"Elasticsearch at {self.shown} is overloaded or not ready ({status})", hint="it is asked again")
        if status in (401, 403):
            return IndexFailed(
                f"Elasticsearch at {self.shown} refuses this user ({status}): {reason}", hint="look at SFC_ELASTICSEARCH_API_KEY"
            )
        return IndexFailed(f"Elasticsearch at {self.shown} refused a request ({status}): {reason}")
