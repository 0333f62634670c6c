"""Learning: one reflection a bucket, all patches composed at once, credit per bucket on one slice.

Nothing is accepted here: a failure slice is biased, it only tells which bucket's patch worked.
Source: anchors on search, section 2, steps 2a to 2g.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from promptyard.protocols import SearchContext
from promptyard.records.demonstrations import gold_demo
from promptyard.records.edits import Candidate
from promptyard.records.events import Credited
from promptyard.records.evidence import Attempt, Bucket, Evidence, TrainTrial
from promptyard.records.origins import Effect, Origin
from promptyard.records.prompts import Demo
from promptyard.records.sentences import says
from promptyard.search.attribution import cover, effect_on, failed_in, filled, made_by, origins_of
from promptyard.search.memory import Memory
from promptyard.search.pipeline import side_by_side
from promptyard.search.settings import AutoSettings
from promptyard.search.working_line import WorkingLine, mean, score_differences

MIN_MEASURED = 1
"""Failing cases of a bucket that demonstrations leave to measure them by."""

SAME = 1e-9
"""Means that differ by less are equal."""

REFLECTORS = ("reflect", "local_edit")
"""Generators that answer buckets with local edits, in the order of preference."""


@dataclass(frozen=True)
class Learnt:
    """What one round of learning made of the line; `moved` is False where nothing worked."""

    line: WorkingLine
    new: tuple[Origin, ...] = ()
    n_cured: int = 0

    @property
    def moved(self) -> bool:
        """Whether the line holds anything new."""
        return bool(self.new) or self.n_cured > 0


class Learner:
    """Teaches a line its failures. Costs optimizer calls and the slices."""

    def __init__(self, context: SearchContext, settings: AutoSettings, memory: Memory) -> None:
        self._context = context
        self._settings = settings
        self._memory = memory
        self._reflector = next((name for name in REFLECTORS if name in context.generators), None)
        memory.credit.note(context.past_origins)

    async def learn(self, line: WorkingLine) -> Learnt:
        """Make up to `max_passes` passes over the failures of a line."""
        learnt = Learnt(line)
        for _ in range(self._settings.max_passes):
            step = await self._pass(learnt.line)
            if step is None:
                break
            new = (*learnt.new, *step.new)
            kept = {origin.atom.key for origin in step.line.origins}
            learnt = Learnt(
                step.line,
                tuple(origin for origin in new if origin.atom.key in kept),
                learnt.n_cured + step.n_cured,
            )
        return learnt

    async def _pass(self, line: WorkingLine) -> Learnt | None:
        """Reflect, compose, run the slice, credit; None where there is nothing to ask or try."""
        evidence, buckets = self._evidence(line)
        if not buckets or self._reflector is None:
            return None
        demos = self._demos(line, evidence, buckets)
        asked = [bucket for bucket in buckets if not (bucket.by_demos and bucket.name in demos)]
        proposed = await self._ask(line, evidence, asked)
        answered = {name for origin in proposed for name in origin.buckets} | set(demos)
        for bucket in buckets:
            if bucket.name not in answered:
                self._memory.vain[bucket.name] += 1
                self._memory.attempted.add(bucket.name)
        if not answered:
            return None
        return await self._try(line, evidence, proposed, demos)

    def _evidence(self, line: WorkingLine) -> tuple[Evidence, list[Bucket]]:
        """Return the evidence of a line and the buckets to ask about.

        A single failure in spite of a patch is luck until it has company. What failed before the
        patch is company, but shows and measures nothing.
        """
        found = self._context.evidence(
            tuple(line.rows.values()), line.candidate, self._memory.attempts
        )
        self._memory.patched.setdefault(line.candidate.id, line.patched)
        alone = {bucket.name for bucket in found.buckets if len(bucket.case_ids) == 1}
        told = self._memory.telling(found, line)
        lucky = alone & line.patched
        return told, self._awake([item for item in told.buckets if item.name not in lucky])

    def _awake(self, buckets: Sequence[Bucket]) -> list[Bucket]:
        """Return the buckets to ask about: the largest that do not rest; labels count as one."""
        limit = self._settings.max_vain_attempts
        awake = [bucket for bucket in buckets if self._memory.vain[bucket.name] < limit]
        awake.sort(key=lambda bucket: -len(bucket.case_ids))
        labels = [bucket for bucket in awake if bucket.expected is not None]
        others = [bucket for bucket in awake if bucket.expected is None]
        return labels[: 8 * self._settings.max_buckets] + others[: self._settings.max_buckets]

    async def _ask(
        self, line: WorkingLine, evidence: Evidence, buckets: Sequence[Bucket]
    ) -> list[Origin]:
        """Ask about each bucket, labels together; several times where little has moved so far."""
        assert self._reflector is not None
        directed = [self._memory.credit.directed(bucket) for bucket in buckets]
        labels = [bucket for bucket in directed if bucket.expected is not None]
        groups = [[bucket] for bucket in directed if bucket.expected is None]
        questions: list[tuple[list[Bucket], int]] = []
        for group in [*groups, *([labels] if labels else [])]:
            name = group[0].name if len(group) == 1 else "labels"
            vain = max(self._memory.vain[bucket.name] for bucket in group)
            more = vain if self._memory.is_hard else int(vain * self._settings.replies_per_vain)
            n = min(self._settings.max_replies, 1 + more)
            for _ in range(n):
                questions.append((group, self._memory.questions[name]))
                self._memory.questions[name] += 1
        replies = await side_by_side(
            self._context.propose(
                self._reflector,
                line.candidate,
                evidence.model_copy(update={"buckets": tuple(group)}),
                attempt=attempt,
            )
            for group, attempt in questions
        )
        return self._new_origins(line, evidence, [item for reply in replies for item in reply])

    def _new_origins(
        self, line: WorkingLine, evidence: Evidence, candidates: Sequence[Candidate]
    ) -> list[Origin]:
        """Cut proposals into sentences that are neither there nor banned; the same one counts once.

        Among labels, a sentence that several replies propose answers the labels of all of them;
        elsewhere it answers the buckets, too, for which nothing else is proposed.
        """
        found: dict[str, Origin] = {}
        repeated: list[Origin] = []
        known = {origin.atom.key for origin in line.origins}
        texts = [step.prompt.text for step in line.candidate.program.steps]
        for candidate in candidates:
            for proposed in origins_of(candidate, line.candidate, evidence):
                origin = proposed
                stands = origin.atom.kind != "delete" and says(texts, origin.atom.text)
                if stands and origin.atom.kind == "replace":
                    # What was to come in its place is there: what is left to do is to delete it.
                    gone = origin.atom.model_copy(update={"kind": "delete", "text": ""})
                    origin, stands = origin.model_copy(update={"atom": gone}), False
                key = origin.atom.key
                banned = self._memory.strikes[key] >= self._settings.strikes_before_ban
                if key in known or banned or stands:
                    continue
                first = found.setdefault(key, origin)
                if len(first.buckets) > 1:
                    found[key] = first.answering(origin.buckets)
                elif first is not origin:
                    repeated.append(origin)
        answered = {name for origin in found.values() for name in origin.buckets}
        for origin in repeated:
            others = [name for name in origin.buckets if name not in answered]
            found[origin.atom.key] = found[origin.atom.key].answering(others)
        return list(found.values())

    def _demos(
        self, line: WorkingLine, evidence: Evidence, buckets: Sequence[Bucket]
    ) -> dict[str, tuple[Demo, ...]]:
        """Pick demonstrations for buckets that resist: gold answers of the simplest cases."""
        picked: dict[str, tuple[Demo, ...]] = {}
        taken = set(line.demo_ids)
        if "demos" not in self._context.generators or self._settings.demos_per_bucket == 0:
            return picked
        for bucket in buckets:
            # Silence of the optimizer is no resistance: sentences must have been tried.
            resists = (
                self._memory.vain[bucket.name] >= self._settings.vain_attempts_before_demos
                and bucket.name in self._memory.tried
            )
            if not resists and not bucket.by_demos:
                continue
            left = [r for r in evidence.failures_of(bucket) if r.case.id not in taken]
            # A bucket is measured on the cases that are left; one of them at least has to be.
            n_shown = min(self._settings.demos_per_bucket, len(left) - MIN_MEASURED)
            chosen = left[: max(0, n_shown)]
            prompt = line.candidate.program.steps[-1].prompt
            demos = tuple(d for row in chosen if (d := gold_demo(row.case, prompt)) is not None)
            if demos:
                picked[bucket.name] = demos
                taken |= {demo.case_id for demo in demos if demo.case_id}
        return picked

    async def _try(
        self,
        line: WorkingLine,
        evidence: Evidence,
        proposed: Sequence[Origin],
        picked: Mapping[str, tuple[Demo, ...]],
    ) -> Learnt | None:
        shown = (*line.demos, *(demo for demos in picked.values() for demo in demos))
        line = line.without_cases(demo.case_id for demo in shown if demo.case_id)
        asked = tuple(dict.fromkeys([*(name for o in proposed for name in o.buckets), *picked]))
        composite = await self._compose((*line.origins, *proposed), shown, asked)
        if composite is None or composite.id == line.candidate.id:
            self._in_vain(proposed, asked)
            return None
        self._memory.patched[composite.id] = line.patched.union(*(o.buckets for o in proposed))
        wanted = [bucket for bucket in evidence.buckets if bucket.name in asked]
        cases = cover(line.failures, wanted, self._slice_cases, self._max_slice(wanted))
        # A case may show every bucket; then the fewest are too few to see a small gain.
        n_wanted = min(self._settings.min_slice_cases, self._slice_cases * len(wanted))
        cases = filled(cases, line.failures, wanted, n_wanted)
        if not cases:
            return None
        after = await self._context.run(
            composite, [row.case for row in cases], purpose="slice", priority=2.0
        )
        before = await self._confirmed(line, cases, after)
        outdated = {
            (name, row.case.id)
            for name in asked
            for row in before
            if self._memory.is_outdated(name, row, line)
        }
        failed = failed_in(before, self._tags(before, line.candidate, outdated), after)
        fails = failed_in(after, self._tags(after, composite, outdated), before)
        gained = self._gained(after, before, [effect_on([name], failed, fails) for name in asked])
        good: set[str] = set()
        for name in asked:
            effect = effect_on([name], failed, fails)
            moved = gained and self._moved(effect, shown=name in picked)
            await self._credit(name, effect, moved=moved)
            if moved:
                good.add(name)
        measured = [
            origin.model_copy(update={"effect": effect_on(origin.buckets, failed, fails)})
            for origin in proposed
        ]
        kept = tuple(
            origin
            for origin in measured
            if origin.atom.kind == "delete"
            or (gained and origin.effect is not None and self._moved(origin.effect))
        )
        self._memory.credit.note(measured)
        self._remember(measured, kept)
        if not good:
            return None
        demos = (*line.demos, *(d for name, some in picked.items() if name in good for d in some))
        pruned = composite
        if len(kept) < len(proposed) or len(demos) < len(shown):
            pruned = await self._compose((*line.origins, *kept), demos, sorted(good))
            if pruned is None:
                return None
        made = replace(line, candidate=pruned, origins=(*line.origins, *kept), demos=demos)
        cured = [row for row in after if row.trial.passed]
        return Learnt(made.with_rows(after), kept, len(cured))

    async def _compose(
        self, origins: Sequence[Origin], demos: Sequence[Demo], buckets: Sequence[str]
    ) -> Candidate | None:
        return await self._context.compose(
            [origin.atom for origin in origins],
            demos,
            generator=made_by(origins, demos),
            buckets=buckets,
        )

    async def _confirmed(
        self, line: WorkingLine, cases: Sequence[TrainTrial], after: Sequence[TrainTrial]
    ) -> Sequence[TrainTrial]:
        """Return the line's rows of a slice, run anew where a stochastic model cured too little.

        Failures that were selected as failures cure themselves in part when they are run again.
        """
        n_cured = sum(row.trial.passed for row in after)
        if not self._context.stochastic or 2 * n_cured >= len(cases):
            return cases
        return await self._context.run(
            line.candidate, [row.case for row in cases], purpose="noise", replicate=1
        )

    def _gained(
        self, after: Sequence[TrainTrial], before: Sequence[TrainTrial], effects: Sequence[Effect]
    ) -> bool:
        """Say whether the slice as a whole is better, or as good where a failure is cured twice.

        On a slice of few cases another mistake, drawn anew, can hide what a patch has cured.
        """
        gained = mean(score_differences(after, before)) or 0.0
        cured_twice = any(item.n_failing_before - item.n_failing_after >= 2 for item in effects)
        return gained > SAME or (gained >= -SAME and cured_twice)

    def _moved(self, effect: Effect, *, shown: bool = False) -> bool:
        """Say whether failures were cured: one of them, or two where luck cures some as well.

        Demonstrations lengthen every call: they have to cure two in any case, where there are two.
        """
        cured = effect.n_failing_before - effect.n_failing_after
        strict = (self._context.stochastic or shown) and effect.n_failing_before > 1
        return cured >= (2 if strict else 1)

    async def _credit(self, name: str, effect: Effect, *, moved: bool) -> None:
        memory = self._memory
        memory.attempted.add(name)
        if moved:
            memory.moved.add(name)
            memory.vain[name] = 0
        else:
            memory.vain[name] += 1
        await self._context.emit(
            Credited(
                bucket=name,
                n_cases=effect.n_cases,
                n_failing_before=effect.n_failing_before,
                n_failing_after=effect.n_failing_after,
                moved=moved,
            )
        )

    def _remember(self, measured: Sequence[Origin], kept: Sequence[Origin]) -> None:
        """Note the sentences that moved nothing: they are shown next time, and struck."""
        vain = [origin for origin in measured if origin not in kept]
        self._memory.strike(vain)
        for name in dict.fromkeys(name for origin in vain for name in origin.buckets):
            own = [origin for origin in vain if name in origin.buckets and origin.atom.text]
            if own:
                self._memory.tried[name] = tuple(own)
                effect = own[0].effect
                self._memory.attempts.append(
                    Attempt(
                        bucket=name,
                        texts=tuple(origin.atom.text for origin in own),
                        outcome="the failures stayed",
                        n_cases=effect.n_cases if effect else 0,
                        fixed=effect.fixed if effect else (),
                        broke=effect.broke if effect else (),
                    )
                )

    def _in_vain(self, proposed: Sequence[Origin], asked: Sequence[str]) -> None:
        self._memory.strike(proposed)
        for name in asked:
            self._memory.vain[name] += 1
            self._memory.attempted.add(name)

    @property
    def _slice_cases(self) -> int:
        return self._settings.slice_cases_per_bucket

    def _max_slice(self, buckets: Sequence[Bucket]) -> int:
        return max(self._settings.max_slice_cases, len(buckets))

    def _tags(
        self,
        rows: Sequence[TrainTrial],
        candidate: Candidate,
        outdated: Collection[tuple[str, str]],
    ) -> dict[str, frozenset[str]]:
        found = self._context.evidence(rows, candidate)
        return {
            bucket.name: frozenset(
                case_id for case_id in bucket.case_ids if (bucket.name, case_id) not in outdated
            )
            for bucket in found.buckets
        }
