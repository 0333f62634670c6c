"""What a replica counts of itself: many failures of the store are few lines of the log."""

from __future__ import annotations

from promptyard.service.counts import LOGGED_EVERY_S, StoreFailures


def test_requests_that_the_store_fails_are_said_now_and_then_with_their_number() -> None:
    now_s = 100.0
    failures = StoreFailures(lambda: now_s)
    assert failures.line("full") == "the store failed 1 request since this was last said: full"
    for _ in range(1_199):
        now_s += LOGGED_EVERY_S / 1_200
        assert failures.line("full") is None
    now_s = 100.0 + LOGGED_EVERY_S
    assert failures.line("f") == "the store failed 1,200 requests since this was last said: f"
