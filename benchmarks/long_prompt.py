"""One local edit in a prompt of about 8,000 tokens, beside a global rewrite by the same model.

    python benchmarks/long_prompt.py --seeds 0 1 2 3 4 5 6 7 8 9

The world is `crew-handbook`: 12 sections, 24 rules, one of them wrong, and nothing says where.
Printed for each seed: sentences changed, the share of the prompt's characters that changed, the
score on dev before and after, and the dev cases that passed before and fail after, beside those
that a sentence which says nothing breaks, by luck alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import promptyard as py
from promptyard.records.sentences import sentences
from search_worlds import world_of
from search_worlds.cases import WorldCase
from search_worlds.grading import Graded
from search_worlds.service import Service
from search_worlds.shapes import Turn
from search_worlds.tasks import expected_of_program, models_of, task_of
from search_worlds.world import World

WORLD = "crew-handbook"
N_HOLDOUT = 200
TASK_CALLS = 1500
MAX_SHARE = 0.02
REWRITE = """A model answers with this prompt:

<current_prompt>
{prompt}
</current_prompt>

These answers were not right:

{failures}

Write a better prompt for it, between <new_prompt> and </new_prompt>."""
N_SHOWN = 12


@dataclass(frozen=True)
class Outcome:
    """What became of a prompt: what was changed, and what it did on dev.

    Attributes:
        edits: sentences that were added, replaced or deleted.
        share: changed characters (the larger of those that went and those that came) by all.
        before, after: mean score on the dev cases.
        expected_before, expected_after: true score on the test cases, over all luck.
        n_passed: dev cases that passed before.
        broken: those of them that fail after.
        lucky: those of them that fail after a change that says nothing.
        repaired: whether the wrong rule is gone or put right.
    """

    edits: int
    share: float
    before: float
    after: float
    expected_before: float
    expected_after: float
    n_passed: int
    broken: int
    lucky: int
    repaired: bool


def local_edit(
    world: World, seed: int, generators: Sequence[str] | None = None
) -> tuple[Outcome, py.Run]:
    """Let `auto` search, with a holdout that confirms what it finds."""
    models = models_of(Service(world))
    task = task_of(world, models, n_holdout=N_HOLDOUT, generators=generators)
    run = py.optimize(task, budget=py.Budget(task_calls=TASK_CALLS), seed=seed, store=None)
    return outcome_of(world, task.program, run.best), run


def global_rewrite(world: World) -> Outcome:
    """Let the same optimizer model write the prompt anew, with failures of train before it."""
    task = task_of(world)
    rows = [row for row in answered(world, task.program, world.train) if row[2].score < 1]
    shown = [
        f"Input:\n{case.input}\nOutput: {text}\nFeedback: {graded.feedback}"
        for case, text, graded in rows[:N_SHOWN]
    ]
    request = REWRITE.format(prompt=world.seed_prompt, failures="\n\n".join(shown))
    body = {"model": "optimizer", "messages": [{"role": "user", "content": request}]}
    reply = Service(world).answer(body).choices[0].text
    text = reply.split("<new_prompt>")[-1].split("</new_prompt>")[0].strip()
    return outcome_of(world, task.program, program_of(text))


def program_of(system: str) -> py.Program:
    """A program with this system message."""
    return py.Program.single(py.Prompt.from_text(f"system:\n{system}\n\nuser:\n{{{{text}}}}\n"))


def outcome_of(world: World, before: py.Program, after: py.Program) -> Outcome:
    """Compare two programs on dev. Costs no call that is counted."""
    idle = program_of(f"{world.seed_prompt}\n\n{world.plan.idle[0]}")
    first, last, control = (answered(world, item, world.val) for item in (before, after, idle))
    passed = {case.ref for case, _, graded in first if graded.score == 1}
    edits, share = changed(before.prompt.text, after.prompt.text)
    book = world.effects.phrasebook
    said = {phrase for text in sentences(after.prompt.text) for phrase in book.find(text)}
    return Outcome(
        edits=edits,
        share=share,
        before=mean(first),
        after=mean(last),
        expected_before=expected_of_program(world, before),
        expected_after=expected_of_program(world, after),
        n_passed=len(passed),
        broken=sum(case.ref in passed and graded.score < 1 for case, _, graded in last),
        lucky=sum(case.ref in passed and graded.score < 1 for case, _, graded in control),
        repaired=not any(phrase.kind == "contrary" for phrase in said),
    )


def answered(
    world: World, program: py.Program, cases: Sequence[WorldCase]
) -> list[tuple[WorldCase, str, Graded]]:
    """Answer and grade cases."""
    rows: list[tuple[WorldCase, str, Graded]] = []
    for case in cases:
        turns = [Turn(m.role, m.text) for m in program.render({"text": case.input})]
        text = world.task_model.reply(turns)[0]
        rows.append((case, text, world.score(case, text)))
    return rows


def mean(rows: Sequence[tuple[WorldCase, str, Graded]]) -> float:
    """The mean score of rows."""
    return sum(graded.score for _, _, graded in rows) / len(rows)


def changed(before: str, after: str) -> tuple[int, float]:
    """Count changed sentences, and the share of characters that went or came."""
    old, new = sentences(before), sentences(after)
    n_edits = n_gone = n_come = 0
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            n_edits += max(i2 - i1, j2 - j1)
            n_gone += sum(map(len, old[i1:i2]))
            n_come += sum(map(len, new[j1:j2]))
    return n_edits, max(n_gone, n_come) / len(before)


def row_of(name: str, outcome: Outcome, calls: int | None) -> str:
    """Write a line of the table."""
    return (
        f"{name:<16}{outcome.edits:>6}{100 * outcome.share:>8.2f} %"
        f"{outcome.before:>8.3f}{outcome.after:>8.3f}"
        f"{outcome.expected_before:>9.3f}{outcome.expected_after:>8.3f}"
        f"{outcome.broken:>5} of {outcome.n_passed:<3}{outcome.lucky:>6}"
        f"{'yes' if outcome.repaired else 'no':>8}{'' if calls is None else calls:>7}"
    )


HEAD = (
    f"{'':<16}{'edits':>6}{'changed':>10}{'dev':>8}{'after':>8}{'true':>9}{'after':>8}"
    f"{'broken':>11}{'luck':>7}{'mended':>8}{'calls':>7}"
)


def holds(outcome: Outcome) -> bool:
    """Whether the wrong rule is mended within 2 % of the prompt, and dev is better for it."""
    return outcome.repaired and outcome.share <= MAX_SHARE and outcome.after > outcome.before


def summary(edited: Sequence[Outcome], rewritten: Sequence[Outcome]) -> str:
    """Say in how many seeds it holds, and what broke of what passed."""
    n_held = sum(holds(item) for item in edited)
    n_single = sum(holds(item) and item.edits == 1 for item in edited)
    n_passed = sum(item.n_passed for item in edited)
    broken, rewrite, luck = (
        sum(item.broken for item in edited),
        sum(item.broken for item in rewritten),
        sum(item.lucky for item in edited),
    )
    return (
        f"mended within {100 * MAX_SHARE:.0f} % in {n_held} of {len(edited)} seeds, by one edit in "
        f"{n_single}\nof {n_passed} dev cases that passed, broken by the edits: {broken}, by the "
        f"rewrites: {rewrite}, by a sentence that says nothing: {luck}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(10)))
    parser.add_argument("--generators", nargs="*", help="by default all")
    given = parser.parse_args()
    print(HEAD)
    edited: list[Outcome] = []
    rewritten: list[Outcome] = []
    for seed in given.seeds:
        world = world_of(WORLD, seed)
        local, run = local_edit(world, seed, given.generators)
        edited.append(local)
        print(row_of(f"{seed} local", local, run.spent.task_calls), flush=True)
        rewritten.append(global_rewrite(world))
        print(row_of(f"{seed} rewrite", rewritten[-1], None), flush=True)
    print(summary(edited, rewritten))
    return 0


if __name__ == "__main__":
    sys.exit(main())
