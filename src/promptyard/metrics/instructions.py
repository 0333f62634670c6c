"""The check `instructions`: the answer keeps the checkable instructions of the case (IFEval)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from promptyard.metrics.check import Check, shared_weight
from promptyard.metrics.context import MetricContext
from promptyard.metrics.instruction_rules import RULES, Arguments, Reply
from promptyard.metrics.json_text import as_array, shorten
from promptyard.metrics.language import NoDetector
from promptyard.metrics.options import nearest
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import HitCounts, Score

Mode: TypeAlias = Literal["all", "share"]
MODES: tuple[Mode, ...] = ("all", "share")


class Instruction(NamedTuple):
    """One instruction of a case: its id in `RULES`, and its arguments."""

    id: str
    arguments: Mapping[str, Json]


class Instructions(Check):
    r"""Check that the answer keeps every instruction of the case, by the rules of IFEval.

    The case expects a list of `{"id", "args"}` (or `kwargs`), or, as the data set is published,
    `{"instruction_id_list": [...], "kwargs": [...]}`. All 25 instructions are known. Strict: the
    answer is graded as it stands, without the loose variants.

    Rules follow Zhou et al. 2023 (arXiv 2311.07911). Where the authors' checker leaves room or
    uses other tools, this holds: words are `\w+`; a sentence ends at `.!?…` before white space,
    at an empty line or a list's item, not at common abbreviations (theirs: nltk); keywords are
    texts, not expressions, and found inside of words, forbidden words are whole ones; bullets
    begin a line with `* ` or `- `, rulers and negative numbers are none; sections are headed at
    the beginning of a line; a passage in three asterisks is highlighted once; JSON is strict, as
    in `is_json`, with a fence allowed; the language is told by py3langid (the extra
    `promptyard[language]`; theirs: langdetect), fewer than 20 letters are in a language unless
    another one is ten times as likely.

    Options:
        mode: `all` (default: 1 where all hold, else 0) or `share` (the share that holds).
        value: the instructions, when they are the same for all cases.

    Fails with `constraint_violation`: in mode `all` with one finding for each broken instruction,
    whose `field` is the id; in mode `share` with one that names them and scores in between.
    `Score.counts` of the first one counts instructions that hold, for instruction-level accuracy.
    A case whose instructions are unknown or lack arguments is unscored. Soft, accuracy.
    """

    name = "instructions"
    tag = "constraint_violation"
    option_names = ("mode", "value")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.mode: Mode = self.options.choice("mode", MODES, "all")
        self.value: tuple[Instruction, ...] | None = None
        if self.options.has("value"):
            try:
                self.value = read_instructions(self.options.value("value"))
            except ValueError as error:
                raise self.options.wrong("value", f"cannot be read: {error}") from None

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Look at each instruction in turn."""
        try:
            instructions = read_instructions(case.expected) if self.value is None else self.value
            broken = dict(_broken(instructions, Reply(completion.text)))
        except (ValueError, NoDetector) as error:
            raise self.ungradable(case, str(error)) from None
        n_all = len(instructions)
        counts = HitCounts(n_hits=n_all - len(broken), n_given=n_all, n_expected=n_all)
        if not broken:
            found = self.passed()
        elif self.mode == "share":
            reason = "; ".join(f"{instructions[at].id}: {why}" for at, why in broken.items())
            score = self.failed(completion, f"{len(broken)} of {n_all} broken: {reason}")
            found = (score.model_copy(update={"value": counts.n_hits / n_all}),)
        else:
            found = shared_weight(
                [
                    self.failed(completion, why, field=instructions[at].id)
                    for at, why in broken.items()
                ]
            )
        return (found[0].model_copy(update={"counts": counts}), *found[1:])


def read_instructions(value: Json) -> tuple[Instruction, ...]:
    """Read the instructions that a case expects, in either form.

    Raises ValueError where there are none, one is unknown, or ids and arguments do not pair.
    """
    split = as_object(value)
    items = as_array(value)
    if split is not None and "instruction_id_list" in split:
        ids, arguments = as_array(split["instruction_id_list"]), as_array(split.get("kwargs"))
        if ids is None or arguments is None or len(ids) != len(arguments):
            raise ValueError("'instruction_id_list' and 'kwargs' must be lists of one length")
        items = [{"id": id_, "args": args} for id_, args in zip(ids, arguments, strict=True)]
    if not items:
        raise ValueError('\'expected\' must be a list of instructions ({"id", "args"})')
    return tuple(map(_instruction, items))


def _instruction(item: Json) -> Instruction:
    entry = as_object(item) or {}
    id_ = entry.get("id", entry.get("instruction_id"))
    if id_ is None or str(id_) not in RULES:
        named = str(id_) if isinstance(id_, str) else shorten(item)
        raise ValueError(f"unknown instruction '{named}'" + nearest(named, RULES, RULES))
    arguments = entry.get("args", entry.get("kwargs"))
    known = as_object({} if arguments is None else arguments)
    if known is None:
        raise ValueError(f"the arguments of '{id_}' must be a mapping; got {shorten(arguments)}")
    return Instruction(id_, known)


def _broken(instructions: Sequence[Instruction], reply: Reply) -> Iterator[tuple[int, str]]:
    for index, instruction in enumerate(instructions):
        try:
            wrong = RULES[instruction.id](reply, Arguments(instruction.arguments))
        except ValueError as error:
            raise ValueError(f"the instruction '{instruction.id}': {error}") from None
        if wrong is not None:
            yield index, wrong
