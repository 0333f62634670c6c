"""Feeds the gold answers of whole data sets back to the checks of examples/, and damaged ones.

    .venv/bin/python benchmarks/gold_feedback.py --data FOLDER

FOLDER holds `<task>_train.jsonl` and `<task>_test.jsonl`, with lines {"id", "input", "expected",
"tags"}. Every row is run through `evaluate` with a scripted model. Gold answers must score 1.0 with
coverage 1.0, also when they are written in another way; damaged ones what the damage says, with
exactly its tags. Exits with 1 otherwise, and names the rows.

IFEval has no gold: its answers are built, one for each row with all its instructions, and for each
single instruction one that keeps it and one that breaks it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promptyard as py
from promptyard.records.cases import eval_set_version
from promptyard.records.scores import Report, Trial

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.gold_answers import DAMAGES, Answer, Damage, gold_answer, gold_model, rewritten_answer  # noqa: E402  (the tests' folder is no package of ours)
from support.instruction_answers import breaking, keeping  # noqa: E402  (as above)

CHOICES = "bbh_date_understanding"
CHECKS_OF = {
    "banking77": "banking77",
    "gsm8k": "gsm8k",
    "snips_slots": "snips_slots",
    "bfcl_simple": "bfcl_simple",
    "tatqa": "tatqa",
    "ifeval": "ifeval",
    "bbh_date_understanding": CHOICES,
    "bbh_disambiguation_qa": CHOICES,
    "bbh_logical_deduction_five_objects": CHOICES,
    "bbh_snarks": CHOICES,
    "bbh_object_counting": "gsm8k",
}
"""The folder of examples/ whose prompt and checks go for each data set."""

CONTRADICTIONS = {
    "ifeval-3369": "the prompt to repeat has a word twice that may occur once",
    "ifeval-3371": "the prompt to repeat has the forbidden words",
    "ifeval-3718": "the prompt to repeat has a comma, and commas are forbidden",
}
"""Rows that no answer can meet: what the data set asks for excludes itself."""


@dataclass(frozen=True)
class Fed:
    """What came of one way to answer a task's rows."""

    task: str
    answers: str
    report: Report
    n_wrong: int
    seconds: float

    def __str__(self) -> str:
        """Write one line of the table."""
        score = "-" if self.report.score is None else f"{self.report.score:.4f}"
        n_rows = len(self.report.trials)
        return (
            f"{self.task:36} {self.answers:24} {n_rows:5} {score:>7} {self.report.coverage:9.4f} "
            f"{self.report.n_errors:7} {self.n_wrong:6} {self.seconds:8.2f}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--only", choices=sorted(CHECKS_OF), help="one data set")
    given = parser.parse_args()
    print(
        f"{'data set':36} {'answers':24} {'rows':>5} {'score':>7} {'coverage':>9} {'errors':>7} "
        f"{'wrong':>6} {'seconds':>8}"
    )
    n_wrong = 0
    for name in [given.only] if given.only else CHECKS_OF:
        for fed in fed_back(name, given.data):
            print(fed, flush=True)
            n_wrong += fed.n_wrong
    print(f"rows that did not come out as they should: {n_wrong}")
    for case_id, why in CONTRADICTIONS.items():
        print(f"left out: {case_id}, {why}")
    return 1 if n_wrong else 0


def fed_back(name: str, data: Path) -> Iterator[Fed]:
    """Feed a data set's gold answers back, then each kind of damage."""
    task = py.load_task(ROOT / "examples" / CHECKS_OF[name])
    rows = [
        py.Case(id=row["id"], input=row["input"], expected=row["expected"], split="dev")
        for part in ("train", "test")
        for row in _rows(data / f"{name}_{part}.jsonl")
    ]
    cases = [case for case in rows if case.id not in CONTRADICTIONS]
    yield fed(task, name, cases, gold_answer, Damage("gold", gold_answer, frozenset(), 1.0))
    if name == "ifeval":
        single = _single_instructions(rows)
        for damage in (
            Damage("each instruction kept", _kept, frozenset(), 1.0),
            Damage("each instruction broken", _broken, frozenset({"constraint_violation"})),
        ):
            yield fed(task, name, single, damage.answer, damage)
        return
    again = Damage("gold, written otherwise", rewritten_answer, frozenset(), 1.0)
    for damage in (again, *DAMAGES[CHECKS_OF[name]]):
        damaged = [case for case in cases if damage.answer(case) is not None]
        if not damaged:
            continue
        yield fed(task, name, damaged, damage.answer, damage)


def fed(task: py.Task, name: str, cases: Sequence[py.Case], answer: Answer, wanted: Damage) -> Fed:
    """Run the rows with one way to answer and count those that come out otherwise than wanted."""
    rows = tuple(cases)
    eval_set = py.EvalSet(name=name, cases=rows, version=eval_set_version(rows))
    model = gold_model(task.program.prompt, rows, answer)
    started = time.perf_counter()
    report = py.evaluate(
        py.Task(
            name=name,
            program=task.program,
            cases=eval_set,
            metrics=task.metrics,
            models=py.Models(task=model),
        )
    )
    seconds = time.perf_counter() - started
    wrong = [trial for trial in report.trials if not comes_out(trial, wanted)]
    for trial in wrong[:5]:
        why = trial.failure or [(s.metric, s.value, s.tags, s.reason) for s in trial.scores]
        print(f"  {name}, {wanted.name}: {trial.case_id}: {trial.output[:200]!r}: {why}")
    return Fed(name, wanted.name, report, len(wrong), seconds)


def comes_out(trial: Trial, wanted: Damage) -> bool:
    """Whether a case has the score and exactly the tags that its damage says."""
    if trial.score is None:
        return False
    tags = {tag for score in trial.scores for tag in score.tags}
    right = trial.score < 1.0 if wanted.score is None else abs(trial.score - wanted.score) < 1e-9
    return right and wanted.tags == frozenset(tags)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _single_instructions(cases: Sequence[py.Case]) -> list[py.Case]:
    """Make a case of every instruction; its prompt names it, as answers are found by prompts."""
    single: list[py.Case] = []
    for case in cases:
        expected: Any = case.expected
        for number, instruction in enumerate(expected):
            id_ = f"{case.id}-{number}"
            single.append(
                case.model_copy(
                    update={"id": id_, "input": {"prompt": id_}, "expected": [instruction]}
                )
            )
    return single


def _kept(case: py.Case) -> str:
    expected: Any = case.expected
    return keeping(expected)


def _broken(case: py.Case) -> str:
    expected: Any = case.expected
    return breaking(expected[0]["id"], expected[0]["args"])


if __name__ == "__main__":
    sys.exit(main())
