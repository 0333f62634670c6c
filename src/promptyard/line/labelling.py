"""A person labels cases one by one: verdicts on outputs, golds, tags. Every answer is durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from promptyard.errors import EvalSetError
from promptyard.evalset.label_files import LabelJournal
from promptyard.evalset.strict_json import JsonFault, find_fault, parse_json
from promptyard.evalset.wording import nearest
from promptyard.records.base import Json, content_hash
from promptyard.records.cases import Case
from promptyard.records.labels import Answer, Verdict
from promptyard.records.messages import OutputContract


@dataclass(frozen=True)
class LabelItem:
    """What is asked at once: one case and one verdict on its output.

    `metric` is the check that the verdict is on (None: the case as a whole), `rubric` its text.
    `output` is None where there is nothing to judge. `findings` is what checks said that ask no
    judge: the judge's own verdict would sway the person that it is to be measured by.
    """

    case: Case
    metric: str | None = None
    rubric: str | None = None
    output: str | None = None
    findings: tuple[str, ...] = ()


def utc_now() -> str:
    """The present time in UTC as ISO 8601 text."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class LabelSession:
    """A walk over items, in order, back and forth; it begins where this labeller left off.

    What a method was told is in the journal when it returns, and in no other file before it is
    saved. Answers that were given on another input of a case are `stale` and count for nothing.
    """

    def __init__(
        self,
        items: Sequence[LabelItem],
        journal: LabelJournal,
        labeller: str,
        contract: OutputContract,
        clock: Callable[[], str] = utc_now,
    ) -> None:
        self.items = tuple(items)
        self.labeller = labeller
        self._journal = journal
        self._contract = contract
        self._clock = clock
        self._inputs = {item.case.id: input_hash(item.case) for item in items}
        self.verdicts: dict[tuple[str, str | None], Verdict] = {}
        self.golds: dict[str, Json] = {}
        self.added: dict[str, tuple[str, ...]] = {}
        self.removed: dict[str, tuple[str, ...]] = {}
        self.n_stale = 0
        self._golden: set[str] = set()
        self.position = self._replay()

    @property
    def current(self) -> LabelItem | None:
        """The item that is asked now, None behind the last one."""
        return self.items[self.position] if self.position < len(self.items) else None

    @property
    def n_answered(self) -> int:
        """Items with a verdict and, where there is no output to judge, with a gold."""
        return sum(self.is_answered(item) for item in self.items)

    def is_answered(self, item: LabelItem) -> bool:
        """Whether this labeller has said what an item asks for, in this session or before."""
        if item.output is None:
            return item.case.id in self._golden
        return (item.case.id, item.metric) in self.verdicts

    def verdict_on(self, item: LabelItem) -> Verdict | None:
        """What this labeller said of an item."""
        return self.verdicts.get((item.case.id, item.metric))

    def expected(self, case: Case) -> Json:
        """The gold of a case, as it will be."""
        return self.golds.get(case.id, case.expected)

    def tags(self, case: Case) -> tuple[str, ...]:
        """The tags of a case, as they will be."""
        kept = [tag for tag in case.tags if tag not in self.removed.get(case.id, ())]
        return (*kept, *(tag for tag in self.added.get(case.id, ()) if tag not in kept))

    def judge(self, verdict: Verdict) -> None:
        """Say whether the output passes and go on. Raises EvalSetError where there is none."""
        item = self._require_item()
        if item.output is None:
            raise EvalSetError("there is no output to judge; choose a run that has one with --run")
        self._note("verdict", item, metric=item.metric, label=verdict, output=item.output)
        self.verdicts[item.case.id, item.metric] = verdict
        self.position += 1

    def set_gold(self, text: str) -> None:
        """Take a text as the case's gold; go on where there is no output to judge as well.

        Raises EvalSetError saying what is wrong with it.
        """
        item = self._require_item()
        gold = parse_gold(text, self.expected(item.case), self._contract)
        self._note("gold", item, expected=gold)
        self.golds[item.case.id] = gold
        self._golden.add(item.case.id)
        self.position += item.output is None

    def toggle_tags(self, tags: Sequence[str]) -> None:
        """Add the tags that the case does not have, remove those that it has, and stay."""
        item = self._require_item()
        case = item.case
        blank = [tag for tag in tags if not tag.strip() or not tag.isprintable()]
        if blank:
            raise EvalSetError(f"{blank[0]!r} is no tag; use visible characters")
        added, removed = list(self.added.get(case.id, ())), list(self.removed.get(case.id, ()))
        present = self.tags(case)
        for tag in dict.fromkeys(tags):
            into, out_of = (removed, added) if tag in present else (added, removed)
            if tag in out_of:
                out_of.remove(tag)
            into.append(tag)
        self._note("tags", item, added=added, removed=removed)
        self.added[case.id], self.removed[case.id] = tuple(added), tuple(removed)

    def skip(self) -> None:
        """Go on without an answer."""
        item = self._require_item()
        self._note("skip", item, metric=item.metric)
        self.position += 1

    def back(self) -> None:
        """Go back by one item, to answer again; at the first one this changes nothing."""
        self.position = max(0, self.position - 1)

    def unsaved(self) -> tuple[Answer, ...]:
        """The answers of this labeller that are in the journal only, without the stale ones."""
        mine = [answer for answer in self._journal.answers if answer.labeller == self.labeller]
        last = max((n for n, answer in enumerate(mine) if answer.kind == "written"), default=-1)
        return tuple(answer for answer in mine[last + 1 :] if not self._is_stale(answer))

    def mark_written(self) -> None:
        """Note that everything so far is in the files."""
        self._journal.append(Answer(kind="written", labeller=self.labeller, at=self._clock()))

    def _require_item(self) -> LabelItem:
        if self.current is None:
            raise EvalSetError("that was the last case; go back, or quit and save")
        return self.current

    def _note(self, kind: str, item: LabelItem, **values: Json) -> None:
        answer = {
            "kind": kind,
            "labeller": self.labeller,
            "at": self._clock(),
            "case_id": item.case.id,
            "input_hash": self._inputs[item.case.id],
            **values,
        }
        self._journal.append(Answer.model_validate(answer))

    def _is_stale(self, answer: Answer) -> bool:
        known = self._inputs.get(answer.case_id)
        return answer.kind != "verdict" and known is not None and known != answer.input_hash

    def _replay(self) -> int:
        """Take up the journal; returns where to go on: behind the item that was answered last.

        Behind the last item it begins again at the first one without an answer, if there is one.
        """
        places = {(item.case.id, item.metric): n for n, item in reversed([*enumerate(self.items)])}
        first_of = {item.case.id: n for n, item in reversed([*enumerate(self.items)])}
        last = -1
        for answer in self._journal.answers:
            if answer.labeller != self.labeller or answer.case_id not in first_of:
                continue
            place = places.get((answer.case_id, answer.metric))
            if answer.kind != "verdict" and self._is_stale(answer):
                self.n_stale += 1
            elif answer.kind == "gold":
                self._golden.add(answer.case_id)
                last = first_of[answer.case_id] if self._asks_gold(answer.case_id) else last
            elif answer.kind == "skip" and place is not None:
                last = place
            elif answer.label and place is not None and self.items[place].output == answer.output:
                self.verdicts[answer.case_id, answer.metric] = answer.label
                last = place
        for answer in self.unsaved():
            if answer.kind == "gold":
                self.golds[answer.case_id] = answer.expected
            elif answer.kind == "tags":
                self.added[answer.case_id] = answer.added
                self.removed[answer.case_id] = answer.removed
        open_places = [n for n, item in enumerate(self.items) if not self.is_answered(item)]
        behind = [n for n in open_places if n > last]
        return next(iter(behind or open_places), len(self.items))

    def _asks_gold(self, case_id: str) -> bool:
        return any(item.output is None for item in self.items if item.case.id == case_id)


