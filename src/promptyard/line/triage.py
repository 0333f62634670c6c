"""Triage: failures of live traffic become cases of the task, once a person agrees.

Answers go at once into a journal beside the task; at the end the accepted ones are appended to the
case file, which makes a child version of the eval set. A case gets its id of its normalised input,
and so its split: whoever meets the same input again puts it into the same split. Only the inputs
that the task's prompt uses count: a number of the request does not make a question another one.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.duplicates import normalised_input
from promptyard.evalset.wording import nearest
from promptyard.line.case_files import Change
from promptyard.line.growth import add_cases
from promptyard.line.live_traffic import all_live_events
from promptyard.line.query import opened, require_prompt
from promptyard.line.task import Task, load_task
from promptyard.line.wiring import metrics_of, store_address
from promptyard.records.base import Json, content_hash
from promptyard.records.cases import Case
from promptyard.records.joined import joined
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program
from promptyard.records.triage import TriageAnswer
from promptyard.runner.grading import CircuitBreaker, Grading, grade
from promptyard.traces.triage import LiveFailure, live_failures

JOURNAL = "triage.jsonl"
LIVE = "live"
"""The tag of cases that came out of live traffic."""

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class TriageItem:
    """A failure, and what the checks of the task that need no judge say of its latest answer.

    `needs_gold` says that a check could not grade it: as a case it would have no score without the
    right answer.
    """

    failure: LiveFailure
    tags: tuple[str, ...]
    findings: tuple[str, ...]
    needs_gold: bool = False


@dataclass
class Triage:
    """An open triage: what is still to be looked at, and the answers so far.

    `n_in_eval_set` are failing inputs that are not shown, being cases already; `labels` are those
    of the task's output contract, none where it has none.
    """

    task: Path
    store: str | None
    items: Sequence[TriageItem]
    n_without_inputs: int
    n_in_eval_set: int = 0
    labels: tuple[str, ...] = ()
    answers: list[TriageAnswer] = field(default_factory=list[TriageAnswer])

    @property
    def journal(self) -> Path:
        """Where answers are kept."""
        return _folder(self.task) / JOURNAL

    def answer(
        self,
        item: TriageItem,
        *,
        by: str,
        is_failure: bool,
        expected: Json = None,
        tags: Sequence[str] = (),
    ) -> TriageAnswer:
        """Keep an answer, durably, before it returns.

        Raises EvalSetError, with nothing kept, for a right answer that is none of the labels.
        """
        if self.labels and isinstance(expected, str) and expected not in self.labels:
            raise EvalSetError(
                f"'{expected}' is none of the labels{nearest(expected, self.labels)}"
            )
        failure = item.failure
        given = TriageAnswer(
            key=failure.key,
            verdict="case" if is_failure else "no_failure",
            expected=expected,
            tags=tuple(dict.fromkeys((*item.tags, *tags))) if is_failure else (),
            by=by,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            outcome_id=failure.outcome_ids[0],
            version=failure.version,
            trace_id=failure.trace_id,
            inputs=dict(failure.inputs),
        )
        with self.journal.open("a", encoding="utf-8") as file:
            # ASCII, as in the spool: a lone surrogate is text of JSON, but none of UTF-8.
            file.write(f"{json.dumps(given.model_dump(), allow_nan=False)}\n")
            file.flush()
            os.fsync(file.fileno())
        self.answers.append(given)
        return given


async def open_triage(
    task: Path, *, store: str | None = None, below: float | None = None, limit: int = 200
) -> Triage:
    """Gather what failed in live traffic and is neither in the eval set nor answered yet.

    `below` is the score that counts as failed, by default the task's `pass_at`. Costs no call.
    Raises NotFound for a prompt without versions, EvalSetError for a damaged journal.
    """
    loaded = load_task(task)
    url = store_address(store, _folder(task))
    answers = read_journal(_folder(task) / JOURNAL)
    key_of = _key_of(loaded)
    cases = {key_of(case.input) for case in loaded.eval_set.cases}
    answered = {key_of(answer.inputs) for answer in answers}
    retired = {name.removeprefix(f"{LIVE}-") for name in loaded.eval_set.retired}
    async with opened(url) as opened_store:
        await require_prompt(opened_store, loaded.name)
        events = await all_live_events(opened_store, loaded.name)
    rows = joined(events)
    failures = live_failures(
        rows, below=loaded.pass_at if below is None else below, key_of=key_of, known=retired
    )
    new = [item for item in failures if item.key not in cases | answered]
    items = [await _graded(loaded, failure) for failure in new[:limit]]
    n_without = sum(
        row.outcome.inputs is None and (bool(row.outcome.error) or row.hard_failure is True)
        for row in rows
    )
    return Triage(
        task,
        url,
        items,
        n_without,
        n_in_eval_set=sum(item.key in cases for item in failures),
        labels=loaded.program.steps[-1].prompt.output.labels,
        answers=answers,
    )


async def save_triage(triage: Triage) -> Change | None:
    """Append the accepted failures that are no cases yet; None where there are none.

    Costs no call. The change makes a child version of the eval set, with its source in each case.
    Raises EvalSetError, with nothing written, for what is no case of the task.
    """
    loaded = load_task(triage.task)
    key_of = _key_of(loaded)
    known = {key_of(case.input) for case in loaded.eval_set.cases}
    last = {key_of(answer.inputs): answer for answer in triage.answers}
    rows = [
        _row(answer, key, used_inputs(loaded.program, answer.inputs))
        for key, answer in last.items()
        if answer.verdict == "case" and key not in known
    ]
    if not rows:
        return None
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    return await add_cases(
        triage.task,
        io.BytesIO(lines.encode("utf-8", "replace")),
        tags=(LIVE,),
        store=triage.store,
    )


def read_journal(path: Path) -> list[TriageAnswer]:
    """Read the answers so far; a half line at the end is what a kill left, and is dropped.

    Raises EvalSetError naming the line that cannot be read.
    """
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")
    found: list[TriageAnswer] = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            found.append(TriageAnswer.model_validate(json.loads(line)))
        except (ValueError, RecursionError):
            raise EvalSetError(
                f"{path}:{number}: this is no answer of a triage; correct or remove the line"
            ) from None
    if lines[-1]:
        path.write_bytes(b"".join(line + b"\n" for line in lines[:-1]))
    return found


def input_key(inputs: Mapping[str, Json]) -> str:
    """Return the hash of an input however it is spelled: the same as in the search for doubles."""
    return content_hash(normalised_input(inputs))[:16]


def used_inputs(program: Program, inputs: Mapping[str, Json]) -> dict[str, Json]:
    """Return the inputs that a program reads; all of them where it reads none of these.

    Half a surrogate pair, which no case file holds and no model can be sent, becomes U+FFFD.
    """
    used = {name: inputs[name] for name in program.variables if name in inputs} or dict(inputs)
    return json.loads(
        _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", json.dumps(used, ensure_ascii=False))
    )


def _key_of(task: Task) -> Callable[[Mapping[str, Json]], str]:
    return lambda inputs: input_key(used_inputs(task.program, inputs))


async def _graded(task: Task, failure: LiveFailure) -> TriageItem:
    """Run the task's checks on the latest answer, without gold; what cannot be run says nothing."""
    case = Case(id=failure.key, input=failure.inputs, split="train")
    metrics = [
        metric
        for metric in metrics_of(task)(task.program, case)
        if not getattr(metric, "asks_judge", False)
    ]
    answer = Completion(text=failure.output or "")
    found: Grading = await grade(metrics, case, answer, CircuitBreaker())
    # Of an answer that is not stored only that is known: whether a right one would be needed.
    scores = () if failure.output is None else found.scores
    failed = [score for score in scores if score.value < 1.0]
    tags = tuple(dict.fromkeys(tag for score in failed for tag in score.tags))
    findings = tuple(
        f"{score.metric}: {score.reason or ', '.join(score.tags) or 'failed'}" for score in failed
    )
    needs_gold = any(item.status == "error" for item in found.unmeasured)
    return TriageItem(failure, tags, findings, needs_gold)


def _row(answer: TriageAnswer, key: str, inputs: dict[str, Json]) -> dict[str, Json]:
    source = f"live {answer.outcome_id}, v{answer.version}, confirmed by {answer.by}"
    row: dict[str, Json] = {
        "id": f"{LIVE}-{key}",
        "input": inputs,
        "source": f"{source}, trace {answer.trace_id}" if answer.trace_id else source,
    }
    if answer.expected is not None:
        row["expected"] = answer.expected
    if answer.tags:
        row["tags"] = list(answer.tags)
    return row


def _folder(task: Path) -> Path:
    return task if task.is_dir() else task.parent
