"""Every route with every kind of key: right, wrong, ended, unknown, malformed, and none.

It walks through all routes of the application, so a new one is held to it as soon as it is there.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from promptyard.records.api_keys import INCLUDES, SCOPES, Scope
from promptyard.service.access import SCOPE_FIELD
from promptyard.service.app import build_app
from promptyard.service.requests import ServiceRoute
from promptyard.service.routes import PUBLIC, ROUTERS
from support.served import Service, served

CHECKED = {401, 403}


def all_routes() -> list[tuple[str, str, Scope | None]]:
    """Method, path with something in the place of each parameter, and scope of every route."""
    found: list[tuple[str, str, Scope | None]] = []
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, ServiceRoute), f"{route} has no guard"
            extra: Mapping[str, Any] = route.openapi_extra or {}
            scope: Scope | None = extra.get(SCOPE_FIELD)
            path = re.sub(r"\{[^}]*\}", "1", route.path)
            found.extend((method, path, scope) for method in sorted(route.methods or ()))
    return found


ROUTES = all_routes()
GUARDED = [item for item in ROUTES if item[2] is not None]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    folder: Path = tmp_path_factory.mktemp("matrix")
    with served(folder, requests_per_s=1e6, burst=10**6) as running:
        running.state.wrong_keys._burst = 1e9  # pyright: ignore[reportPrivateUsage]
        yield running


@pytest.fixture(scope="module")
def keys(service: Service) -> dict[str, str]:
    """A key of each scope, and two with all scopes that have ended."""
    made = {scope: service.new_key(scope, name=scope) for scope in SCOPES}
    made["expired"] = service.new_key("admin", name="late", expires_at="2026-01-01T00:00:00+00:00")
    made["revoked"] = service.new_key("admin", name="gone")
    key_id = made["revoked"].split("_")[1]
    service.in_store(lambda store: store.end_key(key_id, revoked_at="2026-01-01T00:00:00+00:00"))
    return made


def status_of(service: Service, method: str, path: str, headers: dict[str, str]) -> int:
    """Return the status alone: a stream of events would never end."""
    place = urlsplit(service.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_all_routes_but_the_public_ones_have_a_scope() -> None:
    assert {path for _, path, scope in ROUTES if scope is None} <= PUBLIC
    assert {scope for _, _, scope in GUARDED} <= set(SCOPES)


def test_the_application_has_no_other_routes(service: Service) -> None:
    paths = [getattr(route, "path", None) for route in build_app(service.state).routes]
    assert paths.count(None) == len(ROUTERS)  # what is included has no path of its own
    assert {path for path in paths if path is not None} <= PUBLIC


@pytest.mark.parametrize(("method", "path", "scope"), GUARDED, ids=str)
def test_a_route_lets_in_whom_its_scope_names(
    service: Service, keys: dict[str, str], method: str, path: str, scope: Scope
) -> None:
    for own in SCOPES:
        # Where a body is wanted, this type of it is as far as a request gets.
        headers = {"Content-Type": "text/x-none", "Authorization": f"Bearer {keys[own]}"}
        status = status_of(service, method, path, headers)
        is_in = scope in INCLUDES[own]
        assert (status not in CHECKED) if is_in else status == 403, (own, status)
        assert status < 500, (own, status)


@pytest.mark.parametrize(("method", "path", "scope"), GUARDED, ids=str)
def test_a_route_lets_in_nobody_without_a_key_that_works(
    service: Service, keys: dict[str, str], method: str, path: str, scope: Scope
) -> None:
    good = keys["admin"]
    wrong = {
        "none": {},
        "expired": {"Authorization": f"Bearer {keys['expired']}"},
        "revoked": {"Authorization": f"Bearer {keys['revoked']}"},
        "unknown": {"Authorization": f"Bearer py_{'0' * 12}_{'a' * 43}"},
        "wrong secret": {"Authorization": f"Bearer {good[:-4]}{'A' * 4}"},
        "id of another": {"Authorization": f"Bearer {keys['read'][:16]}{good[16:]}"},
        "malformed": {"Authorization": "Bearer py_"},
        "cut": {"Authorization": f"Bearer {good[:-1]}"},
        "longer": {"Authorization": f"Bearer {good}a"},
        "huge": {"Authorization": f"Bearer {good}{'a' * 9000}"},
        "digest": {"Authorization": f"Bearer {'0' * 64}"},
        "no key": {"Authorization": "Bearer "},
        "wrong scheme": {"Authorization": f"Basic {good}"},
        "no scheme": {"Authorization": good},
        "wrong in X-API-Key": {"X-API-Key": "py_x"},
        "other header": {"X-Promptyard-Actor": "admin", "Cookie": f"key={good}"},
        "in the query": {},
    }
    for what, headers in wrong.items():
        where = f"{path}?api_key={good}" if what == "in the query" else path
        status = status_of(service, method, where, headers)
        assert status == 401, (what, status)
    assert status_of(service, method, path, {"X-API-Key": good}) not in CHECKED