def input_hash(case: Case) -> str:
    """Identify the input that a person has seen: 16 hex digits."""
    return content_hash(dict(case.input))[:16]


def parse_gold(text: str, present: Json, contract: OutputContract) -> Json:
    """Read a gold as a person types it.

    Where the gold is a text, or there is none yet, it is the text itself unless it begins like a
    JSON object, list or text; every other gold is JSON. One of the contract's labels where it has
    labels. Raises EvalSetError.
    """
    text = text.strip()
    if not text:
        raise EvalSetError("the gold is empty; write what the right answer is")
    plain = present is None or isinstance(present, str)
    value: Json = text
    if not plain or text.startswith(("{", "[", '"')):
        try:
            value = parse_json(text)
        except JsonFault as fault:
            raise EvalSetError(f"the gold is no JSON as the present one is: {fault}") from None
    if value is None:
        raise EvalSetError("null is no gold; write what the right answer is")
    if fault := find_fault(value, "gold"):
        raise EvalSetError(f"{fault.path}: {fault.reason}")
    if contract.labels and isinstance(value, str) and value not in contract.labels:
        raise EvalSetError(f"'{value}' is none of the labels{nearest(value, contract.labels)}")
    return value


def summary(answers: Sequence[Answer]) -> Mapping[str, int]:
    """Count what answers come to: verdicts by (case, check, output), cases with gold, with tags."""
    verdicts = {(a.case_id, a.metric, a.output) for a in answers if a.kind == "verdict"}
    return {
        "verdicts": len(verdicts),
        "golds": len({a.case_id for a in answers if a.kind == "gold"}),
        "tagged": len({a.case_id for a in answers if a.kind == "tags"}),
    }
