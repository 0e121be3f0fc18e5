"""Secrets by name: looked up when a call is made, and taken out again of everything that leaves the worker.

``NAME`` stands in the environment as ``SFC_SECRET_NAME`` (upper case, ``.`` and ``-`` as ``_``), or is a file ``NAME`` in the
directory that ``SFC_SECRETS_DIR`` names, as Kubernetes mounts them. A file is read anew for each call, so that it may be exchanged.
Credentials of a state are the name of a secret; an ARN stands for what is behind its last slash.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from sfc.masking import HIDDEN
from sfc.wire.http_call import CREDENTIALS, is_secret_name
from sfc_workers.tasks import TaskError

MISSING = "SFC.SecretMissing"
PREFIX = "SFC_SECRET_"
CHARACTERS_MIN = 4  # a shorter one could not be taken out of an answer without spoiling it


class Secrets:
    """Where secrets are found."""

    def __init__(self, folder: Path | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environ = os.environ if environ is None else environ

    def found(self, name: str) -> str:
        """'' where there is none. Raises TaskError for a file that can't be read."""
        return self._environ.get(_variable(name)) or self._of_file(name)

    def value(self, name: str) -> str:
        """Raises TaskError that names the secret."""
        value = self.found(name)
        if not value:
            variable = _variable(name)
            where = f"set {variable}, or put it into a file {name} in " + (str(self._folder) if self._folder else "SFC_SECRETS_DIR")
            raise TaskError(MISSING, f"this worker does not know the secret {name}: {where}")
        if len(value) < CHARACTERS_MIN:
            raise TaskError(MISSING, f"the secret {name} is too short: at least {CHARACTERS_MIN} characters were expected")
        return value

    def _of_file(self, name: str) -> str:
        if self._folder is None:
            return ""
        try:
            return (self._folder / name).read_text(encoding="utf-8").rstrip("\r\n")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as e:
            raise TaskError(MISSING, f"the file of the secret {name} can't be read: {type(e).__name__}") from None


def _variable(name: str) -> str:
    return PREFIX + name.upper().replace(".", "_").replace("-", "_")


class Opened:
    """The secrets of one job. What comes back of them is hidden. ``credentials``: what the job's state names; '' for none."""

    def __init__(self, secrets: Secrets, credentials: str = "") -> None:
        self._secrets = secrets
        self._credentials = credentials
        self._hidden: set[str] = set()

    def __call__(self, name: str) -> str:
        """A secret by its name, or (``credentials:PART``) one of the credentials. Raises TaskError."""
        value = self._secrets.value(self._named(name.removeprefix(CREDENTIALS)) if name.startswith(CREDENTIALS) else name)
        self.hide(value)
        return value

    def _named(self, part: str) -> str:
        """The secret's name. It may come from a flow's input, so that it is looked at before a file is looked for."""
        if not self._credentials:
            raise TaskError(MISSING, "this task needs credentials, and its state names none: write Credentials: {RoleArn: NAME} there")
        name = self._credentials
        if name.startswith("arn:"):
            name = name.rpartition("/")[2]
        name += f".{part}" if part else ""
        if not is_secret_name(name):
            rule = "letters, digits, _ . and -, the first no . or -, at most 128"
            raise TaskError(MISSING, f"the Credentials {self._credentials!r} can't be a secret's name: {rule}")
        return name

    def hide(self, value: str) -> None:
        """Hides a value, also as URLs, JSON and HTML write it."""
        self._hidden |= {value, quote(value, safe=""), quote(value), quote_plus(value), json.dumps(value)[1:-1]}
        self._hidden |= {json.dumps(value, ensure_ascii=False)[1:-1], escape(value), escape(value, quote=False)}

    def mask(self, text: str) -> str:
        for value in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(value, HIDDEN)
        return text

    def masked(self, value: Any) -> Any:
        """JSON, with the secrets in its texts and names hidden; the very ``value`` where there are none."""
        if not self._hidden:
            return value
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, list):
            return [self.masked(item) for item in value]
        if isinstance(value, dict):
            return {self.mask(name): self.masked(item) for name, item in value.items()}
        return HIDDEN if isinstance(value, int) and str(value) in self._hidden else value
