"""The policy `auto`: learn every failure at once, check on fresh cases, serve what beats the seed.

Baseline on a few train cases; one reflection a failure bucket; all patches composed and run on one
covering slice; credit a bucket; a check on fresh cases; delta debugging for traps; again. What
beats the baseline on unseen cases is the finalist; dev and the holdout decide. Source: anchors on
search, section 2; ADR-0015.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from promptyard.errors import BudgetExceeded
from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Accepted, Diagnosed, Eliminated, Noted
from promptyard.records.evidence import TrainTrial
from promptyard.search.arms import Arms
from promptyard.search.checks import Checker, Claim, Ruling
from promptyard.search.lean import MAX_BUCKETS, leaned
from promptyard.search.learn import Learner, Learnt
from promptyard.search.memory import Memory
from promptyard.search.settings import AutoSettings, first_cases
from promptyard.search.tidy import tidy
from promptyard.search.traps import TrapHunter
from promptyard.search.working_line import WorkingLine, mean, scores_of


class Auto:
    """The default policy. Deterministic: the same answers give the same search."""

    name = "auto"

    def __init__(self, settings: AutoSettings | None = None) -> None:
        self.settings = settings or AutoSettings()

    async def search(self, context: SearchContext) -> Candidate | None:
        """Search until nothing is left to learn or to pay; None where nobody beats the baseline."""
        search = _Search(context, self.settings)
        try:
            await search.run()
        except BudgetExceeded as error:
            if search.finalist is None:
                raise
            await context.emit(Noted(text=f"the search ended early: {error}"))
        if search.finalist is None:
            return None
        kept = await context.stage("full", search.finalists)
        return kept[0] if kept else None


class _Search:
    """One search: the working line, the incumbent, what is served, and the fresh cases left."""

    def __init__(self, context: SearchContext, settings: AutoSettings) -> None:
        self._context = context
        self._settings = settings
        self._memory = Memory()
        self._learner = Learner(context, settings, self._memory)
        self._hunter = TrapHunter(context, settings, self._memory)
        self._checker = Checker(context, settings)
        self._fresh: deque[Case] = deque()
        self._incumbent = WorkingLine(context.baseline)
        self._puller = Arms(context, settings, self._memory)
        self._served: Candidate | None = None
        self._published: WorkingLine | None = None
        self._lead = 0.0
        self._trusted: Candidate | None = None
        self._stops: list[Candidate] = []
        self._kept_calls = 0

    @property
    def finalist(self) -> Candidate | None:
        """What was served last, else the last line that was ahead on unseen cases.

        Where a holdout decides, a line that was ahead on seen cases only may try as well.
        """
        incumbent = self._incumbent.candidate
        changed = self._context.confirms and incumbent.id != self._context.baseline.id
        return self._served or self._trusted or (incumbent if changed else None)

    @property
    def finalists(self) -> list[Candidate]:
        """The finalist; where a holdout decides later also lines that it came from."""
        if self.finalist is None:
            return []
        others = [item for item in reversed(self._stops) if item.id != self.finalist.id]
        n_others = self._settings.max_finalists - 1 if self._context.confirms else 0
        return [self.finalist, *others[:n_others]]

    async def run(self) -> None:
        """Work in rounds until nothing changes any more; on a plateau pull an arm."""
        await self._diagnose()
        n_labels = len(self._context.labels)
        many = n_labels >= self._settings.many_labels
        if many and len(self._fresh) >= 2 * self._settings.arm_cases:
            # So many labels are shown, not told: a few failures of each define none of them.
            await self._pull_arms()
        while await self._climb() and self._arms:
            await self._pull_arms()
        await self._lean()
        await self._tidy()

    async def _lean(self) -> None:
        """Leave out what the search added and nothing needs, if other cases are no worse for it."""
        line = self._incumbent if self._published is None else self._published
        if self.finalist is None or self.finalist.id != line.candidate.id:
            return
        found = await leaned(self._context, self._settings, line)
        if found is None:
            return
        # Lines that say more are ahead of it by luck at most.
        self._incumbent, self._stops = found.line, []
        unseen = {row.case.id for row in self._checker.unseen(line.candidate.id)}
        rows = [row for row in found.rows if row.case.id in unseen]
        self._checker.saw(found.line.candidate.id, rows)
        if self._published is not None:
            await self._publish(found.line, found.ruling)
            return
        self._trusted = found.line.candidate if self._trusted is not None else None
        self._context.blame(found.line.candidate, found.line.origins)

    async def _tidy(self) -> None:
        """Take second wordings out of what would be served."""
        line = self._incumbent
        if self.finalist is None or self.finalist.id != line.candidate.id:
            return
        fresh = [case for case in self._fresh if case.id not in line.rows]
        seen = [row.case for row in line.rows.values() if row.case.id not in line.demo_ids]
        cases = [*fresh, *seen][: self._settings.max_check_cases]
        tidied = await tidy(self._context, self._settings, line, cases)
        if tidied is not None:
            await self._accept(tidied.line.with_rows(tidied.rows), tidied.ruling, unseen=False)

    async def _climb(self) -> bool:
        """Learn and check until a plateau; False where the search is over."""
        idle = vain = 0
        while idle < self._patience and not self._is_spent:
            learnt = await self._hunter.freed(
                await self._learner.learn(self._incumbent), self._incumbent
            )
            vain = 0 if learnt.moved else vain + 1
            if vain >= self._settings.max_vain_rounds and self.finalist is None and not self._arms:
                await self._context.emit(
                    Noted(text="no improvement found: no failure moved in several rounds")
                )
                return False
            accepted = await self._check(learnt)
            if accepted is None:
                return True
            idle = 0 if accepted else idle + 1
        return not self._is_spent

    @property
    def _patience(self) -> int:
        """Rounds without an accepted change that end a climb; many only for rare failures."""
        is_rare = not self._arms and not self._is_poor
        return self._settings.max_idle_rounds if is_rare else self._settings.plateau_rounds

    @property
    def _is_spent(self) -> bool:
        """Whether what is left is kept for leaving sentences out at the end."""
        left = self._context.task_calls_left
        return left is not None and left <= self._kept_calls and len(self._incumbent.origins) > 2

    @property
    def _is_poor(self) -> bool:
        """Whether more than a fifth of what could be scored is missing: there is much to gain."""
        return self._headroom > self._settings.rare_failures

    @property
    def _arms(self) -> list[str]:
        """The arms that are left, none where little is left to gain."""
        return self._puller.left if self._headroom > self._settings.arm_headroom else []

    @property
    def _headroom(self) -> float:
        """What the incumbent leaves to gain, by unseen rows where it has any.

        Where it was accepted on seen cases, those that it was run on have to do: other rows tell of
        programs before it.
        """
        line = self._incumbent
        rows = self._checker.unseen(line.candidate.id) or [
            row for row in line.rows.values() if row.trial.program_id == line.candidate.id
        ]
        return 1 - (mean(scores_of(rows)) or 0.0)

    async def _pull_arms(self) -> None:
        """Pull arms until one leads or none is left."""
        while self._arms and not self._is_spent:
            self._stops.append(self._incumbent.candidate)
            fresh = [case for case in self._fresh if case.id not in self._incumbent.rows]
            if len(fresh) < self._settings.min_check_cases:
                fresh = []
            cases = fresh or [row.case for row in self._incumbent.rows.values()]
            pull = await self._puller.pull(self._incumbent, cases)
            if pull is None:
                continue
            used = {row.case.id for row in pull.rows}
            self._fresh = deque(case for case in self._fresh if case.id not in used)
            if fresh:
                # The best of several was chosen on these rows: for it they are not unseen.
                self._checker.saw(self._incumbent.candidate.id, pull.incumbent_rows)
            if pull.ruling.taken:
                await self._accept(pull.line.with_rows(pull.rows), pull.ruling, unseen=bool(fresh))
                return
            await self._context.emit(
                Eliminated(candidate_id=pull.line.candidate.id, reason=pull.ruling.reason)
            )
            self._incumbent = self._incumbent.with_rows(pull.incumbent_rows)

    async def _diagnose(self) -> None:
        context = self._context
        n = self._baseline_cases()
        rows = await context.run(context.baseline, context.train[:n], purpose="baseline")
        self._fresh.extend(context.train[n:])
        self._checker.saw(context.baseline.id, rows)
        self._incumbent = self._incumbent.with_rows(rows)
        found = context.evidence(rows, context.baseline)
        left = context.task_calls_left
        if left is not None and len(found.buckets) <= MAX_BUCKETS:
            self._kept_calls = int(self._settings.lean_budget_share * left)
        score = mean(scores_of(rows))
        headroom = 1 - (score or 0.0)
        await context.emit(Diagnosed(score=score, n_cases=len(rows), n_buckets=len(found.buckets)))
        if headroom <= self._settings.low_headroom:
            await context.emit(
                Noted(
                    text=f"low headroom: the baseline scores {100 * (score or 0):.1f} % on "
                    f"{len(rows)} train cases"
                )
            )

    def _baseline_cases(self) -> int:
        """Return how many cases the baseline runs on first; more where there are many labels."""
        return first_cases(
            self._settings,
            n_train=len(self._context.train),
            n_labels=len(self._context.labels),
            calls_left=self._context.task_calls_left,
        )

    async def _check(self, learnt: Learnt) -> bool | None:
        """Check what was learnt on fresh cases; None when nothing is left to do."""
        incumbent, line = self._incumbent, learnt.line
        cases = self._take(self._checker.n_cases(incumbent), line)
        if not learnt.moved:
            return await self._look(cases)
        unseen = bool(cases)
        if not unseen:
            # Train is used up: cases whose row is older than the line have to do.
            cases = self._stale(line)
        if not cases:
            return None
        rows = await self._context.run(
            line.candidate, cases, purpose="fresh" if unseen else "seen", priority=1.0
        )
        hunted = line
        if incumbent.origins and len(learnt.new) > 1:
            broken = await self._checker.broken(line, incumbent, rows)
            hunted = await self._hunter.among(line, learnt.new, rows, broken)
        if hunted is line:
            hunted = await self._hunter.hunt(line, rows)
        if hunted.candidate.id != line.candidate.id:
            rows = [hunted.rows.get(row.case.id, row) for row in rows]
        line = hunted
        claim = Claim(
            learnt.n_cured if learnt.new else 0,
            frozenset(name for origin in learnt.new for name in origin.buckets),
            only_demos=not learnt.new,
        )
        ruling = await self._checker.check(line, incumbent, rows, claim, unseen=unseen)
        poor = self._is_poor
        while ruling.is_open and unseen and poor and (more := self._take(len(cases), line, rows)):
            # A small effect where much is to gain: look at more cases before giving it up.
            cases = [*cases, *more]
            rows = [
                *rows,
                *await self._context.run(line.candidate, more, purpose="fresh", priority=1.0),
            ]
            ruling = await self._checker.check(line, incumbent, rows, claim, unseen=unseen)
        if not ruling.taken:
            await self._context.emit(
                Eliminated(candidate_id=line.candidate.id, reason=ruling.reason)
            )
            self._memory.strike(learnt.new)
            if unseen:
                await self._back(incumbent, cases)
            return False
        await self._accept(line.with_rows(rows), ruling, unseen=unseen)
        self._renew(rows)
        return True

    async def _look(self, fresh: Sequence[Case]) -> bool | None:
        """Look at more cases although nothing was learnt: rare failures are found that way.

        Fresh ones first, then those whose row is older than the incumbent; None without either.
        """
        incumbent = self._incumbent
        cases = fresh or ([] if self._is_poor else self._stale(incumbent))
        if not cases:
            return None
        purpose = "fresh" if fresh else "seen"
        rows = await self._context.run(incumbent.candidate, cases, purpose=purpose)
        if fresh:
            self._checker.saw(incumbent.candidate.id, rows)
        self._incumbent = incumbent.with_rows(rows)
        self._renew(rows)
        if fresh:
            await self._serve(self._incumbent)
        return False

    async def _accept(self, line: WorkingLine, ruling: Ruling, *, unseen: bool) -> None:
        await self._context.emit(
            Accepted(
                candidate_id=line.candidate.id,
                reason=ruling.reason,
                n_cases=ruling.n_cases,
                difference=ruling.difference,
            )
        )
        before, self._incumbent = self._incumbent.candidate, line
        self._context.blame(line.candidate, line.origins)
        if unseen or (self._trusted is not None and before.id == self._trusted.id):
            self._trusted = line.candidate
        if self._served is not None and before.id == self._served.id:
            # Ahead of a prompt that is ahead of the baseline: no further look is needed.
            await self._publish(line, ruling)
        else:
            await self._serve(line)

    def _stale(self, line: WorkingLine) -> list[Case]:
        """Return cases whose latest row is older than the line, at most one check of them."""
        stale = [
            row.case
            for row in line.rows.values()
            if row.trial.program_id != line.candidate.id and row.case.id not in line.demo_ids
        ]
        return stale[: self._settings.max_check_cases]

    def _take(self, n: int, line: WorkingLine, checked: Sequence[TrainTrial] = ()) -> list[Case]:
        """Take fresh cases: neither shown nor evidence of the line; few behind a long check."""
        taken: list[Case] = []
        if len(checked) >= self._settings.max_long_check:
            return taken
        while self._fresh and len(taken) < n:
            case = self._fresh.popleft()
            if case.id not in line.demo_ids and case.id not in line.rows:
                taken.append(case)
        return taken

    async def _back(self, incumbent: WorkingLine, cases: Sequence[Case]) -> None:
        """Return to the incumbent: what it answered is its evidence, the rest stays fresh."""
        known = self._context.scores(incumbent.candidate)
        answered = [case for case in cases if case.id in known]
        own: Sequence[TrainTrial] = ()
        if answered:
            own = await self._context.run(incumbent.candidate, answered, purpose="fresh")
        self._incumbent = incumbent.with_rows(own)
        self._renew(own)
        self._fresh.extend(case for case in cases if case.id not in known)

    def _renew(self, rows: Sequence[TrainTrial]) -> None:
        found = self._context.evidence(rows, self._incumbent.candidate)
        self._memory.renew(bucket.name for bucket in found.buckets)

    async def _serve(self, line: WorkingLine) -> None:
        """Serve a line that beats the baseline on unseen cases."""
        if line.candidate.id in (
            self._context.baseline.id,
            self._served.id if self._served else None,
        ):
            return
        ruling = await self._checker.beats_baseline(line)
        if not ruling.taken:
            return
        await self._publish(line, ruling)

    async def _publish(self, line: WorkingLine, ruling: Ruling) -> None:
        self._served, self._published = line.candidate, line
        # Checked on seen cases alone it has no lead of its own: its gain on the one before counts.
        gained = ruling.n_cases, self._lead + (ruling.difference or 0.0)
        n_cases, difference = self._checker.lead(line.candidate) or gained
        self._lead = difference
        self._context.serve(line.candidate, line.origins, n_cases=n_cases, difference=difference)
        await self._context.emit(
            Accepted(
                candidate_id=line.candidate.id,
                reason=ruling.reason,
                served=True,
                n_cases=n_cases,
                difference=difference,
            )
        )
