"""API keys: who may ask the gateway for what.

A key is ``sfc_<id>_<secret>``. The secret is 32 random bytes, and only its SHA-256 is kept. A fast hash is right for that: slow ones
(argon2, bcrypt) make up for passwords that people choose and that can be guessed; nobody guesses 256 random bits, however fast each guess
may be, and a request should not cost what a slow hash costs.

As soon as a key has been made, requests need one, even when all of them have been revoked: losing the last key opens nothing.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

from msgspec import Struct
from sqlmodel import Session, col, func, select

from sfc.errors import BadInput, NotPossible, UnknownName
from sfc.registry.holds import Sessions
from sfc.registry.shapes import NAME, NAME_RULE, did_you_mean
from sfc.registry.tables import KeyRow

ROLES = ("viewer", "operator", "editor", "admin")
"""Each may do what those before it may."""

PREFIX = "sfc"
_ID_BYTES = 6
_SECRET_BYTES = 32
_NO_HASH = "0" * 64  # compared with where an id is unknown, so that this takes as long


class KeyInfo(Struct, frozen=True):
    """A key without its secret. Times in milliseconds since 1970; ``revoked_ms`` 0: it holds good."""

    id: str
    name: str
    role: str
    created_ms: int
    revoked_ms: int = 0


class MadeKey(KeyInfo, frozen=True, kw_only=True):
    """A key that was just made. ``key`` is shown this once, and kept nowhere."""

    key: str


class Caller(NamedTuple):
    """Who asks: a key's name and role."""

    name: str
    role: str


class Keyring:
    """All keys as they were at one moment; answers without a database."""

    def __init__(self, rows: Iterable[KeyRow]) -> None:
        self._rows: Mapping[str, KeyRow] = {row.id: row for row in rows}

    @property
    def in_use(self) -> bool:
        """Whether a key was ever made."""
        return bool(self._rows)

    def caller(self, key: str) -> Caller | None:
        """Whose key it is; None when it is none, wrong or revoked. The secret is compared in constant time."""
        prefix, _, rest = key.partition("_")
        id_, _, secret = rest.partition("_")
        row = self._rows.get(id_)
        same = hmac.compare_digest(_hash(secret), _NO_HASH if row is None else row.hash)
        if row is None or not same or prefix != PREFIX or row.revoked_ms:
            return None
        return Caller(row.name, row.role)


class Keys:
    """Makes, lists and revokes keys in the registry's database."""

    def __init__(self, registry: Sessions) -> None:
        self._registry = registry

    def create(self, name: str, role: str) -> MadeKey:
        """A new key. A revoked one of that name is forgotten. Raises BadInput, and NotPossible while a key has the name."""
        check_role(role)
        if not NAME(name):
            raise BadInput(f"{name!r:.120} can't be the name of a key: {NAME_RULE}")
        id_, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
        with self._registry.edit() as edit:
            if edit.session.get(KeyRow, name) is not None:  # `revoke` takes either: it must not end another key than is meant
                raise NotPossible(f"{name} is the id of another key", hint="choose another name")
            old = edit.session.exec(select(KeyRow).where(KeyRow.name == name)).first()
            if old is not None and not old.revoked_ms:
                raise NotPossible(f"there is a key {name} already", hint=f"choose another name, or end it: sfc keys revoke {name}")
            if old is not None:
                edit.session.delete(old)
                edit.session.flush()
            edit.session.add(KeyRow(id=id_, name=name, role=role, hash=_hash(secret), created_ms=edit.now_ms))
            return MadeKey(id=id_, name=name, role=role, created_ms=edit.now_ms, key=f"{PREFIX}_{id_}_{secret}")

    def all(self) -> list[KeyInfo]:
        """All, by name, revoked ones too."""
        with self._registry.read() as session:
            return [_info(row) for row in session.exec(select(KeyRow).order_by(col(KeyRow.name)))]

    def revoke(self, name: str) -> KeyInfo:
        """Ends a key, named by its name or id. Raises UnknownName. Revoking a revoked one changes nothing."""
        with self._registry.edit() as edit:
            row = _row(edit.session, name)
            row.revoked_ms = row.revoked_ms or edit.now_ms
            return _info(row)

    def in_use(self) -> bool:
        """Whether a key was ever made: then requests need one."""
        with self._registry.read() as session:
            return bool(session.exec(select(func.count()).select_from(KeyRow)).one())

    def ring(self) -> Keyring:
        """What decides about requests, read once."""
        with self._registry.read() as session:
            rows = list(session.exec(select(KeyRow)))
            session.expunge_all()
            return Keyring(rows)


def check_role(role: str) -> None:
    """Raises BadInput."""
    if role not in ROLES:
        raise BadInput(f"there is no role {role!r:.80}: {', '.join(ROLES)} are, and each may do what those before it may")


def allows(role: str, needed: str) -> bool:
    """Whether a role includes another."""
    return ROLES.index(role) >= ROLES.index(needed)


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _row(session: Session, name: str) -> KeyRow:
    found = session.exec(select(KeyRow).where((col(KeyRow.name) == name) | (col(KeyRow.id) == name))).first()
    if found is None:
        known = session.exec(select(KeyRow.name))
        raise UnknownName(f"there is no key {name!r:.120}", hint=did_you_mean(name, known) or "`sfc keys list` shows those there are")
    return found


def _info(row: KeyRow) -> KeyInfo:
    return KeyInfo(row.id, row.name, row.role, row.created_ms, row.revoked_ms)
