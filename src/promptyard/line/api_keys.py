"""Makes, rotates, revokes and lists the keys of the service; and reads the log of what was done.

The text of a key is returned once and stored nowhere. What is done here on the store itself, by the
command line, is logged by whoever calls (`note_by_hand`); the service logs its own requests.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from promptyard.errors import ConfigError, Conflict, NotFound
from promptyard.line.query import StoreOrUrl, opened
from promptyard.records.api_keys import (
    SCOPES,
    ApiKey,
    KeyInfo,
    MadeKey,
    Scope,
    digest_of,
    key_text,
)
from promptyard.records.audit import AuditEntry
from promptyard.records.rollouts import ENGINE

MAX_NAME_CHARS = 100
MAX_LIFE_S = 10 * 365 * 86_400.0
MAX_GRACE_S = 30 * 86_400.0
DEFAULT_GRACE_S = 3_600.0
BY_HAND = 200
"""The status under which an act on the store itself is logged: it was done."""


async def create_key(
    url: StoreOrUrl,
    name: str,
    scopes: Sequence[str],
    *,
    actor: str,
    expires_in_s: float | None = None,
) -> MadeKey:
    """Make a key; `expires_in_s` is up to ten years, None for ever. A missing store is made.

    Raises ConfigError for a name that is none, no scope, or a lifetime out of range.
    """
    key_id, text = _new_key()
    now = datetime.now(UTC)
    key = ApiKey(
        id=key_id,
        name=_checked_name(name),
        scopes=_checked_scopes(scopes),
        digest=digest_of(text),
        created_at=_written(now),
        created_by=actor,
        expires_at=_end(now, expires_in_s, MAX_LIFE_S, "a key's lifetime"),
    )
    async with opened(url, must_exist=False) as store:
        await store.add_key(key)
        warnings = _warnings(await store.keys(), _written(now))
    return MadeKey(secret=text, key=KeyInfo.of(key, _written(now)), warnings=warnings)


async def rotate_key(
    url: StoreOrUrl,
    key_id: str,
    *,
    actor: str,
    grace_s: float = DEFAULT_GRACE_S,
    expires_in_s: float | None = None,
) -> MadeKey:
    """Make a key in the place of another, which works for `grace_s` more (up to 30 days; 0: ends).

    Name and scopes stay, and so does the lifetime unless another is given. Raises NotFound,
    Conflict where the old key has ended or has a successor, ConfigError for lengths out of range.
    """
    new_id, text = _new_key()
    now = datetime.now(UTC)
    async with opened(url) as store:
        old = await store.key(key_id)
        if old is None:
            raise NotFound(f"There is no key '{key_id}'; `promptyard keys list` has all.")
        if old.state(_written(now)) != "active":
            raise Conflict(f"The key '{key_id}' is {old.state(_written(now))}; make a new one.")
        life_s = expires_in_s
        if life_s is None:
            life_s = _life_s(old, await store.keys())
        key = ApiKey(
            id=new_id,
            name=old.name,
            scopes=old.scopes,
            digest=digest_of(text),
            created_at=_written(now),
            created_by=actor,
            expires_at=_end(now, life_s, MAX_LIFE_S, "a key's lifetime"),
            rotated_from=old.id,
        )
        ends_at = _end(now, grace_s, MAX_GRACE_S, "the grace period", least_s=0)
        await store.replace_key(key, expires_at=ends_at or _written(now))
    return MadeKey(secret=text, key=KeyInfo.of(key, _written(now)))


async def revoke_key(
    url: StoreOrUrl, key_id: str, *, may_be_last: bool = False
) -> tuple[KeyInfo, tuple[str, ...]]:
    """End a key now; returns it with what that leaves to be warned of. Ended ones stay as they are.

    Raises NotFound; Conflict for the last key with the scope admin, unless it `may_be_last`:
    nobody could make keys over HTTP any more.
    """
    now = _written(datetime.now(UTC))
    async with opened(url) as store:
        keys = await store.keys()
        others = [key for key in keys if key.id != key_id]
        is_known = len(others) < len(keys)
        if is_known and not may_be_last and _has_admin(keys, now) and not _has_admin(others, now):
            raise Conflict(
                f"Key '{key_id}' is the last with the scope admin: rotate it or make another first;"
                " `promptyard keys revoke` on the store itself revokes it all the same."
            )
        ended = await store.end_key(key_id, revoked_at=now)
        return KeyInfo.of(ended, now), _warnings(await store.keys(), now)


async def list_keys(url: StoreOrUrl) -> list[KeyInfo]:
    """All keys, oldest first, those that have ended among them."""
    now = _written(datetime.now(UTC))
    async with opened(url) as store:
        return [KeyInfo.of(key, now) for key in await store.keys()]


async def list_audit(
    url: StoreOrUrl, *, actor: str | None = None, before: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Acts that were asked for, newest first; `before` is a number of the log, left out."""
    async with opened(url) as store:
        return list(await store.audit(actor=actor, before=before, limit=limit))


