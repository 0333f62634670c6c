"""One mapping from what HTTP can do to the errors of a model call, for every provider on HTTP.

A status becomes the fitting ModelError with the server's own message and the seconds it asked us
to wait; a broken connection becomes ServerError, a connection never made Unreachable.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from promptyard.errors import (
    AuthFailed,
    BadResponse,
    InvalidRequest,
    ModelError,
    ModelTimeout,
    RateLimited,
    ServerError,
    Unreachable,
)
from promptyard.records.base import Json, as_object

MAX_MESSAGE_CHARS = 300

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RESET = re.compile(r"x-ratelimit-reset.*|anthropic-ratelimit-.*-reset")
_SPENT = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "linked_organization_spend_limit_reached",
    }
)
"""Codes of a 429 that waiting does not end: the money is spent, not the rate used up."""


def status_error(
    status: int,
    headers: Mapping[str, str],
    raw: bytes,
    *,
    where: str,
    model: str,
    now: float,
    secrets: Sequence[str] = (),
) -> ModelError:
    """Return the error that an HTTP status other than 2xx stands for.

    Args:
        status: the HTTP status.
        headers: the answer's headers, looked up without regard to case.
        raw: the answer's body; a server message in it is quoted, in one line.
        where: model and address, which open the message.
        model: the model asked for, named when the server does not know it.
        now: seconds since the epoch, against which an HTTP-date in Retry-After is read.
        secrets: texts that must not appear in the message.
    """
    document = _parsed(raw)
    kind, advice = _meaning(status, model, _codes(document))
    said = one_line(server_message(document) or raw.decode("utf-8", "replace"), secrets)
    wait_s = None
    if kind is RateLimited:
        wait_s = retry_after_s(headers, now)
    elif kind is ServerError:  # its rate limit headers speak of limits that were not the trouble
        wait_s = _told_wait_s(_lower(headers), now)
    return kind(
        f"{where} answered {status}" + (f": {said}" if said else "") + advice,
        status=status,
        request_id=request_id(headers),
        retry_after_s=wait_s,
    )


def transport_error(error: Exception, *, where: str, secrets: Sequence[str] = ()) -> ModelError:
    """Return the error that a failure below HTTP stands for: no connection, or a lost one."""
    import aiohttp

    reason = one_line(str(error) or type(error).__name__, secrets)
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.InvalidURL)):
        return Unreachable(
            f"{where} cannot be reached ({reason}); check base_url and that the server runs"
        )
    if isinstance(error, aiohttp.ClientResponseError):
        return BadResponse(f"{where} did not answer in HTTP ({reason})", status=error.status)
    return ServerError(f"{where} dropped the connection ({reason})")


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds (>= 0) that the server asks us to wait, or None when it does not say.

    Reads `retry-after-ms`, `Retry-After` (seconds or an HTTP-date), then `x-ratelimit-reset*` and
    `anthropic-ratelimit-*-reset` (`20ms`, `1m30.5s`, seconds, epoch or an RFC 3339 time). Of
    several limits the exhausted ones count, the longest of them; where none says that it is
    exhausted, the shortest wait is given.
    """
    lower = _lower(headers)
    told_s = _told_wait_s(lower, now)
    if told_s is not None or "retry-after" in lower:
        return told_s
    resets = list(_resets(lower, now))
    exhausted = [seconds for seconds, is_exhausted in resets if is_exhausted]
    if exhausted:
        return max(exhausted)
    return min((seconds for seconds, _ in resets), default=None)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the server's id of the request out of headers that ignore case, as aiohttp's do."""
    return headers.get("x-request-id") or headers.get("request-id") or None


def server_message(document: Json) -> str:
    """Find the message in an error document, whichever of the usual shapes it has."""
    if isinstance(document, list) and document:
        document = cast("list[Any]", document)[0]
    fields = as_object(document)
    if fields is None:
        return document if isinstance(document, str) else ""
    for key in ("error", "message", "detail"):
        value = fields.get(key)
        if isinstance(value, str) and value:
            return value
        if value:
            return server_message(value) or json.dumps(value, ensure_ascii=False)
    return ""


def one_line(text: str, secrets: Sequence[str] = ()) -> str:
    """Write foreign text on one line of at most 300 characters, secrets blotted out.

    Secrets go first: a shortened key would no longer be found.
    """
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= MAX_MESSAGE_CHARS else line[: MAX_MESSAGE_CHARS - 1] + "…"


def _meaning(status: int, model: str, codes: frozenset[str]) -> tuple[type[ModelError], str]:
    """Return the kind of error of a status, and what to do about it."""
    if status == 402 or (status == 429 and codes & _SPENT):
        return AuthFailed, "; the account has no credit left or has reached its spend limit"
    if status == 429:
        return RateLimited, ""
    if status >= 500:
        return ServerError, ""
    if status in (401, 403):
        return AuthFailed, "; check the API key of this provider"
    if status == 408:
        return ModelTimeout, ""
    if status == 413:
        return InvalidRequest, "; the request is too large for this server: shorten the prompt"
    if status == 404:
        return InvalidRequest, f"; check the model name {model!r} and base_url"
    if 300 <= status < 400:
        return InvalidRequest, "; redirects are not followed: set base_url to the final address"
    return InvalidRequest, ""


def _parsed(raw: bytes) -> Json:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _codes(document: Json) -> frozenset[str]:
    """Collect the machine-readable codes of an error document."""
    error = as_object((as_object(document) or {}).get("error")) or {}
    details = as_object(error.get("details")) or {}
    found = (error.get("code"), error.get("type"), details.get("error_code"))
    return frozenset(code for code in found if isinstance(code, str))


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {key.lower(): value.strip() for key, value in headers.items()}


def _told_wait_s(lower: Mapping[str, str], now: float) -> float | None:
    """Read the wait that a server names itself."""
    milliseconds = _number(lower.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    given = lower.get("retry-after", "")
    seconds = _number(given)
    return seconds if seconds is not None else _until_date(given, now)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None


def _until_date(text: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _resets(lower: Mapping[str, str], now: float) -> Iterator[tuple[float, bool]]:
    """Yield the wait of each header that tells a reset and whether its limit is used up."""
    for key, value in lower.items():
        if not _RESET.fullmatch(key):
            continue
        seconds = _duration_s(value, now)
        if seconds is not None:
            remaining = lower.get(key.replace("-reset", "-remaining"), "")
            yield seconds, _number(remaining) == 0


def _duration_s(text: str, now: float) -> float | None:
    parts = _DURATION.findall(text)
    if parts and _DURATION.sub("", text) == "":
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    value = _number(text)
    if value is None:
        return _until_time(text, now)
    if value < 1e9:
        return value
    epoch_s = value / 1000 if value >= 1e12 else value
    return max(0.0, epoch_s - now)


def _until_time(text: str, now: float) -> float | None:
    """Read an RFC 3339 time, which says its zone."""
    try:
        time = datetime.fromisoformat(text)
        return None if time.tzinfo is None else max(0.0, time.timestamp() - now)
    except (ValueError, OverflowError):
        return None
