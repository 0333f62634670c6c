"""What all tests share: hypothesis without deadlines, and what coverage is measured of."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Iterable

import pytest
from hypothesis import is_hypothesis_test, settings

settings.register_profile("promptyard", deadline=None)
settings.load_profile("promptyard")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Leave property tests out of the coverage.

    What a hundred random inputs reach is chance, and tracing them doubles the time they take. Other
    tests that repeat the same work many times are marked `no_cover` where they stand.
    """
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("no_cover")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Trace nothing in a test that is marked `no_cover`.

    In the processes of pytest-xdist pytest-cov measures twice, and stops one of the two only.
    """
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    of_thread, of_new_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # pyright: ignore[reportArgumentType]  (None takes it away)
    try:
        return (yield)
    finally:
        sys.settrace(of_thread)
        threading.settrace(of_new_threads)  # pyright: ignore[reportArgumentType]