async def note_by_hand(url: StoreOrUrl, action: str, key_id: str, *, actor: str) -> None:
    """Log that a key was changed on the store itself, without the service."""
    entry = AuditEntry(actor=actor, action=action, target=f"keys/{key_id}", status=BY_HAND)
    async with opened(url) as store:
        await store.add_audit(entry)


def checked_actor(name: str) -> str | None:
    """Return a name that logs may get, None where it is none: empty, long, or with hidden signs."""
    name = name.strip()
    is_name = bool(name) and name.isprintable() and len(name) <= MAX_NAME_CHARS
    return name if is_name and name != ENGINE else None


def _new_key() -> tuple[str, str]:
    key_id = secrets.token_hex(6)
    return key_id, key_text(key_id, secrets.token_urlsafe(32))


def _checked_name(given: str) -> str:
    name = checked_actor(given)
    if name is None:
        raise ConfigError(
            f"{given[:MAX_NAME_CHARS]!a} is no name for a key; write up to {MAX_NAME_CHARS} "
            f"visible characters on one line, and not '{ENGINE}', which acts by itself"
        )
    return name


def _checked_scopes(given: Sequence[str]) -> tuple[Scope, ...]:
    unknown = [scope for scope in given if scope not in SCOPES]
    if unknown or not given:
        what = f"there is no scope {unknown[0][:40]!a}" if unknown else "a key needs a scope"
        raise ConfigError(f"{what}; scopes: {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in given)


def _warnings(keys: Sequence[ApiKey], now: str) -> tuple[str, ...]:
    if _has_admin(keys, now):
        return ()
    return (
        "no key has the scope admin, so nobody can make keys over HTTP; "
        "`promptyard keys create NAME --scope admin` on the store makes one",
    )


def _has_admin(keys: Sequence[ApiKey], now: str) -> bool:
    return any("admin" in key.scopes and key.state(now) == "active" for key in keys)


def _life_s(key: ApiKey, keys: Sequence[ApiKey]) -> float | None:
    """How long a key was to live when it was made: a successor has that, if it was rotated."""
    made_as = next((other for other in keys if other.rotated_from == key.id), key)
    if made_as.expires_at is None:
        return None
    made, ends = (datetime.fromisoformat(text) for text in (made_as.created_at, made_as.expires_at))
    return (ends - made).total_seconds()


def _end(
    now: datetime, in_s: float | None, most_s: float, what: str, *, least_s: float = 1
) -> str | None:
    if in_s is None:
        return None
    if not least_s <= in_s <= most_s:
        most = f"{most_s / 86_400:,.0f} days"
        raise ConfigError(f"{what} is {least_s:g} s to {most}, got {in_s:g} s")
    return _written(now + timedelta(seconds=in_s))


def _written(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
