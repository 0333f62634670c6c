"""The budget as a ledger: reserved before a call, settled after it, never exceeded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from promptyard.errors import BudgetExceeded
from promptyard.records.budget import Budget, Spent
from promptyard.records.messages import CallRole

PLURALS: Mapping[CallRole, str] = {
    "task": "task_calls",
    "optimizer": "optimizer_calls",
    "judge": "judge_calls",
}


UNSENT = "unsent"
"""Outcome of an attempt that was booked and cancelled before it was sent. It does not count."""


class Reservation:
    """Room for one attempt: `tokens` and `usd` are upper estimates until it is settled."""

    def __init__(self, role: CallRole, tokens: int, usd: float) -> None:
        self.role: CallRole = role
        self.tokens = tokens
        self.usd = usd


class BudgetReserved(BudgetExceeded):
    """Nothing is left but what calls in flight have reserved; some of it may come back."""


class Ledger:
    """Counts what a run spends. Every attempt counts, retries included.

    Calls never exceed the budget, however concurrent. `tokens` and `usd` are reserved by an upper
    estimate; they hold exactly where prompts set `max_tokens`, otherwise up to the answers that
    are in flight when the limit is reached.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        past: Iterable[Mapping[str, Any]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the ledger; `past` are the attempts that earlier sessions of the run have made."""
        self.budget = budget
        self._clock = clock
        self._started_s = clock()
        self._calls: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._tokens = 0
        self._usd = 0.0
        self._reserved_tokens = 0
        self._reserved_usd = 0.0
        self._unpriced = 0
        self._cached = 0
        self._withheld: dict[str, int] = {}
        # Past task calls that this session has not come to yet, by the hash of their key.
        self._ahead: Counter[int] = Counter()
        self._n_ahead = 0
        for attempt in past:
            if attempt["outcome"] == UNSENT:
                continue
            if attempt["role"] == "task" and attempt["outcome"] != "cancelled":
                self._ahead[hash(attempt["key"])] += 1
                self._n_ahead += 1
            self._calls[attempt["role"]] += 1
            self._tokens += attempt["tokens"] or 0
            self._usd += attempt["cost_usd"] or 0.0
            if attempt["outcome"] not in ("ok", None):
                self._failures[attempt["outcome"]] += 1

    def reserve(self, role: CallRole, *, tokens: int = 0, usd: float = 0.0) -> Reservation:
        """Set room aside for one attempt. Raises BudgetExceeded when there is none left."""
        limit: int | None = getattr(self.budget, PLURALS[role])
        if limit is not None:
            withheld = sum(self._withheld.values()) if role == "task" else 0
            if self._calls[role] + 1 > limit - withheld:
                kept = f" ({withheld} are kept for the decision)" if withheld else ""
                raise BudgetExceeded(
                    f"the budget of {limit} {role} calls is used up{kept}; raise {PLURALS[role]}"
                )
        self._check_amount("tokens", self.budget.tokens, self._tokens, tokens)
        self._check_amount("usd", self.budget.usd, self._usd, usd)
        if self.seconds_left is not None and self.seconds_left <= 0:
            raise BudgetExceeded(f"the {self.budget.seconds} seconds are over; raise seconds")
        self._calls[role] += 1
        self._reserved_tokens += tokens
        self._reserved_usd += usd
        return Reservation(role, tokens, usd)

    def _check_amount(self, name: str, limit: float | None, spent: float, wanted: float) -> None:
        """Refuse an estimate that does not fit; only for now, where settlements may make room."""
        if limit is None:
            return
        reserved = self._reserved_tokens if name == "tokens" else self._reserved_usd
        if spent + reserved + wanted <= limit and not spent >= limit > 0:
            return
        if reserved and spent + wanted <= limit and spent < limit:
            raise BudgetReserved(f"{name}: {reserved:g} of {limit:g} are reserved")
        raise BudgetExceeded(
            f"the budget of {limit:g} {name} does not pay another call ({spent:g} spent, up to "
            f"{wanted:g} needed); raise {name}"
        )

    def settle(
        self,
        reservation: Reservation,
        *,
        tokens: int = 0,
        usd: float | None = 0.0,
        failure: str | None = None,
    ) -> None:
        """Book what an attempt really took. A failed attempt stays counted as a call."""
        self._reserved_tokens -= reservation.tokens
        self._reserved_usd -= reservation.usd
        self._tokens += tokens
        if usd is None:
            self._unpriced += 1
        else:
            self._usd += usd
        if failure is not None:
            self._failures[failure] += 1

    def give_back(self, reservation: Reservation) -> None:
        """Take a reservation back whose attempt was never sent."""
        self._reserved_tokens -= reservation.tokens
        self._reserved_usd -= reservation.usd
        self._calls[reservation.role] -= 1

    def met(self, key: str) -> None:
        """Note that a resumed run has come to a call; what it took before is spent from now on."""
        if self._ahead:
            self._n_ahead -= self._ahead.pop(hash(key), 0)

    def count_cached(self) -> None:
        """Count a call that was answered from the store."""
        self._cached += 1

    def withhold(self, task_calls: Mapping[str, int]) -> None:
        """Keep task calls back for later stages, by the name of the stage."""
        self._withheld = dict(task_calls)

    def release(self, stage: str) -> None:
        """Give back what was kept for a stage: it begins."""
        self._withheld.pop(stage, None)

    @property
    def free_task_calls_left(self) -> int | None:
        """Task calls that may be made now, those kept for later stages not counted."""
        left = self.task_calls_left
        return None if left is None else max(0, left - sum(self._withheld.values()))

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the time budget ends, or None where there is none."""
        if self.budget.seconds is None:
            return None
        return self.budget.seconds - (self._clock() - self._started_s)

    @property
    def task_calls_left(self) -> int | None:
        """Task calls that may still be made, those kept for the decision included.

        A resumed run has those before it that it has paid and not come to again, so that it
        decides as the first time; they are answered from the store.
        """
        if self.budget.task_calls is None:
            return None
        return max(0, self.budget.task_calls - self.task_calls_so_far)

    @property
    def task_calls_so_far(self) -> int:
        """Task calls up to where the run is; a resumed one is not yet where it was before."""
        return self._calls["task"] - self._n_ahead

    @property
    def spent(self) -> Spent:
        """What has been spent so far."""
        return Spent(
            task_calls=self._calls["task"],
            optimizer_calls=self._calls["optimizer"],
            judge_calls=self._calls["judge"],
            cached_calls=self._cached,
            tokens=self._tokens,
            usd=self._usd,
            unpriced_calls=self._unpriced,
            seconds=self._clock() - self._started_s,
            failures=dict(sorted(self._failures.items())),
        )
