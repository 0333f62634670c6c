"""What demonstrations can be made of: passing runs step by step, and gold answers.

Source: DSPy's BootstrapFewShot (arXiv 2310.03714), without its quirks (anchors on algorithms, A7).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.cases import Case
from promptyard.records.demonstrations import can_show, gold_demo, same_answer, step_demos
from promptyard.records.edits import SetDemos
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Demo, Program
from promptyard.records.scores import Trial


class DemoSettings(Record):
    """Sizes and bars of demonstration search; DSPy's where nothing else is said.

    `threshold` is the score from which on a run is shown; None asks for a pass. `max_runs` bounds
    the teacher's runs of one proposal, `max_order_runs` those of the race of orders; each costs a
    task call a step. A `max_rounds` of 1 never asks a case twice.
    """

    max_demos: int = Field(default=160, ge=0)
    max_bootstrapped: int = Field(default=4, ge=1)
    max_labelled: int = Field(default=16, ge=0)
    threshold: float | None = Field(default=None, ge=0, le=1)
    max_rounds: int = Field(default=2, ge=1)
    max_runs: int = Field(default=24, ge=0)
    max_errors: int = Field(default=5, ge=1)
    n_shuffled: int = Field(default=3, ge=0)
    n_nearest_buckets: int = Field(default=2, ge=0)
    n_nearest: int = Field(default=4, ge=1)
    n_diverse: int = Field(default=8, ge=1)
    max_orders: int = Field(default=24, ge=0)
    max_order_runs: int = Field(default=120, ge=0)
    order_cases: int = Field(default=8, ge=2)
    order_z: float = Field(default=1.64, ge=0)


@dataclass(frozen=True)
class Example:
    """A train case with its demonstration at each step that can show it."""

    case: Case
    demos: Mapping[str, Demo]

    def may_teach(self, case: Case) -> bool:
        """Say whether a prompt that shows this may be run on a case: it is not the same again."""
        if dict(self.case.input) == dict(case.input):
            return False
        return case.cluster is None or case.cluster != self.case.cluster


@dataclass(frozen=True)
class Pool:
    """Examples of one program, in the order of the evidence.

    `passing` are its own runs, `gold` expected answers (for the last step). `gold_is_an_answer`
    says that gold answers look like what the program answers when it is right; otherwise both
    in one prompt would teach two formats.
    """

    passing: tuple[Example, ...]
    gold: tuple[Example, ...]
    gold_is_an_answer: bool

    def fill(self, shown: Collection[Example]) -> list[Example]:
        """Return the gold examples that may stand beside the shown ones."""
        if not self.gold_is_an_answer:
            return []
        ids = {example.case.id for example in shown}
        return [example for example in self.gold if example.case.id not in ids]


def passes(trial: Trial, threshold: float | None) -> bool:
    """Say whether a run may be shown. One without a score never may."""
    if trial.status != "scored" or trial.score is None:
        return False
    return trial.passed if threshold is None else trial.score >= threshold


def pool_of(
    program: Program, evidence: Evidence, settings: DemoSettings, rng: random.Random
) -> Pool:
    """Read the pool of a program out of the rows of the evidence. Costs no call."""
    last = program.steps[-1]
    rows = (*evidence.successes, *evidence.failures)
    passing: list[Example] = []
    gold: list[Example] = []
    n_alike = n_other = 0
    for row in rows:
        known = gold_demo(row.case, last.prompt) if can_show(last.prompt) else None
        if known is not None:
            gold.append(Example(row.case, {last.name: known}))
        if passes(row.trial, settings.threshold):
            example = example_of(program, row.case, row.trial, rng)
            passing += [example] if example.demos else []
            alike = known is not None and same_answer(known.output, row.trial.output)
            n_alike, n_other = n_alike + alike, n_other + (not alike)
    return Pool(tuple(passing), tuple(gold), gold_is_an_answer=n_alike >= n_other)


def example_of(program: Program, case: Case, trial: Trial, rng: random.Random) -> Example:
    """Return what a trial shows at each step; steps that can show nothing are left out."""
    demos = step_demos(program, case, trial, rng)
    able = [step.name for step in program.steps if can_show(step.prompt)]
    return Example(case, {name: demos[name] for name in able if name in demos})


def with_examples(program: Program, examples: Sequence[Example]) -> tuple[SetDemos, ...]:
    """Return the edits that show these examples, at each step what they have for it."""
    edits: list[SetDemos] = []
    for step in program.steps:
        demos = tuple(e.demos[step.name] for e in examples if step.name in e.demos)
        if demos and demos != step.prompt.demos:
            edits.append(SetDemos(step=step.name, demos=demos))
    return tuple(edits)
