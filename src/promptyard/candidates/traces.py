"""Trace optimisation: better worked answers to show, and steps that reasoning should take.

Rationalisation (STaR, arXiv 2203.14465), alternative traces of hard cases, the choice of simple and
diverse traces (Auto-CoT, arXiv 2210.03493), solution sketches out of traces that passed, a verifier
step behind the reasoning. Only where an answer has room for reasoning. Anchors on algorithms, A10.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from promptyard.candidates.asking import ask_object
from promptyard.candidates.demo_pool import Example, example_of, passes
from promptyard.candidates.meta_prompt import MetaPrompts, example_row, nonce_for, prompt_block
from promptyard.candidates.rationalise import Rationaliser
from promptyard.candidates.similarity import clusters, input_text, vectors_of
from promptyard.candidates.trace_rules import (
    TraceSettings,
    has_room,
    n_steps,
    n_tokens,
    reasons_first,
)
from promptyard.candidates.trace_texts import sketch_edit, steps_of, verifier_edit
from promptyard.errors import BudgetExceeded
from promptyard.protocols import Bench
from promptyard.records.demonstrations import can_show
from promptyard.records.edits import (
    Candidate,
    Edit,
    Proposal,
    SetDemos,
    SetParam,
    apply_edits,
)
from promptyard.records.evidence import Evidence, TrainTrial
from promptyard.records.prompts import Program, Step
from promptyard.records.scores import Report

SAMPLE_TEMPERATURE = 1.0

STEPS_SCHEMA = {
    "type": "object",
    "properties": {"steps": {"type": "array", "items": {"type": "string"}}},
    "required": ["steps"],
    "additionalProperties": False,
}


class Traces:
    """Proposes up to five things: a choice of traces, a sketch, a check, two sets of new traces.

    Costs at most `n_rationalised` + 1 optimizer calls, twice that where replies cannot be read, and
    at most `n_hard` times `n_samples` runs of the program.
    """

    name = "traces"

    def __init__(
        self,
        meta_prompts: MetaPrompts | None = None,
        max_demos: int | None = None,
        settings: TraceSettings | None = None,
    ) -> None:
        self._meta_prompts = meta_prompts or MetaPrompts()
        self._max_demos = max_demos
        self._settings = settings or TraceSettings()

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Propose; nothing where answers have no room for reasoning or all of them are right."""
        program = base.program
        last = program.steps[-1]
        seed = rng.getrandbits(32)
        if not evidence.failures or not has_room(last.prompt, evidence):
            return ()
        traced = [row for row in evidence.successes if self._is_trace(row)]
        proposals = self._chosen(program, traced, rng)
        proposals += await self._sketched(last, traced, bench, seed)
        proposals += self._verified(last, evidence)
        if can_show(last.prompt):
            proposals += await self._rationalised(last, evidence, traced, bench, seed)
            proposals += await self._sampled(program, evidence, bench, rng)
        return proposals

    def _is_trace(self, row: TrainTrial) -> bool:
        output = row.trial.output
        return len(output) <= self._settings.max_trace_chars and reasons_first(
            output, row.case.expected
        )

    # a choice among traces that passed: no call

    def _chosen(
        self, program: Program, traced: Sequence[TrainTrial], rng: random.Random
    ) -> list[Proposal]:
        """Show one short trace a cluster of inputs, that nearest to its centre."""
        settings = self._settings
        chosen: list[Example] = []
        vectors = vectors_of([input_text(row.case.input) for row in traced])
        for group in clusters(vectors, self._room(settings.n_clusters)):
            simple = [traced[index] for index in group if self._is_simple(traced[index])]
            if simple:
                chosen.append(example_of(program, simple[0].case, simple[0].trial, rng))
        edits = _shows(program, chosen, keep=False)
        if not edits:
            return []
        said = f"{len(chosen)} short traces of unlike inputs show how to reason."
        return [self._proposal(edits, said, ("traces",))]

    def _is_simple(self, row: TrainTrial) -> bool:
        tokens = n_tokens(input_text(row.case.input))
        steps = n_steps(row.trial.output)
        return tokens <= self._settings.max_input_tokens and steps <= self._settings.max_steps

    # sentences: a sketch, a check

    async def _sketched(
        self, step: Step, traced: Sequence[TrainTrial], bench: Bench, seed: int
    ) -> list[Proposal]:
        """Ask what traces that passed have in common; nothing with fewer than two of them."""
        if len(traced) < 2:
            return []
        vectors = vectors_of([input_text(row.case.input) for row in traced])
        shown = [traced[group[0]] for group in clusters(vectors, self._settings.n_sketched)]
        rows = [example_row(row) for row in shown]
        nonce = nonce_for([step.prompt.text, *rows], seed)
        messages = self._meta_prompts.fill(
            "sketch",
            {
                "nonce": nonce,
                "prompt": prompt_block(step.prompt, nonce),
                "answers": "\n".join(rows),
            },
        )
        found, raw = await ask_object(bench, self._meta_prompts, messages, STEPS_SCHEMA, "steps")
        steps = "no steps" if found is None else steps_of(found["steps"])
        said = "Traces that passed take the same steps; the prompt now names them."
        if isinstance(steps, str):
            return [self._proposal((), said, ("traces",), f"{steps} | {raw}")]
        edit = sketch_edit(step, steps)
        if edit is None:
            return []
        return [self._proposal((edit,), said, ("traces",), raw)]

    def _verified(self, step: Step, evidence: Evidence) -> list[Proposal]:
        edit = verifier_edit(step)
        if edit is None:
            return []
        said = (
            "A check against the constraints behind the reasoning catches answers that break one."
        )
        return [self._proposal((edit,), said, tuple(b.name for b in evidence.buckets))]

    # new traces of cases that failed

    async def _rationalised(
        self,
        step: Step,
        evidence: Evidence,
        traced: Sequence[TrainTrial],
        bench: Bench,
        seed: int,
    ) -> list[Proposal]:
        right = [row.trial.output for row in traced[:2]]
        asking = Rationaliser(step, right, bench, self._meta_prompts, self._settings, seed)
        hard = hard_rows(evidence)[: self._room(self._settings.n_rationalised, step)]
        demos, problems = await asking.run(hard)
        if demos:
            said = f"{len(demos)} worked answers to inputs that failed show how to get them right."
            edit = SetDemos(step=step.name, demos=(*step.prompt.demos, *demos))
            buckets = _buckets_of(evidence, [demo.case_id for demo in demos])
            return [self._proposal((edit,), said, buckets)]
        said = "Worked answers to inputs that failed would show how to get them right."
        return [self._proposal((), said, (), "\n".join(problems))] if problems else []

    async def _sampled(
        self, program: Program, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> list[Proposal]:
        """Run hard cases again with sampling until each passed once; show what passed."""
        sampling = apply_edits(
            program,
            [
                SetParam(step=step.name, name="temperature", value=SAMPLE_TEMPERATURE)
                for step in program.steps
            ],
        )
        waiting = hard_rows(evidence)[: self._room(self._settings.n_hard, program.steps[-1])]
        found: list[Example] = []
        for replicate in range(1, self._settings.n_samples + 1):
            report = await _run(bench, sampling, waiting, replicate)
            if report is None:
                break
            trials = report.by_case()
            good = [
                row
                for row in waiting
                if row.case.id in trials
                and passes(trials[row.case.id], None)
                and self._is_trace(row.model_copy(update={"trial": trials[row.case.id]}))
            ]
            found += [example_of(program, row.case, trials[row.case.id], rng) for row in good]
            waiting = [row for row in waiting if row not in good]
        edits = _shows(program, found, keep=True)
        if not edits:
            return []
        buckets = _buckets_of(evidence, [example.case.id for example in found])
        said = f"{len(found)} inputs that failed were answered rightly in another way; it is shown."
        return [self._proposal(edits, said, buckets)]

    def _room(self, wanted: int, step: Step | None = None) -> int:
        """Return how many traces may be shown beside those that are."""
        if self._max_demos is None:
            return wanted
        n_shown = len(step.prompt.demos) if step is not None else 0
        return max(0, min(wanted, self._max_demos - n_shown))

    def _proposal(
        self,
        edits: Sequence[Edit],
        said: str,
        buckets: Sequence[str],
        raw: str = "",
    ) -> Proposal:
        return Proposal(
            generator=self.name,
            edits=tuple(edits),
            hypothesis=said,
            evidence=tuple(buckets),
            raw=raw[:4000],
        )


def hard_rows(evidence: Evidence) -> list[TrainTrial]:
    """Return the failing rows, one of each bucket in turn, the largest bucket first."""
    queues = [list(evidence.failures_of(bucket)) for bucket in evidence.buckets]
    found: dict[str, TrainTrial] = {}
    for place in range(max(map(len, queues), default=0)):
        for queue in queues:
            if place < len(queue):
                found.setdefault(queue[place].case.id, queue[place])
    for row in evidence.failures:
        found.setdefault(row.case.id, row)
    return list(found.values())


async def _run(
    bench: Bench, program: Program, rows: Sequence[TrainTrial], replicate: int
) -> Report | None:
    """Run what is left; None where nothing is, or where the budget is at its end."""
    if not rows:
        return None
    try:
        return await bench.run(program, [row.case.id for row in rows], replicate)
    except BudgetExceeded:
        return None


def _shows(program: Program, examples: Sequence[Example], *, keep: bool) -> list[SetDemos]:
    """Return the edits that show examples at each step, behind those that are there if kept."""
    edits: list[SetDemos] = []
    for step in program.steps:
        new = tuple(e.demos[step.name] for e in examples if step.name in e.demos)
        demos = (*step.prompt.demos, *new) if keep else new
        if new and demos != step.prompt.demos:
            edits.append(SetDemos(step=step.name, demos=demos))
    return edits


def _buckets_of(evidence: Evidence, case_ids: Sequence[str | None]) -> tuple[str, ...]:
    ids = frozenset(case_ids)
    return tuple(bucket.name for bucket in evidence.buckets if ids & frozenset(bucket.case_ids))
