"""What a policy plans with: train and task calls, counted by what it asks for.

The ledger of the line knows what has been spent, which depends on what has come in by now. A
decision that looked there would not repeat; this count moves with the decisions alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, demo_case_ids


class Allowance:
    """Trials that a search may still plan; a trial costs a call a step of the program."""

    def __init__(self, context: SearchContext) -> None:
        calls, n_steps = context.task_calls_left, len(context.baseline.program.steps)
        self._left = math.inf if calls is None else calls // n_steps

    @property
    def left(self) -> float:
        """Trials that are left; infinite where nothing limits them."""
        return self._left

    def take(self, n_trials: int) -> bool:
        """Set trials aside; False, and nothing taken, where there are not as many."""
        if n_trials > self._left:
            return False
        self._left -= n_trials
        return True

    def give_back(self, n_trials: int) -> None:
        """Return trials that were set aside and not asked for."""
        self._left += n_trials


def two_parts(
    train: Sequence[Case], left: float, *, most: int
) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Cut train into cases to learn from and cases to choose by, in the order given.

    What chooses is at most half of train, `most`, and a thirtieth of the trials that are left, and
    at least 8 where train allows it. Source: GEPA plans 15 to 30 calls a case that chooses; on
    simulated tasks 30 reached more than 15 at 1,000 calls (0.92 and 0.77 of 1, eight searches
    each).
    """
    wanted = max(8, int(min(most, left / 30)))
    n_choosing = max(1, min(wanted, len(train) // 2))
    learning = train[: len(train) - n_choosing]
    return tuple(learning or train), tuple(train[len(train) - n_choosing :])


class Batches:
    """Small batches of cases: each case once in an epoch, in another order each time.

    The last batch of an epoch is filled up with the cases that were seen least.
    """

    def __init__(self, cases: Sequence[Case], size: int, seed: str) -> None:
        self._cases = tuple(cases)
        self._size = min(size, len(cases))
        self._rng = random.Random(seed)
        self._waiting: list[Case] = []
        self._n_seen = {case.id: 0 for case in cases}

    def next(self) -> tuple[Case, ...]:
        """Return the next batch."""
        if not self._waiting:
            self._waiting = list(self._cases)
            self._rng.shuffle(self._waiting)
        batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
        taken = {case.id for case in batch}
        if len(batch) < self._size:
            rest = [case for case in self._cases if case.id not in taken]
            self._rng.shuffle(rest)
            rest.sort(key=lambda case: self._n_seen[case.id])
            batch += rest[: self._size - len(batch)]
        for case in batch:
            self._n_seen[case.id] += 1
        return tuple(batch)


def unseen_by(cases: Sequence[Case], *candidates: Candidate) -> list[Case]:
    """Return the cases that none of the candidates shows as a demonstration."""
    shown = frozenset(name for item in candidates for name in demo_case_ids(item.program))
    return [case for case in cases if case.id not in shown]
