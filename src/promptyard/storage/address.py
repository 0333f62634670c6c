"""Where a store is: reads the forms that a user may write, without opening anything."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from promptyard.errors import StorageError

_ABOUT_URLS = "a path such as runs.db, sqlite:///runs.db or postgresql://user@host/database"
_POSTGRES_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
# The password reaches to the last @, since users forget to write theirs as %40.
_CREDENTIALS = re.compile(r"(?P<user>[^:/@]*):(?P<password>.*)@", re.DOTALL)
_PASSWORD_OPTION = re.compile(r"(?P<name>[?&](?:ssl)?password=)(?P<password>[^&]*)")


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed store URL.

    `path` is the SQLite file, None in memory and on a server. `target` is what to connect to,
    password included; `shown` is the same without it, fit for messages. `secrets` are the
    spellings of the password that no message may repeat.
    """

    dialect: Literal["sqlite", "postgresql"]
    path: Path | None
    target: str = field(repr=False)
    shown: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def redact(self, text: str) -> str:
        """Return `text` with every spelling of the password replaced by `***`."""
        if not self.secrets:
            return text
        # In one pass: a password of stars would else be found again in what replaced it.
        longest_first = sorted(self.secrets, key=len, reverse=True)
        return re.sub("|".join(re.escape(secret) for secret in longest_first), "***", text)


def parse_address(url: str | None) -> Address:
    """Read a store URL or path. Raises StorageError for an unknown scheme or an empty path."""
    if url is None or url in {":memory:", "sqlite://", "sqlite:///:memory:"}:
        return Address(dialect="sqlite", path=None, target=":memory:", shown="sqlite:///:memory:")
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _file(url)
    if scheme == "sqlite":
        return _file(_path_of_url(rest))
    if scheme in _POSTGRES_SCHEMES:
        return _server(rest)
    raise StorageError(f"Unknown kind of store '{scheme}://'; write {_ABOUT_URLS}.")


def _path_of_url(rest: str) -> str:
    if not rest.startswith("/"):
        host = rest.partition("/")[0]
        raise StorageError(
            f"The store URL 'sqlite://{rest}' names a host, '{host}'; "
            "a file has three slashes: sqlite:///runs.db"
        )
    if "?" in rest:
        raise StorageError(f"The store URL 'sqlite://{rest}' has options; SQLite stores take none.")
    return rest[1:]


def _file(path: str) -> Address:
    if not path.strip():
        raise StorageError(f"The path of the store is empty; write {_ABOUT_URLS}.")
    if "\x00" in path:
        raise StorageError(f"The path of the store contains a NUL; write {_ABOUT_URLS}.")
    file = Path(path).expanduser()
    return Address(dialect="sqlite", path=file, target=str(file), shown=str(file))


def _server(rest: str) -> Address:
    credentials = _CREDENTIALS.match(rest)
    shown = rest
    secrets: list[str] = []
    if credentials:
        shown = f"{credentials['user']}:***@{rest[credentials.end() :]}"
        secrets.append(credentials["password"])
    secrets.extend(match["password"] for match in _PASSWORD_OPTION.finditer(shown))
    shown = _PASSWORD_OPTION.sub(r"\g<name>***", shown)
    spellings = {spelling for raw in secrets for spelling in (raw, unquote(raw)) if spelling}
    return Address(
        dialect="postgresql",
        path=None,
        target=f"postgresql+psycopg://{rest}",
        shown=f"postgresql://{shown}",
        secrets=tuple(sorted(spellings, key=len, reverse=True)),
    )
