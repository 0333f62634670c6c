"""Which cases show a bucket, which bucket a sentence answers, and what a sentence did: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.records.atoms import Atom, atoms_of
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Bucket, Evidence, TrainTrial
from promptyard.records.origins import Effect, Origin
from promptyard.records.prompts import Demo


def cover(
    failures: Sequence[TrainTrial], buckets: Sequence[Bucket], n_each: int, limit: int
) -> list[TrainTrial]:
    """Return the fewest failing rows that show every bucket `n_each` times, by greedy choice.

    At most `limit`; ties go to the row that comes first.
    """
    members = {bucket.name: frozenset(bucket.case_ids) for bucket in buckets}
    by_id = {row.case.id: row for row in failures}
    need = {name: min(n_each, len(ids & by_id.keys())) for name, ids in members.items()}
    chosen: list[TrainTrial] = []
    left = list(by_id.values())
    while left and len(chosen) < limit and any(need.values()):
        best = max(left, key=lambda r: sum(r.case.id in members[n] for n, k in need.items() if k))
        gain = [name for name, k in need.items() if k and best.case.id in members[name]]
        if not gain:
            break
        for name in gain:
            need[name] -= 1
        chosen.append(best)
        left.remove(best)
    return chosen


def filled(
    chosen: Sequence[TrainTrial],
    failures: Sequence[TrainTrial],
    buckets: Sequence[Bucket],
    n: int,
) -> list[TrainTrial]:
    """Return the chosen rows and, up to `n` rows in all, other failing rows of these buckets."""
    known = {row.case.id for row in chosen}
    members = {case_id for bucket in buckets for case_id in bucket.case_ids} - known
    others = [row for row in failures if row.case.id in members]
    return [*chosen, *others[: max(0, n - len(chosen))]]


def failed_in(
    rows: Sequence[TrainTrial],
    tags: Mapping[str, frozenset[str]],
    others: Sequence[TrainTrial],
) -> dict[str, frozenset[str]]:
    """Return the cases of each bucket that both sets of rows answered."""
    both = {row.case.id for row in rows} & {row.case.id for row in others}
    return {name: ids & both for name, ids in tags.items()}


def effect_on(
    buckets: Sequence[str],
    before: Mapping[str, frozenset[str]],
    after: Mapping[str, frozenset[str]],
) -> Effect:
    """Count the failures of some buckets together, before and after: (bucket, case) pairs."""
    failed = {(name, case_id) for name in buckets for case_id in before.get(name, ())}
    fails = {(name, case_id) for name in buckets for case_id in after.get(name, ())}
    return Effect(
        n_cases=len({case_id for _, case_id in failed | fails}),
        n_failing_before=len(failed),
        n_failing_after=len(fails),
        fixed=tuple(sorted({case_id for _, case_id in failed - fails})),
        broke=tuple(sorted({case_id for _, case_id in fails - failed})),
    )


def made_by(origins: Sequence[Origin], demos: Sequence[Demo] = ()) -> str:
    """Name the generators that have a part in a composition: `reflect`, `reflect+demos`."""
    names = dict.fromkeys(origin.generator for origin in origins)
    if demos:
        names["demos"] = None
    return "+".join(names) or "compose"


def origins_of(candidate: Candidate, base: Candidate, evidence: Evidence) -> list[Origin]:
    """Cut a proposal into atoms, each credited to the buckets that it answers."""
    by_name = {bucket.name: bucket for bucket in evidence.buckets}
    buckets = [by_name[name] for name in candidate.evidence if name in by_name]
    origins: list[Origin] = []
    for atom in atoms_of(base.program, candidate.edits) if buckets else ():
        answered = answers(atom, buckets)
        shown = [case_id for bucket in answered for case_id in bucket.case_ids]
        origins.append(
            Origin(
                atom=atom,
                buckets=tuple(bucket.name for bucket in answered),
                case_ids=tuple(dict.fromkeys(shown))[:8],
                generator=candidate.generator,
                hypothesis=candidate.hypothesis,
            )
        )
    return origins


def answers(atom: Atom, buckets: Sequence[Bucket]) -> list[Bucket]:
    """Return the buckets that an atom answers: the label that it names, else all asked about."""
    named = [
        bucket
        for bucket in buckets
        if bucket.expected and (bucket.expected in atom.text or bucket.expected in atom.anchor)
    ]
    named.sort(key=lambda bucket: -len(bucket.expected or ""))
    return named[:1] or list(buckets)
