"""Demonstrations: what is shown, what is run for it, and what never is."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import promptyard as py
from promptyard.candidates import GENERATORS, GeneratorOptions
from promptyard.candidates.demo_order import orders_of
from promptyard.candidates.demo_pool import DemoSettings, Example, Pool, passes, pool_of
from promptyard.candidates.demo_sets import nearest_sets, plain_sets, random_sets
from promptyard.candidates.demos import Demos
from promptyard.protocols import Generator
from promptyard.records.cases import Case
from promptyard.records.edits import (
    Candidate,
    PermuteDemos,
    Proposal,
    SetDemos,
    apply_edits,
    demo_case_ids,
)
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Demo, Program, Prompt, Step, WorkflowSpec
from promptyard.records.scores import Score, Trial
from promptyard.signals.evidence import gather
from promptyard.testing import ScriptedModel
from promptyard.testing.generator_contract import GeneratorContract
from support.running_bench import Answer, Answers, RunningBench
from support.stations import graded, label_case, seed_candidate

PROMPT = "system:\nSolve the task. End with the number.\n\nuser:\n{{text}}\n"
BASE = seed_candidate(PROMPT)
SETTINGS = DemoSettings(max_rounds=1)


def sums(n: int, cluster: str | None = None) -> list[Case]:
    return [
        Case(
            id=f"c{k}",
            input={"text": f"add {k} and {k}"},
            expected=str(2 * k),
            split="train",
            cluster=cluster,
        )
        for k in range(10, 10 + n)
    ]


def solved(case: Case) -> str:
    return f"I add both numbers. They make {case.expected}"


def never(program: Program, case: Case, replicate: int) -> Answer:
    del program, case, replicate
    return "I do not know"


def always(program: Program, case: Case, replicate: int) -> Answer:
    del program, replicate
    return solved(case)


def only_with_demos(program: Program, case: Case, replicate: int) -> Answer:
    """Right where the prompt shows something, and on no other prompt."""
    del replicate
    return solved(case) if program.steps[-1].prompt.demos else "I do not know"


def propose(
    bench: RunningBench,
    base: Candidate = BASE,
    settings: DemoSettings = SETTINGS,
    evidence: Evidence | None = None,
    seed: int = 0,
) -> list[Proposal]:
    found = bench.evidence(base.program) if evidence is None else evidence
    rng = random.Random(seed)
    return list(asyncio.run(Demos(settings=settings).propose(base, found, bench, rng)))


def shown(proposal: Proposal) -> tuple[Demo, ...]:
    return tuple(d for edit in proposal.edits if isinstance(edit, SetDemos) for d in edit.demos)


def of_seed(proposals: Sequence[Proposal], seed: int) -> tuple[Demo, ...]:
    return next(shown(p) for p in proposals if f"seed {seed}:" in p.hypothesis)


def bootstrapped(proposals: Sequence[Proposal]) -> set[str | None]:
    return {d.case_id for p in proposals for d in shown(p) if d.source == "bootstrap"}


# B: bootstrapping


@pytest.mark.parametrize("threshold", [None, 0.0, 0.5, 1.0])
def test_b1_no_run_below_the_threshold_is_shown_also_at_zero(threshold: float | None) -> None:
    cases = sums(12)
    values = {case.id: number / 11 for number, case in enumerate(cases)}
    bench = RunningBench(cases, always, grade=lambda case, text: values[case.id])
    settings = SETTINGS.model_copy(update={"threshold": threshold, "max_bootstrapped": 12})
    bar = 1.0 if threshold is None else threshold
    assert bootstrapped(propose(bench, settings=settings)) == {
        name for name, value in values.items() if value >= bar
    }


def test_b1_a_threshold_of_zero_is_one_and_a_missing_score_is_below_it() -> None:
    scored = Trial(program_id="p", case_id="c", split="train", status="scored", score=0.0)
    assert passes(scored, 0.0)
    assert not passes(scored, None)
    error = scored.model_copy(update={"status": "error", "score": None})
    assert not passes(error, 0.0)


def test_b1_a_boolean_metric_works() -> None:
    def right(case: py.Case, output: str) -> bool:
        return output.endswith(str(case.expected))

    cases = [
        {
            "id": f"{split}{k}",
            "input": {"text": f"add {k} and {k}"},
            "expected": str(2 * k),
            "split": split,
        }
        for split in ("train", "dev", "holdout")
        for k in range(4)
    ]
    task = py.Task(
        name="sums",
        prompt=PROMPT,
        cases=cases,
        metrics=[right],
        models=py.Models(task=ScriptedModel(lambda body: "the sum is 4")),
    )
    report = py.evaluate(task, split="train")
    assert [trial.case_id for trial in report.trials if passes(trial, 1.0)] == ["train2"]
    assert [trial.case_id for trial in report.trials if passes(trial, None)] == ["train2"]


def test_b2_bootstrapped_ones_stand_first_and_both_limits_hold() -> None:
    # Answers are bare, so that gold answers may stand beside them.
    cases = sums(30)
    bench = RunningBench(cases, lambda p, case, r: str(case.expected) if case.id < "c22" else "?")
    settings = SETTINGS.model_copy(update={"max_bootstrapped": 3, "max_labelled": 8})
    drawn = [p for p in propose(bench, settings=settings) if "in order" in p.hypothesis]
    drawn += [p for p in propose(bench, settings=settings) if "shuffled" in p.hypothesis]
    assert len(drawn) == 4
    for proposal in drawn:
        sources = [demo.source for demo in shown(proposal)]
        assert sources == sorted(sources)  # bootstrap before label
        assert 1 <= sources.count("bootstrap") <= 3
        assert len(sources) == 8


def test_b2_more_bootstrapped_than_labelled_ones_are_allowed() -> None:
    bench = RunningBench(sums(10), lambda p, case, r: str(case.expected))
    settings = SETTINGS.model_copy(update={"max_bootstrapped": 5, "max_labelled": 2})
    assert len(of_seed(propose(bench, settings=settings), -1)) == 5


def test_b3_an_example_is_never_shown_while_it_is_being_made() -> None:
    cases = [
        *sums(6),
        Case(id="twin", input={"text": "add 10 and 10"}, expected="20", split="train"),
    ]
    bench = RunningBench(cases, never)
    propose(bench)
    inputs = {case.id: case.input for case in cases}
    assert bench.runs
    for run in bench.runs:
        demos = run.program.steps[-1].prompt.demos
        assert demos  # the teacher does show labelled demonstrations
        assert run.case_id not in {demo.case_id for demo in demos}
        assert inputs[run.case_id] not in [demo.input for demo in demos]  # nor its twin


def test_b3_nor_is_a_case_of_its_cluster() -> None:
    bench = RunningBench([*sums(6, "thread"), *sums(12)[6:]], never)
    propose(bench)
    thread = {f"c{k}" for k in range(10, 16)}
    for run in bench.runs:
        if run.case_id in thread:
            assert not thread & demo_case_ids(run.program)


def test_b3_demonstrations_of_the_program_itself_are_taken_away_for_their_own_case() -> None:
    cases = sums(6)
    demos = [Demo(input=dict(c.input), output=solved(c), case_id=c.id) for c in cases[:2]]
    base = Candidate(program=apply_edits(BASE.program, [SetDemos(demos=tuple(demos))]))
    bench = RunningBench(cases, never)
    propose(bench, base)
    assert {run.case_id for run in bench.runs} >= {"c10", "c11"}
    for run in bench.runs:
        assert run.case_id not in demo_case_ids(run.program)


def test_b4_no_run_is_made_after_enough_successes() -> None:
    # The second, fourth ... case fails: four successes are there after the seventh.
    cases = sums(20)
    odd = {case.id for case in cases[1::2]}
    bench = RunningBench(
        cases, lambda p, case, r: "?" if case.id in odd else only_with_demos(p, case, r)
    )
    propose(bench)
    assert sorted(run.case_id for run in bench.runs) == [case.id for case in cases[:7]]


def test_b4_passing_rows_are_successes_already_and_nothing_is_run() -> None:
    bench = RunningBench(sums(20), lambda p, c, r: solved(c) if c.id < "c14" else "?")
    assert bootstrapped(propose(bench)) == {"c10", "c11", "c12", "c13"}
    assert bench.runs == []


def test_b4_a_bare_label_is_not_bootstrapped_since_gold_says_the_same() -> None:
    prompt = "---\noutput: {format: label, labels: [a, b]}\n---\n" + PROMPT
    cases = [label_case(f"c{k}", f"text {k}", "ab"[k % 2]) for k in range(8)]
    bench = RunningBench(cases, never)
    assert propose(bench, seed_candidate(prompt))
    assert bench.runs == []


def test_b4_runs_and_errors_are_bounded() -> None:
    cases = sums(40)
    bench = RunningBench(cases, never)
    propose(bench, settings=DemoSettings(max_runs=9, max_rounds=3))
    assert len(bench.runs) == 9
    broken = RunningBench(cases, lambda p, c, r: None if p.steps[-1].prompt.demos else "?")
    propose(broken, settings=DemoSettings(max_errors=4))
    assert len(broken.runs) == 4


def test_b4_the_end_of_the_budget_keeps_what_was_made() -> None:
    bench = RunningBench(
        sums(20), lambda p, c, r: "?" if c.id < "c12" else only_with_demos(p, c, r), max_runs=5
    )
    assert bootstrapped(propose(bench)) == {"c12", "c13", "c14"}


def test_b5_gold_ones_exclude_the_bootstrapped_cases() -> None:
    bench = RunningBench(sums(30), lambda p, c, r: str(c.expected) if c.id < "c25" else "?")
    for proposal in propose(bench):
        ids = [demo.case_id for demo in shown(proposal)]
        assert len(ids) == len(set(ids))


CHAIN = Program(
    steps=(
        Step(name="facts", prompt=Prompt.from_text("user:\nList facts of {{text}}\n")),
        Step(name="check", prompt=Prompt.from_text("user:\nCheck {{facts}}\n")),
        Step(name="answer", prompt=Prompt.from_text("user:\n{{text}} {{check}}\n")),
    ),
    workflow=WorkflowSpec(name="chain"),
)


def test_b5_each_step_has_the_whole_pool() -> None:
    cases = sums(8)
    base = Candidate(program=CHAIN)
    bench = RunningBench(
        cases,
        lambda p, c, r: [("facts", f"F{c.id}"), ("check", f"C{c.id}"), ("answer", str(c.expected))],
    )
    settings = SETTINGS.model_copy(update={"max_bootstrapped": 4, "max_labelled": 4})
    proposal = next(p for p in propose(bench, base, settings) if "seed -1" in p.hypothesis)
    by_step = {edit.step: edit.demos for edit in proposal.edits if isinstance(edit, SetDemos)}
    assert {step: len(demos) for step, demos in by_step.items()} == {
        "facts": 4,
        "check": 4,
        "answer": 4,
    }


def test_steps_show_what_they_were_given_and_what_they_answered() -> None:
    bench = RunningBench(
        sums(8),
        lambda p, c, r: [("facts", f"F{c.id}"), ("check", f"C{c.id}"), ("answer", str(c.expected))],
    )
    proposal = next(
        p for p in propose(bench, Candidate(program=CHAIN)) if "seed -1" in p.hypothesis
    )
    made = apply_edits(CHAIN, proposal.edits)
    demo = made.step("answer").prompt.demos[0]
    assert demo.output == "20"
    assert demo.input == {"text": "add 10 and 10", "facts": "Fc10", "check": "Cc10"}
    assert demo.trace == ("Fc10", "Cc10")
    assert made.step("check").prompt.demos[0].output == "Cc10"
    assert made.step("check").prompt.demos[0].trace == ("Fc10",)
    turns = made.render({"text": "t", "facts": "f", "check": "c"}, step="check")
    assert [turn.text.strip() for turn in turns][:2] == ["Check Fc10", "Cc10"]


def test_of_several_visits_the_last_or_an_earlier_one_is_shown() -> None:
    loop = Program(steps=(Step(name="main", prompt=Prompt.from_text(PROMPT)),))
    case = sums(1)[0]
    bench = RunningBench([case], lambda p, c, r: [("main", "A"), ("main", "B"), ("main", "20")])
    evidence = bench.evidence(loop)
    seen = Counter(
        pool_of(loop, evidence, SETTINGS, random.Random(seed)).passing[0].demos["main"].output
        for seed in range(400)
    )
    assert 140 < seen["20"] < 260
    assert seen["A"] > 50
    assert seen["B"] > 50


def test_b6_the_seeds_are_there_in_order_and_repeat_themselves() -> None:
    bench = RunningBench(sums(20), lambda p, c, r: solved(c) if c.id < "c20" else "?")
    evidence = bench.evidence(BASE.program)
    settings = SETTINGS.model_copy(update={"n_shuffled": 6})
    pool = pool_of(BASE.program, evidence, settings, random.Random(0))
    sets = [*plain_sets(pool, settings, 5, has_demos=True), *random_sets(pool, settings, 5)]
    said = [item.what.split("seed ")[1].split(":")[0] for item in sets]
    assert said == ["-3", "-2", "-1", "0", "1", "2", "3", "4", "5"]
    shown = [[example.case.id for example in item.examples] for item in sets]
    assert shown[0] == []
    assert {e.demos["main"].source for e in sets[1].examples} == {"label"}
    assert shown[2] == ["c10", "c11", "c12", "c13"]
    assert len({tuple(ids) for ids in shown[3:]}) > 3
    assert sets == [
        *plain_sets(pool, settings, 5, has_demos=True),
        *random_sets(pool, settings, 5),
    ]
    assert sets[3:] != random_sets(pool, settings, 6)[1:]


def test_b6_sets_are_proposed_in_the_order_of_their_seeds_so_that_ties_keep_the_earlier() -> None:
    bench = RunningBench(sums(30), lambda p, c, r: solved(c) if c.id < "c30" else "?")
    demos = (Demo(input={"text": "add 1 and 1"}, output="2"),)
    base = Candidate(program=apply_edits(BASE.program, [SetDemos(demos=demos)]))
    proposals = propose(bench, base)
    said = [
        int(p.hypothesis.split("seed ")[1].split(":")[0])
        for p in proposals
        if "seed" in p.hypothesis
    ]
    assert said == sorted(said)
    assert {-3, -2, 0, 1} <= set(said)
    assert proposals == propose(bench, base)
    assert proposals != propose(bench, base, seed=1)


def test_b6_sizes_of_shuffled_sets_are_uniform() -> None:
    cases = sums(10)
    examples = tuple(Example(c, {"main": Demo(input=dict(c.input), output="x")}) for c in cases)
    pool = Pool(examples, (), gold_is_an_answer=False)
    settings = SETTINGS.model_copy(update={"n_shuffled": 1})
    sizes = Counter(len(random_sets(pool, settings, seed)[1].examples) for seed in range(800))
    assert set(sizes) == {1, 2, 3, 4}
    assert all(150 < n < 250 for n in sizes.values())


def test_b7_later_rounds_sample_with_a_replicate_of_their_own() -> None:
    cases = sums(5)
    bench = RunningBench(cases, never)
    propose(bench, settings=DemoSettings(max_rounds=3))
    rounds = {r: [x for x in bench.runs if x.replicate == r] for r in (0, 1, 2)}
    assert [len(runs) for runs in rounds.values()] == [5, 5, 5]
    for run in [*rounds[1], *rounds[2]]:
        assert run.program.steps[-1].prompt.params["temperature"] == 1.0
    assert "temperature" not in rounds[0][0].program.steps[-1].prompt.params


def test_b7_a_later_round_is_a_call_of_its_own_at_the_model() -> None:
    asked: list[Mapping[str, Any]] = []

    def reply(body: Mapping[str, Any]) -> str:
        asked.append(body)
        return "no idea"

    task = py.Task(
        name="sums",
        prompt=PROMPT,
        cases=[
            {
                "id": f"{split}{k}",
                "input": {"text": f"add {k} and {k}"},
                "expected": {"sum": k},
                "split": split,
            }
            for split in ("train", "dev", "holdout")
            for k in range(12)
        ],
        metrics=[always_wrong],
        models=py.Models(task=ScriptedModel(reply)),
        generators=["demos"],
        strategy="ask-demos",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("promptyard.line.wiring.POLICIES", {"ask-demos": AskDemos})
        py.optimize(task)
    sampled = [body for body in asked if body["params"].get("temperature") == 1.0]
    greedy = [body for body in asked if "temperature" not in body["params"]]
    # 12 rows of the seed, then the teacher, then 24 - 12 runs are left for sampling.
    assert len({json.dumps(body) for body in sampled}) == len(sampled) == 12
    assert len(greedy) >= 24


def always_wrong(case: py.Case, output: str) -> float:
    del case, output
    return 0.0


class AskDemos:
    """A policy that runs the seed on train and asks for demonstrations."""

    name = "ask-demos"

    async def search(self, context: Any) -> None:
        rows = await context.run(context.baseline, context.train, purpose="baseline")
        await context.propose("demos", context.baseline, context.evidence(rows, context.baseline))


# Demos: choice, count, order


def test_gold_objects_are_shown_as_json() -> None:
    prompt = "---\noutput: {format: json, schema: {type: object, required: [a, b]}}\n---\n" + PROMPT
    cases = [
        Case(id="c1", input={"text": "x"}, expected={"a": 1, "b": "ü"}, split="train"),
        Case(id="c2", input={"text": "y"}, expected={"a": 1}, split="train"),  # no whole answer
    ]
    base = seed_candidate(prompt)
    found = gather([graded(case, "?") for case in cases], base.program)
    assert [demo.output for demo in found.demos] == ['{"a": 1, "b": "ü"}']
    bench = RunningBench(cases, never)
    demos = [demo for p in propose(bench, base, evidence=found) for demo in shown(p)]
    assert [json.loads(demo.output) for demo in demos] == [{"a": 1, "b": "ü"}]


def test_nearest_neighbours_are_the_exact_top_k_and_never_the_query() -> None:
    texts = {
        "q": "my card was stolen on the train",
        "a": "card stolen on the train",
        "b": "my card was stolen",
        "c": "add money to my account",
        "d": "can my son join",
        "e": "how do I add money",
    }
    cases = [label_case(name, text, "x" if name != "q" else "lost") for name, text in texts.items()]
    evidence = gather([graded(case, "x") for case in cases], BASE.program)
    pool = pool_of(BASE.program, evidence, SETTINGS, random.Random(0))
    found = nearest_sets(pool, evidence, SETTINGS.model_copy(update={"n_nearest": 2}))
    assert [[e.case.id for e in item.examples] for item in found] == [["a", "b"]]
    assert found[0].answers == ("wrong_value=lost",)


def test_a_failing_case_of_several_is_no_neighbour_of_itself() -> None:
    texts = ["my card was stolen", "somebody took my card", "no idea at all"]
    cases = [label_case(f"q{k}", text, "lost") for k, text in enumerate(texts)]
    evidence = gather([graded(case, "top") for case in cases], BASE.program)
    (bucket,) = evidence.buckets
    one = evidence.model_copy(update={"failures": evidence.failures[:1], "buckets": (bucket,)})
    pool = pool_of(BASE.program, evidence, SETTINGS, random.Random(0))
    (found,) = nearest_sets(pool, one, SETTINGS)
    assert [example.case.id for example in found.examples] == ["q1"]


def test_a_bucket_keeps_half_of_its_cases_to_be_measured_on() -> None:
    cases = [label_case(f"q{k}", f"my card was stolen {k}", "lost") for k in range(6)]
    cases.append(label_case("o", "something else", "other"))
    evidence = gather([graded(case, "other") for case in cases], seed_candidate(PROMPT).program)
    pool = pool_of(BASE.program, evidence, SETTINGS, random.Random(0))
    settings = SETTINGS.model_copy(update={"n_nearest": 6})
    (found,) = nearest_sets(pool, evidence, settings)
    assert sum(example.case.id.startswith("q") for example in found.examples) == 3


def test_diverse_sets_show_one_a_cluster() -> None:
    topics = ["my card was stolen", "add money to the account", "can my son join the bank"]
    cases = [
        Case(id=f"{t}{k}", input={"text": f"{topic} {k}"}, expected=str(k), split="train")
        for t, topic in enumerate(topics)
        for k in range(5)
    ]
    bench = RunningBench(cases, always)
    settings = SETTINGS.model_copy(update={"n_diverse": 3})
    found = next(p for p in propose(bench, settings=settings) if "one a cluster" in p.hypothesis)
    assert sorted((demo.case_id or "")[0] for demo in shown(found)) == ["0", "1", "2"]


def with_demos(n: int) -> tuple[Candidate, list[Case]]:
    cases = sums(40)
    demos = [Demo(input=dict(c.input), output=solved(c), case_id=c.id) for c in cases[:n]]
    return Candidate(program=apply_edits(BASE.program, [SetDemos(demos=tuple(demos))])), cases


def test_fewer_demonstrations_are_proposed_in_their_order() -> None:
    base, cases = with_demos(8)
    proposals = propose(RunningBench(cases[8:], always), base)
    fewer = [p for p in proposals if "do as well as all" in p.hypothesis]
    assert [len(shown(p)) for p in fewer] == [4, 2]
    for proposal in fewer:
        ids = [demo.case_id for demo in shown(proposal)]
        assert ids == sorted(ids, key=str)


def first_is(*names: str) -> Answers:
    """Right where the first demonstration is one of these."""

    def answer(program: Program, case: Case, replicate: int) -> Answer:
        first = program.steps[-1].prompt.demos[0].case_id
        return solved(case) if first in names else "?"

    return answer


def order_of(
    base: Candidate, cases: Sequence[Case], answers: Answers
) -> tuple[PermuteDemos | None, RunningBench]:
    bench = RunningBench(cases[4:], answers)
    evidence = bench.evidence(base.program)
    settings = SETTINGS.model_copy(update={"max_runs": 0})
    proposals = propose(bench, base, settings, evidence)
    found = [e for p in proposals for e in p.edits if isinstance(e, PermuteDemos)]
    return (found[0] if found else None), bench


def test_a_better_order_is_found_and_is_a_permutation() -> None:
    base, cases = with_demos(4)
    found, bench = order_of(base, cases, first_is("c12"))
    assert found is not None
    assert sorted(found.order) == [0, 1, 2, 3]
    made = apply_edits(base.program, [found])
    assert made.prompt.demos[0].case_id == "c12"
    assert Counter(map(str, made.prompt.demos)) == Counter(map(str, base.program.prompt.demos))
    assert len(bench.runs) <= SETTINGS.max_order_runs


def test_the_present_order_stays_unless_another_wins_in_pairs() -> None:
    base, cases = with_demos(4)
    assert order_of(base, cases, always)[0] is None  # all tie
    assert order_of(base, cases, first_is("c10"))[0] is None  # the present one is the best

    def lucky(program: Program, case: Case, replicate: int) -> Answer:
        # Other orders are right on the cases of the race only.
        del replicate
        first = program.steps[-1].prompt.demos[0].case_id
        return solved(case) if (first == "c10") != (case.id in racing) else "?"

    racing: set[str] = set()
    _, bench = order_of(base, cases, first_is("c10"))
    racing = {run.case_id for run in bench.runs}
    assert order_of(base, cases, lucky)[0] is None


def test_an_order_that_wins_by_luck_alone_is_not_taken() -> None:
    base, cases = with_demos(4)
    _, bench = order_of(base, cases, first_is("c10"))
    racing = {run.case_id for run in bench.runs}
    extra: list[str] = []

    def once(program: Program, case: Case, replicate: int) -> Answer:
        # Right on the race, and on a single one of the cases that decide: z is 1.
        del replicate
        if program.steps[-1].prompt.demos[0].case_id == "c10":
            return "?"
        if case.id not in racing and not extra:
            extra.append(case.id)
        return solved(case) if case.id in racing or case.id in extra else "?"

    found, bench = order_of(base, cases, once)
    assert found is None
    assert {run.case_id for run in bench.runs} > racing


def test_no_order_is_run_without_cases_to_race_on() -> None:
    base, cases = with_demos(4)
    found, bench = order_of(base, cases[:12], first_is("c12"))
    assert found is None
    assert bench.runs == []


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_at_most_24_or_all_orders_race(n: int) -> None:
    orders = orders_of(n, 24, random.Random(0))
    assert orders[0] == tuple(range(n))
    assert len(set(orders)) == len(orders) == min(24, len(list(itertools.permutations(range(n)))))


def test_no_demonstration_without_a_variable_in_a_user_message() -> None:
    base = seed_candidate("system:\nSolve {{text}}.\n\nuser:\nGo on.\n")
    bench = RunningBench(sums(8), always)
    assert propose(bench, base) == []
    assert bench.runs == []


def test_marked_spans_without_a_place_for_demonstrations_get_none() -> None:
    base = seed_candidate("system:\n<edit>Solve it.</edit>\n\nuser:\n{{text}}\n")
    assert propose(RunningBench(sums(8), always), base) == []


def test_what_costs_nothing_is_proposed_first_and_all_of_it_is_bounded() -> None:
    base, cases = with_demos(8)
    bench = RunningBench(cases[8:], lambda p, c, r: solved(c) if int(c.id[1:]) % 2 else "?")
    proposals = propose(bench, base)
    assert len(proposals) <= 14
    drawn = ["seed -1" in p.hypothesis or "shuffled" in p.hypothesis for p in proposals]
    assert drawn == sorted(drawn)
    assert any(drawn)
    assert len({repr(p.edits) for p in proposals}) == len(proposals)


def test_sets_that_cost_nothing_survive_the_end_of_the_budget() -> None:
    bench = RunningBench(sums(12), never, max_runs=0)
    assert [p for p in propose(bench) if p.edits]


def test_no_more_than_max_demos_are_ever_shown() -> None:
    bench = RunningBench(sums(30), lambda p, c, r: str(c.expected))
    evidence = bench.evidence(BASE.program)
    for limit in (0, 1, 3):
        generator = Demos(limit, SETTINGS)
        found = asyncio.run(generator.propose(BASE, evidence, bench, random.Random(0)))
        assert all(len(shown(p)) <= limit for p in found)


def label_evidence(base: Candidate) -> Evidence:
    texts = {"lost": "my card is stolen", "top": "add some money", "failed": "it was declined"}
    rows = [
        graded(label_case(f"{label}{k}", f"{text} {k}", label), label if k else "top")
        for label, text in texts.items()
        for k in range(3)
    ]
    return gather(rows, base.program)


def test_label_tasks_show_a_few_of_each_label() -> None:
    bench = RunningBench([], never)
    proposals = propose(bench, evidence=label_evidence(BASE))
    sizes = [Counter(d.output for d in shown(p)) for p in proposals if "a label" in p.hypothesis]
    assert sizes == [
        Counter({"lost": 1, "top": 1, "failed": 1}),
        Counter({"lost": 2, "top": 2, "failed": 2}),
        Counter({"lost": 3, "top": 3, "failed": 3}),
    ]
    assert {d.source for d in shown(proposals[0])} == {"bootstrap"}  # gold only where these lack
    assert bench.runs == []


class TestDemos(GeneratorContract):
    def generator(self) -> Generator:
        return GENERATORS["demos"](GeneratorOptions())

    def base(self) -> Candidate:
        return BASE

    def evidence(self) -> Evidence:
        return label_evidence(BASE)


def test_a_score_of_a_soft_check_alone_can_be_the_threshold() -> None:
    case = sums(1)[0]
    trial = Trial(
        program_id="p",
        case_id=case.id,
        split="train",
        status="scored",
        score=0.6,
        output="x",
        scores=(Score(metric="m", value=0.6, severity="soft"),),
    )
    assert passes(trial, 0.6)
    assert not passes(trial, 0.61)
