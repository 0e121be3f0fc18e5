"""What files of documents are called, and a document's canonical form."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

SUFFIXES = (".yaml", ".yml", ".json")


def left_out(place: Path) -> bool:
    """Whether a file of a folder is none of its documents: something in its way begins with . or _."""
    return any(part.startswith((".", "_")) for part in place.parts)


def canonical(document: Any) -> str:
    """Canonical JSON: keys sorted, no spaces, text as it is. Raises ValueError or TypeError for what JSON can't say."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(canonical_json: str) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(canonical_json.encode()).hexdigest()
