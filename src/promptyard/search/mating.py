"""One step of the Pareto search: a parent, a small batch, a question, and what the child is worth.

A step decides nothing about the pool, so that steps can run side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptyard.protocols import SearchContext
from promptyard.records.atoms import atoms_of
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Attempt, Evidence, Relatives, ScoredPrompt, TrainTrial
from promptyard.search.allowance import unseen_by
from promptyard.search.bars import GainBar
from promptyard.search.expanding import decided_evidence, is_perfect
from promptyard.search.merging import Pair
from promptyard.search.pipeline import side_by_side

SHOWN_ATTEMPTS = 4


@dataclass(frozen=True)
class Asking:
    """What a step asks: its number, the generator, the part whose turn it is, the history.

    `known` are the ids of candidates that are decided: they are not tried again.
    """

    number: int
    generator: str
    target: tuple[str, str] | None
    trajectory: tuple[ScoredPrompt, ...] = ()
    known: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Trying:
    """A child and what came of it; `rows` on the choosing cases where it gained, else None.

    `difference` is its mean gain on the `n_cases` of the batch; `fixed` and `broke` are the cases
    of it that changed.
    """

    child: Candidate
    reason: str
    n_cases: int
    difference: float | None
    rows: tuple[TrainTrial, ...] | None = None
    fixed: tuple[str, ...] = ()
    broke: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a step came to, and how many trials it asked for.

    `is_idle` says that its batch was perfect and nobody was asked.
    """

    parent: Candidate
    n_trials: int
    tried: tuple[Trying, ...] = ()
    is_merge: bool = False
    is_idle: bool = False


class Mating:
    """Makes children and measures them: first on the parent's batch, then on the choosing cases."""

    def __init__(
        self,
        context: SearchContext,
        learning: Sequence[Case],
        choosing: Sequence[Case],
        max_children: int,
    ) -> None:
        self._context = context
        self._learning = learning
        self._choosing = choosing
        self._max_children = max_children
        self._attempts: dict[str, list[Attempt]] = {}

    def max_trials(self, batch_cases: int) -> int:
        """Return how many trials a step asks for at most."""
        return batch_cases * (2 + self._max_children) + len(self._choosing)

    async def step(self, parent: Candidate, batch: Sequence[Case], asking: Asking) -> Outcome:
        """Run the batch, ask where something failed, and try the children.

        Of several children that gain on the batch the one with the largest gain is measured.
        """
        context = self._context
        rows = await context.run(parent, batch, purpose="batch")
        outcome = Outcome(parent, n_trials=len(batch))
        if is_perfect(rows):
            return replace(outcome, is_idle=True)
        evidence = decided_evidence(
            context,
            rows,
            parent,
            attempts=self._attempts.get(parent.id, [])[-SHOWN_ATTEMPTS:],
            target=asking.target,
            trajectory=asking.trajectory,
        )
        proposed = await context.propose(asking.generator, parent, evidence, attempt=asking.number)
        children = [child for child in proposed if child.id not in asking.known]
        children = children[: self._max_children]
        tried = await side_by_side(self._on_batch(parent, child, batch) for child in children)
        n_trials = outcome.n_trials + len(batch) * (len(tried) + bool(tried))
        gains = [item.difference or 0.0 for item in tried]
        if not tried or max(gains) <= 0.0:
            return replace(outcome, n_trials=n_trials, tried=tuple(tried))
        best = gains.index(max(gains))
        tried[best] = await self._on_choosing(tried[best])
        return replace(outcome, n_trials=n_trials + len(self._choosing), tried=tuple(tried))

    async def merge(self, pair: Pair, number: int, known: frozenset[str]) -> Outcome:
        """Merge two candidates; the child must not be worse than either on the pair's cases."""
        context = self._context
        evidence = Evidence(relatives=Relatives(ancestor=pair.ancestor, other=pair.other))
        children = await context.propose("merge", pair.base, evidence, attempt=number)
        outcome = Outcome(pair.base, n_trials=0, is_merge=True)
        if not children or children[0].id in known:
            return outcome
        child = children[0]
        by_id = {case.id: case for case in self._choosing}
        cases = unseen_by([by_id[name] for name in pair.case_ids], child)
        bars = [
            GainBar({case.id: context.scores(side)[case.id] for case in cases}, strict=False)
            for side in (pair.base, pair.other)
        ]
        rows = await context.run(
            child,
            cases,
            purpose="merge",
            settled=lambda row: any(bar.add(row) for bar in bars),
        )
        cleared = all(bar.is_cleared(rows) for bar in bars)
        trying = Trying(
            child,
            reason=f"{'no worse' if cleared else 'worse'} than its parents on {len(cases)} cases",
            n_cases=len(cases),
            difference=None,
        )
        if not cleared:
            return replace(outcome, n_trials=len(cases), tried=(trying,))
        trying = await self._on_choosing(trying)
        return replace(outcome, n_trials=len(self._choosing), tried=(trying,))

    def remember(self, parent: Candidate, trying: Trying) -> None:
        """Keep what was tried of a parent in vain, for the next questions about it."""
        texts = tuple(atom.text for atom in atoms_of(parent.program, trying.child.edits))
        texts = tuple(text for text in texts if text)
        if texts:
            self._attempts.setdefault(parent.id, []).append(
                Attempt(
                    bucket=trying.child.evidence[0] if trying.child.evidence else "",
                    texts=texts,
                    outcome=trying.reason,
                    n_cases=trying.n_cases,
                    fixed=trying.fixed,
                    broke=trying.broke,
                )
            )

    async def _on_batch(self, parent: Candidate, child: Candidate, batch: Sequence[Case]) -> Trying:
        """Run a child on the parent's batch; strictly more in sum is a gain, no less.

        Cases that the child shows are replaced by others. No call is cancelled here: which cases
        changed is shown to later questions, and must not depend on who answers first.
        """
        cases = unseen_by(batch, child)
        spare = [case for case in unseen_by(self._learning, child) if case not in batch]
        cases += spare[: len(batch) - len(cases)]
        before = await self._context.run(parent, cases, purpose="batch")
        known = {row.case.id: row.trial.score for row in before if row.trial.score is not None}
        bar = GainBar(known)
        rows = await self._context.run(child, cases, purpose="batch")
        gained = bar.is_cleared(rows)
        pairs = [
            (row.case.id, row.trial.score - known[row.case.id])
            for row in rows
            if row.trial.score is not None and row.case.id in known
        ]
        gain = sum(change for _, change in pairs)
        return Trying(
            child,
            reason=f"{'gains' if gained else 'no gain'} on {len(pairs)} cases ({gain:+.2f})",
            n_cases=len(pairs),
            difference=gain / len(pairs) if pairs and gained else None,
            fixed=tuple(name for name, change in pairs if change > 0),
            broke=tuple(name for name, change in pairs if change < 0),
        )

    async def _on_choosing(self, trying: Trying) -> Trying:
        cases = unseen_by(self._choosing, trying.child)
        rows = await self._context.run(trying.child, cases, purpose="choose", priority=1.0)
        return replace(trying, rows=tuple(rows))
