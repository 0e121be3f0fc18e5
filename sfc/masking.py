"""Hides secrets before anything is shown or logged."""

from __future__ import annotations

import re

HIDDEN = "********"

_SECRET = re.compile(r"password|secret|token|(^|[._-])key($|[._-])|\.pem$|jaas|oauthbearer\.config", re.IGNORECASE)
_PLACE = re.compile(r"(location|file|url|dir)$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)([^:@/\s]*):[^@\s]*(?=@)")
_URL_PARAMETER = re.compile(r"(?<=[?&])(\w*password)=[^&\s]*", re.IGNORECASE)

_KEY = re.compile(r"(sfc_[0-9a-f]{12}_)[A-Za-z0-9_-]+")


def is_secret(name: str) -> bool:
    """Whether a setting of this name holds a secret. Names of places (``ssl.key.location``) hold none."""
    return bool(_SECRET.search(name)) and not _PLACE.search(name)


def mask_url(url: str) -> str:
    """The URL without its passwords, that of the user and those among the parameters."""
    return _URL_PARAMETER.sub(rf"\1={HIDDEN}", _URL_PASSWORD.sub(rf"\1:{HIDDEN}", url))


def mask_keys(text: str) -> str:
    """The text without the secrets of API keys (``sfc_<id>_<secret>``)."""
    return _KEY.sub(rf"\1{HIDDEN}", text)
