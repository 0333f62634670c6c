"""The policy `opro`: all scored on one subset, nothing rejected, the best goes to dev."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Sequence

import pytest

from promptyard.candidates.trajectory import Trajectory
from promptyard.errors import BudgetExceeded, ConfigError
from promptyard.protocols import Generator, SearchPolicy
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Noted
from promptyard.records.messages import Message
from promptyard.records.prompts import Program
from promptyard.records.scores import Trial
from promptyard.search import POLICIES
from promptyard.search.opro import Opro, OproSettings
from promptyard.testing import ReplyingBench
from promptyard.testing.policy_contract import PolicyContract
from promptyard.testing.search_world import WorldContext
from support.stations import label_case, label_trial, seed_candidate
from support.toy_search import ToyContext

TRAIN = [label_case(f"c{n}", f"message {n}", "abc"[n % 3]) for n in range(60)]
SEED = seed_candidate("system:\nQuality 20.\n\nuser:\n{{text}}\n")


def by_quality(text: str, case: Case) -> str:
    """Answer right in as many percent of the cases as the instruction says."""
    found = re.search(r"Quality (\d+)", text)
    wanted = int(found.group(1)) if found else 0
    number = int(case.id[1:]) * 37 % 100
    return str(case.expected) if number < wanted else "none"


def climbing(step: int = 5, top: int = 60) -> Callable[[Sequence[Message]], str]:
    """An optimizer that beats the best score it is shown by a little."""

    def reply(messages: Sequence[Message]) -> str:
        tried = [int(n) for n in re.findall(r"Quality (\d+)", messages[-1].text)]
        counts[0] += 1
        quality = min(top, max(tried) + step - counts[0] % 8)
        return json.dumps({"instruction": f"Quality {quality}. Way {counts[0]}."})

    counts = [0]
    return reply


class Instructions:
    """A world in which an instruction says how good it is; `dev_sees` whether dev finds so too."""

    seed_prompt = SEED
    train: Sequence[Case] = TRAIN

    def __init__(self, *, dev_sees: bool = True) -> None:
        self._dev_sees = dev_sees

    def trial(self, program: Program, case: Case) -> Trial:
        return label_trial(case, by_quality(program.prompt.text, case), program.id)

    def quality(self, program: Program) -> float:
        if not self._dev_sees:
            return 0.0
        return sum(self.trial(program, case).passed or False for case in TRAIN) / len(TRAIN)


def context(
    reply: Callable[[Sequence[Message]], str] | None = None,
    *,
    max_calls: int | None = 600,
    generators: Sequence[Generator] = (Trajectory(),),
    dev_sees: bool = True,
) -> ToyContext:
    return ToyContext(
        Instructions(dev_sees=dev_sees),
        generators,
        bench=ReplyingBench(reply or climbing()),
        budget=max_calls,
    )


def search(made: ToyContext, settings: OproSettings | None = None) -> Candidate | None:
    return asyncio.run(Opro(settings).search(made))


class TestOpro(PolicyContract):
    def policy(self) -> SearchPolicy:
        return Opro()

    def context(self, **world: object) -> WorldContext:
        return WorldContext(**{"generators": ("trajectory",), **world})  # type: ignore[arg-type]


def test_it_is_a_policy_of_the_table() -> None:
    assert POLICIES["opro"]().name == "opro"


def test_scores_climb_and_the_best_goes_to_dev() -> None:
    made = context()
    best = search(made)
    assert best is not None
    assert made.staged == [("full", (best.id,))]
    leads = {name: sum(made.scores(made.candidates[name]).values()) for name, _, _ in made.ran}
    assert leads[best.id] == max(leads.values())
    assert leads[best.id] > 1.5 * leads[SEED.id]


def test_every_candidate_is_scored_on_the_same_cases_and_none_is_rejected() -> None:
    made = context()
    search(made)
    subsets = {ids for _, _, ids in made.ran}
    assert len(subsets) == 1
    assert len(next(iter(subsets))) == 12  # 20 % of train
    proposed = {name for name, purpose, _ in made.ran if purpose == "trajectory"}
    assert len(proposed) + len(made.rejections) == 8 * ((600 - 12) // 96) + 1


def test_low_scores_stay_in_the_trajectory() -> None:
    made = context(max_calls=12 + 96 * 2)
    search(made)
    first = {name for name, _, _ in made.ran[1:9]}
    assert len(first) == 8
    assert first <= {point.program_id for point in made.evidence((), SEED).trajectory}


@pytest.mark.parametrize("max_calls", [12, 23, 24, 50, 108, 300, 601])
def test_the_steps_are_bounded_by_the_task_calls(max_calls: int) -> None:
    n_asked = 0

    def counted(messages: Sequence[Message]) -> str:
        nonlocal n_asked
        n_asked += 1
        return reply(messages)

    reply = climbing()
    made = context(counted, max_calls=max_calls)
    search(made)
    assert len(made.calls) <= max_calls
    assert len(made.calls) > max_calls - 12  # what is left pays no further candidate
    n_steps = math.ceil((max_calls - 12) // 12 / 8)
    assert n_asked == 8 * n_steps  # and nobody is asked for one


def test_the_steps_are_bounded_without_a_budget() -> None:
    made = context(climbing(top=10_000), max_calls=None)
    search(made, OproSettings(max_steps=3))
    assert len(made.calls) == 12 * (1 + 3 * 8)


def test_nothing_better_keeps_the_baseline_and_opens_no_stage() -> None:
    made = context(climbing(top=15))
    assert search(made) is None
    assert made.staged == []


def test_what_dev_does_not_keep_is_no_finalist() -> None:
    assert search(context(dev_sees=False)) is None


def test_requests_without_a_new_instruction_end_the_search() -> None:
    made = context(lambda messages: json.dumps({"instruction": "Quality 20."}))
    assert search(made) is None
    assert len(made.calls) == 12
    [note] = [event.text for event in made.events if isinstance(event, Noted)]
    assert "no new instruction came of 3 requests" in note


def test_the_sentences_of_the_best_are_kept_for_blame() -> None:
    made = context()
    best = search(made)
    assert best is not None
    origins = made.origins[best.id]
    assert {origin.generator for origin in origins} == {"trajectory"}
    assert any("Quality" in origin.atom.text for origin in origins)


def test_a_task_without_the_generator_is_told_before_anything_is_spent() -> None:
    made = context(generators=())
    with pytest.raises(ConfigError, match="add it there"):
        search(made)
    assert made.calls == []


def test_a_budget_that_ends_before_anything_was_found_is_left_to_the_line() -> None:
    made = context(max_calls=5)
    with pytest.raises(BudgetExceeded):
        search(made)


def test_the_same_answers_give_the_same_search() -> None:
    first, second = context(), context()
    assert search(first) == search(second)
    assert first.ran == second.ran
    assert first.story() == second.story()
