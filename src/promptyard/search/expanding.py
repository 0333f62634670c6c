"""Children of a candidate: a batch is run, the generators asked, and what they propose cut to size.

What a question shows is only what has been decided, so that it is the same question again whoever
answers first.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterable, Sequence

from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Diagnosed
from promptyard.records.evidence import Attempt, Evidence, ScoredPrompt, TrainTrial
from promptyard.search.allowance import unseen_by
from promptyard.search.pipeline import side_by_side


def decided_evidence(
    context: SearchContext,
    rows: Sequence[TrainTrial],
    base: Candidate,
    *,
    attempts: Sequence[Attempt] = (),
    target: tuple[str, str] | None = None,
    trajectory: Sequence[ScoredPrompt] = (),
) -> Evidence:
    """Sort rows into evidence whose history is what the policy has decided, and nothing else."""
    found = context.evidence(rows, base, attempts)
    return found.model_copy(
        update={"target": target, "trajectory": tuple(trajectory), "rejected": ()}
    )


def is_perfect(rows: Sequence[TrainTrial]) -> bool:
    """Say whether nothing can be learnt: every row that has a score passed."""
    return all(row.trial.passed for row in rows if row.trial.score is not None)


async def diagnose(context: SearchContext, cases: Sequence[Case]) -> Sequence[TrainTrial]:
    """Run the baseline on cases and say how it stands; the line ends here what cannot be measured.

    Costs a trial for each case that is not known.
    """
    rows = await context.run(context.baseline, cases, purpose="baseline")
    scores = [row.trial.score for row in rows if row.trial.score is not None]
    await context.emit(
        Diagnosed(
            score=sum(scores) / len(scores) if scores else None,
            n_cases=len(scores),
            n_buckets=len(context.evidence(rows, context.baseline).buckets),
        )
    )
    return rows


async def expand(
    context: SearchContext,
    parent: Candidate,
    batch: Sequence[Case],
    questions: Sequence[tuple[str, int]],
    *,
    max_children: int,
    first: Sequence[Case],
    known: Container[str] = (),
    trajectory: Sequence[ScoredPrompt] = (),
) -> list[Candidate]:
    """Return children of a parent, in the order of the questions; none where the batch is perfect.

    Those whose id is `known` are left out.

    `questions` are generators with the number of the reply that is asked for, all asked at the same
    time. Each may bring in an equal share of `max_children`, a seeded sample where it has more; its
    children are run on the `first` cases as soon as they are there. Costs a trial for each case of
    the batch that is not known, and for each child and first case.
    """
    rows = await context.run(parent, batch, purpose="batch")
    if is_perfect(rows) or not questions:
        return []
    evidence = decided_evidence(context, rows, parent, trajectory=trajectory)
    asked = questions[:max_children]
    share = max_children // len(asked)

    async def ask(generator: str, attempt: int) -> list[Candidate]:
        proposed = await context.propose(generator, parent, evidence, attempt=attempt)
        proposed = [child for child in proposed if child.id not in known]
        if len(proposed) > share:
            rng = random.Random(f"{context.seed}:{generator}:{parent.id}:{attempt}:share")
            kept = sorted(rng.sample(range(len(proposed)), share))
            proposed = [proposed[at] for at in kept]
        await side_by_side(
            context.run(child, unseen_by(first, child), purpose="first") for child in proposed
        )
        return proposed

    replies = await side_by_side(ask(name, attempt) for name, attempt in asked)
    return once(child for reply in replies for child in reply)


def once(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return each program once, the first candidate of it; several may propose the same."""
    found: dict[str, Candidate] = {}
    for candidate in candidates:
        found.setdefault(candidate.id, candidate)
    return list(found.values())
