"""The address of a model server: how a user may write it, and the one form that is kept."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from promptyard.errors import ConfigError


def normal_base_url(given: str, name: str, endpoint: str, *, default_path: str = "") -> str:
    """Return a base URL in the one form that identifies its calls; a query is kept.

    Args:
        given: as written; a trailing slash or `endpoint` makes no difference.
        name: full name of the model, for errors.
        endpoint: path behind the base URL that requests go to, such as `/chat/completions`.
        default_path: path of an address that has none.

    Raises ConfigError for what is no http(s) address, or holds a password.
    """
    advice = "write it like https://api.openai.com/v1"
    address = given.strip()
    if "@" in address:  # not quoted: it may be a password
        raise ConfigError(
            f"base_url of {name} contains a user name or password; {advice} and give the key apart"
        )
    if not _is_address(address):
        raise ConfigError(f"base_url of {name} is no http(s) address: {given!r}; {advice}")
    parts = urlsplit(address)
    path = parts.path.rstrip("/").removesuffix(endpoint).rstrip("/") or default_path
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def endpoint_url(base_url: str, endpoint: str) -> str:
    """Return the address that requests go to: the endpoint stands before a query."""
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path + endpoint, parts.query, ""))


def _is_address(text: str) -> bool:
    """Tell whether HTTP could be spoken there: scheme, host name and port are well formed."""
    try:
        parts = urlsplit(text)
        _ = (parts.port, (parts.hostname or "").encode("idna"))
    except ValueError:
        return False
    is_http = parts.scheme in ("http", "https") and bool(parts.hostname)
    return is_http and text.isprintable() and " " not in text
