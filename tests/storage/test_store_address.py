"""How a store's URL is read."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptyard.errors import StorageError
from promptyard.storage.address import parse_address


@pytest.mark.parametrize("url", [None, ":memory:", "sqlite://", "sqlite:///:memory:"])
def test_no_path_is_a_store_in_memory(url: str | None) -> None:
    address = parse_address(url)
    assert (address.dialect, address.path, address.target) == ("sqlite", None, ":memory:")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("runs.db", "runs.db"),
        (".promptyard/store.db", ".promptyard/store.db"),
        ("/var/lib/runs.db", "/var/lib/runs.db"),
        ("sqlite:///runs.db", "runs.db"),
        ("sqlite:////var/lib/runs.db", "/var/lib/runs.db"),
        ("a store with ?#%20.db", "a store with ?#%20.db"),
    ],
)
def test_a_path_is_an_sqlite_file(url: str, path: str) -> None:
    address = parse_address(url)
    assert (address.dialect, address.path, address.shown) == ("sqlite", Path(path), path)


def test_a_path_may_start_in_the_home_folder() -> None:
    assert parse_address("~/runs.db").path == Path.home() / "runs.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_all_spellings_of_postgresql_are_read(scheme: str) -> None:
    address = parse_address(f"{scheme}://ann@host:5433/prompts?sslmode=require")
    assert address.dialect == "postgresql"
    assert address.target == "postgresql+psycopg://ann@host:5433/prompts?sslmode=require"
    assert address.shown == "postgresql://ann@host:5433/prompts?sslmode=require"


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("mysql://host/db", "Unknown kind of store 'mysql://'.*runs.db"),
        ("http://host", "Unknown kind of store 'http://'"),
        ("sqlite://runs.db", "three slashes"),
        ("sqlite:///runs.db?mode=ro", "options"),
        ("sqlite:///", "empty"),
        ("", "empty"),
        ("  ", "empty"),
        ("a\x00b", "NUL"),
    ],
)
def test_a_url_that_cannot_be_a_store_is_refused(url: str, hint: str) -> None:
    with pytest.raises(StorageError, match=hint) as caught:
        parse_address(url)
    assert "\n" not in str(caught.value)


@given(password=st.text(min_size=1), quoted=st.booleans())
@example(password="*", quoted=True)
def test_the_password_is_never_shown(password: str, quoted: bool) -> None:
    try:
        written = quote(password, safe="") if quoted else password
    except UnicodeEncodeError:  # a lone surrogate has no quoted form
        written = password
    address = parse_address(f"postgresql://ann:{written}@host/prompts")
    assert address.shown == "postgresql://ann:***@host/prompts"
    assert repr(address).count("***") == 1
    assert repr(address) == repr(parse_address("postgresql://ann:other@host/prompts"))
    assert address.redact(written + written) == "******"


def test_a_password_among_the_options_is_not_shown() -> None:
    address = parse_address("postgresql:///prompts?user=ann&password=hu%40sh&sslpassword=quiet")
    assert address.shown == "postgresql:///prompts?user=ann&password=***&sslpassword=***"
    assert address.redact("hu%40sh hu@sh quiet") == "*** *** ***"
