"""The self-test of gates: planted regressions that each gate has to block.

A gate that has never been seen to block is decoration. Reports are made up for the task's own
cases and judged under its own settings, so that a margin that nothing can exceed, or an eval set
too small to show anything, is found before it is needed. Costs no call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptyard.protocols import Gate
from promptyard.records.cases import Case, Dimension
from promptyard.records.messages import Completion, Usage
from promptyard.records.scores import (
    CheckSummary,
    GradedCase,
    JudgeSummary,
    Report,
    Score,
    StepVisit,
    Trial,
)
from promptyard.records.verdicts import GateSettings, PairedReport, Planted, SelfTest, VerdictStatus
from promptyard.release.folding import judge_by_all
from promptyard.runner.summarize import summarize

TARGET = "planted_failure"
NO_GAIN = "no gain at all"
LATENCY_S, COST_USD, TOKENS, PROMPT_CHARS = 0.5, 0.001, 100, 1_000
HEADROOM = 2.0
"""Ceilings that the task does not set stand at twice what the sound candidate takes."""

EXCESS = 4.0
"""How much more than the sound one a harmful candidate takes of what has a ceiling."""

FIRST_WRONG = 0.4
"""Share of the cases that the made-up baseline gets wrong; the sound candidate mends them all."""


@dataclass(frozen=True)
class _Answers:
    """How a made-up program does: which cases are wrong or lost, and what it takes.

    `dimension` is what must get better; safety, or accuracy where that is it, is protected.
    """

    dimension: Dimension
    wrong: frozenset[str] = frozenset()
    unsafe: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    latency_s: float = LATENCY_S
    cost_usd: float = COST_USD
    tokens: int = TOKENS
    prompt_chars: int = PROMPT_CHARS
    judge: JudgeSummary | None = field(
        default_factory=lambda: JudgeSummary(model="m", prompt_hash="h", certificate="c")
    )


def run_self_test(
    gates: Mapping[str, Gate], cases: Sequence[Case], settings: GateSettings
) -> SelfTest:
    """Judge a sound candidate and every planted regression by all gates.

    A regression is blocked where its own gate, asked alone, does not pass. Gates that are not ours
    are shown all regressions and have to block one at least.
    """
    # The first one is critical, whatever the task says, so that a critical case can break.
    tested = [case.model_copy(update={"critical": n == 0}) for n, case in enumerate(cases)]
    wide = _with_all_limits(settings)
    dimension = "accuracy" if settings.primary == "score" else settings.primary
    base = _Answers(dimension=dimension, wrong=frozenset(case.id for case in _wrong_ones(tested)))
    sound = _Answers(dimension=dimension)
    verdict, _ = judge_by_all(gates, _pair(tested, base, sound), tested, wide)
    planted: list[Planted] = []
    plants = _plants(tested, base, sound)
    if settings.claim == "not_worse":
        del plants[NO_GAIN]  # which is then no regression
    for name, (owner, candidate, baseline) in plants.items():
        if owner in gates:
            pair = _pair(tested, baseline, candidate)
            planted.append(_planted(name, owner, gates[owner], pair, tested, wide))
    owners = {owner for owner, _, _ in plants.values()}
    planted += [
        _of_stranger(name, gate, plants, tested, wide)
        for name, gate in gates.items()
        if name not in owners
    ]
    return SelfTest(
        n_cases=len(tested),
        sound=verdict.status,
        sound_sentence=verdict.sentence,
        planted=tuple(planted),
    )


_Plants = dict[str, tuple[str, _Answers, _Answers]]


def _plants(cases: Sequence[Case], base: _Answers, sound: _Answers) -> _Plants:
    """Map each regression to the gate that owns it, the candidate that has it, the baseline."""
    ids = [case.id for case in cases]
    right = [name for name in ids if name not in base.wrong]
    all_right = replace(base, wrong=frozenset[str]())
    half = frozenset(ids[::2])
    harmed: _Plants = {
        NO_GAIN: ("holdout", base, base),
        "half of the cases answered worse": ("holdout", replace(sound, wrong=half), all_right),
        "half of the answers worse in a protected dimension": (
            "holdout",
            replace(sound, unsafe=half),
            base,
        ),
        "a tenth of the answers lost": (
            "holdout",
            replace(sound, lost=frozenset(ids[:: max(1, min(10, len(ids)))])),
            base,
        ),
        "another judge than the baseline's": (
            "holdout",
            replace(sound, judge=JudgeSummary(model="m", prompt_hash="x", certificate="c")),
            base,
        ),
        "the target failure is still there": ("targets", base, base),
        "a judge without a certificate": (
            "certificates",
            replace(sound, judge=JudgeSummary(model="m", prompt_hash="h")),
            base,
        ),
        "slow answers": ("ceilings", replace(sound, latency_s=EXCESS * LATENCY_S), base),
        "dear answers": ("ceilings", replace(sound, cost_usd=EXCESS * COST_USD), base),
        "long answers": ("ceilings", replace(sound, tokens=int(EXCESS * TOKENS)), base),
        "a long prompt": (
            "ceilings",
            replace(sound, prompt_chars=int(EXCESS * PROMPT_CHARS)),
            base,
        ),
    }
    if right:
        critical = right[0]
        harmed["a critical case breaks"] = (
            "holdout",
            replace(sound, wrong=frozenset({critical})),
            base,
        )
    return harmed


def _planted(
    plant: str, name: str, gate: Gate, pair: PairedReport, cases: Sequence[Case], s: GateSettings
) -> Planted:
    verdict = gate.judge(pair, cases, s)
    return Planted(
        plant=plant,
        gate=name,
        status=verdict.status,
        is_blocked=verdict.status != "pass",
        sentence=verdict.sentence,
    )


def _of_stranger(
    name: str, gate: Gate, plants: _Plants, cases: Sequence[Case], settings: GateSettings
) -> Planted:
    blocked: list[str] = []
    last: VerdictStatus = "pass"
    for plant, (_, candidate, baseline) in plants.items():
        status = gate.judge(_pair(cases, baseline, candidate), cases, settings).status
        if status != "pass":
            blocked.append(plant)
            last = status
    said = f"blocks: {', '.join(blocked)}" if blocked else "blocks none of the regressions"
    return Planted(
        plant="any of the above", gate=name, status=last, is_blocked=bool(blocked), sentence=said
    )


def _wrong_ones(cases: Sequence[Case]) -> Sequence[Case]:
    """Return the last cases: the first stays right, since it is the critical one."""
    return cases[len(cases) - int(FIRST_WRONG * len(cases)) :]


def _with_all_limits(settings: GateSettings) -> GateSettings:
    """Give every ceiling, the target and the certificates a value, so that each is tested."""
    return settings.model_copy(
        update={
            "ceilings": {
                "latency_p95_s": HEADROOM * LATENCY_S,
                "cost_usd": HEADROOM * COST_USD,
                "tokens": HEADROOM * TOKENS,
                "prompt_chars": HEADROOM * PROMPT_CHARS,
            },
            "targets": (TARGET,),
            "certificates": "required",
        }
    )


def _pair(cases: Sequence[Case], before: _Answers, after: _Answers) -> PairedReport:
    return PairedReport(
        baseline=_report("baseline", cases, before),
        candidate=_report("candidate", cases, after),
        prompt_chars=after.prompt_chars,
    )


def _report(program_id: str, cases: Sequence[Case], answers: _Answers) -> Report:
    graded = [GradedCase(case=case, trial=_trial(program_id, case, answers)) for case in cases]
    report = summarize(program_id, "self-test", "holdout", graded, {})
    judged = CheckSummary(
        metric="judge", dimension="judge", severity="soft", n_cases=len(cases), judge=answers.judge
    )
    return report.model_copy(update={"checks": (*report.checks, judged)})


def _trial(program_id: str, case: Case, answers: _Answers) -> Trial:
    about = {"program_id": program_id, "case_id": case.id, "split": "holdout"}
    if case.id in answers.lost:
        return Trial.model_validate({**about, "status": "unscored"})
    right = case.id not in answers.wrong
    safe = case.id not in answers.unsafe
    completion = Completion(
        text="",
        latency_s=answers.latency_s,
        cost_usd=answers.cost_usd,
        usage=Usage(input_tokens=answers.tokens),
    )
    return Trial(
        program_id=program_id,
        case_id=case.id,
        split="holdout",
        status="scored",
        score=float(right),
        passed=right,
        visits=(StepVisit(step="main", completion=completion),),
        scores=(
            Score(
                metric="planted",
                value=float(right),
                tags=() if right else (TARGET,),
                dimension=answers.dimension,
            ),
            Score(
                metric="protected",
                value=float(safe),
                severity="soft",
                dimension="accuracy" if answers.dimension == "safety" else "safety",
            ),
        ),
    )
