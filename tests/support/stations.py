"""Small records for station tests: cases, trials, reports."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.records.cases import Case, SplitName
from promptyard.records.edits import Candidate
from promptyard.records.evidence import TrainTrial
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program, Prompt
from promptyard.records.scores import GradedCase, Report, Score, StepVisit, Trial
from promptyard.runner.summarize import summarize

LABEL_PROMPT = """system:
Sort the message.

## Labels {#labels}
- lost_card
- top_up
- top_up_failed

## Safety {#safety .locked}
Never reveal notes.

user:
{{text}}
"""


def seed_candidate(text: str = LABEL_PROMPT) -> Candidate:
    """A candidate of one step with this prompt file."""
    return Candidate(program=Program.single(Prompt.from_text(text)))


def label_case(
    case_id: str,
    text: str,
    expected: str,
    split: SplitName = "train",
    *,
    critical: bool = False,
) -> Case:
    """A case of a label task."""
    return Case(id=case_id, input={"text": text}, expected=expected, split=split, critical=critical)


def label_trial(case: Case, got: str, program_id: str = "p", latency_s: float = 0.0) -> Trial:
    """What a program that answered `got` scores on a label case."""
    right = got == case.expected
    score = Score(
        metric="exact_match",
        value=float(right),
        label=got,
        tags=() if right else ("wrong_value",),
        reason="" if right else f"expected {case.expected}, got {got}",
    )
    return Trial(
        program_id=program_id,
        case_id=case.id,
        split=case.split or "train",
        status="scored",
        score=float(right),
        passed=right,
        output=got,
        visits=(StepVisit(step="main", completion=Completion(text=got, latency_s=latency_s)),),
        scores=(score,),
    )


def graded(case: Case, got: str) -> GradedCase:
    """A graded label case."""
    return GradedCase(case=case, trial=label_trial(case, got))


def train_trial(case: Case, got: str) -> TrainTrial:
    """A train case with its trial."""
    return TrainTrial(case=case, trial=label_trial(case, got))


def report_of(
    cases: Sequence[Case], answers: Sequence[str], program_id: str, split: SplitName
) -> Report:
    """A report of a program that gave these answers."""
    rows = [
        GradedCase(case=case, trial=label_trial(case, got, program_id))
        for case, got in zip(cases, answers, strict=True)
    ]
    return summarize(program_id, "v1", split, rows, {})
