"""Says which differences between prompts the cases of an evaluation could show at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.records.base import Record
from promptyard.records.cases import Case
from promptyard.records.scores import relative_weights
from promptyard.reports.figures import counted, points
from promptyard.stats.power import minimal_detectable_effect, smallest_significant_win

CHANGED_SHARES = (0.05, 0.10, 0.20)


class Detectable(Record):
    """The smallest difference that these cases show if so large a share of them changes.

    Fractions (0.05 is 5 points), two-sided at 5 %, power 80 %; None where none can be seen.
    """

    changed_share: float
    difference: float | None


class CanShow(Record):
    """What a comparison on `n_independent` scored cases, or clusters of cases, could show.

    `n_changed` of them, all changed the same way, are the smallest difference that is significant
    (two-sided, 5 %). `smallest` is that difference as a fraction where cases pass or fail; None
    for graded or weighted scores, whose changes may be small, and where there are too few cases.
    """

    n_independent: int
    clustered: bool
    n_changed: int
    smallest: float | None
    detectable: tuple[Detectable, ...]

    @property
    def sentence(self) -> str:
        """What these cases can show, for a person."""
        noun = "cluster" if self.clustered else "case"
        n, needed = self.n_independent, self.n_changed
        if not n:
            return "No case has a score, so no comparison can show anything."
        if n < needed:
            return (
                f"{counted(n, noun).capitalize()} cannot show any difference between prompts: at "
                f"least {needed} {noun}s have to change, all the same way."
            )
        if self.smallest is None:
            least = f"a difference in at least {needed} {noun}s, all the same way,"
        else:
            least = (
                f"differences of about {_points(self.smallest)} points or more ({needed} {noun}s "
                "that change, all the same way)"
            )
        return f"With {n:,} {noun}s only {least} can show." + self._likely()

    def _likely(self) -> str:
        seen = [
            f"{_points(item.difference)} points if {100 * item.changed_share:.0f} % of them change"
            for item in self.detectable
            if item.difference is not None
        ]
        return f" Likely to show (power 80 %): {'; '.join(seen)}." if seen else ""


def can_show(cases: Sequence[Case], values: Mapping[str, float]) -> CanShow:
    """Say what a comparison on the scored ones of `cases` could show; `values` are their scores."""
    scored = [case for case in cases if case.id in values]
    n = len({case.cluster or case.id for case in scored})
    clustered = n < len(scored)
    binary = relative_weights(scored) is None and set(values.values()) <= {0.0, 1.0}
    needed = smallest_significant_win(graded=clustered or not binary)
    return CanShow(
        n_independent=n,
        clustered=clustered,
        n_changed=needed,
        smallest=needed / n if binary and n >= needed else None,
        detectable=tuple(
            Detectable(
                changed_share=share, difference=minimal_detectable_effect(n, share) if n else None
            )
            for share in CHANGED_SHARES
        ),
    )


def _points(difference: float) -> str:
    return points(difference).lstrip("+").removesuffix(".0")
