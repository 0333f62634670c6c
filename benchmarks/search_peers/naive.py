"""Best-of-N: rewrites out of a dozen failures, each measured on all validation cases.

The plain way to search: ask for four new prompts, run every one on the whole validation set, keep
the best, and begin again from it until the budget is used up.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from frame import Frame, Point, plain_prompting

from search_worlds.cases import WorldCase
from search_worlds.grading import Graded

N_REWRITES = 4
N_LOOKED_AT = 20
N_SHOWN = 12
REQUEST = """A model answers with this prompt:

<current_prompt>
{prompt}
</current_prompt>

These answers were not right:

{failures}

Write a better prompt for it, between <new_prompt> and </new_prompt>."""


def main() -> None:
    frame = Frame("naive")
    rng = random.Random(frame.seed)
    train, val = frame.world.train, frame.world.val
    best = frame.world.seed_prompt
    best_score, used = mean(run(frame, best, val)), len(val)
    points = [Point(used, plain_prompting(best))]
    while used + N_LOOKED_AT + len(val) <= frame.budget:
        rows = run(frame, best, rng.sample(train, N_LOOKED_AT))
        used += N_LOOKED_AT
        failed = [row for row in rows if row[2].score < 1][:N_SHOWN]
        request = REQUEST.format(prompt=best, failures="\n\n".join(shown(row) for row in failed))
        for _ in range(N_REWRITES):
            if used + len(val) > frame.budget:
                break
            turn = {"role": "user", "content": request}
            reply = frame.ask("optimizer", [turn], temperature=1.0)
            rewrite = reply.split("<new_prompt>")[-1].split("</new_prompt>")[0].strip()
            score = mean(run(frame, rewrite, val))
            used += len(val)
            if score > best_score:
                best, best_score = rewrite, score
                points.append(Point(used, plain_prompting(best)))
    frame.report(points, val_score=round(best_score, 4))


def run(
    frame: Frame, prompt: str, cases: Sequence[WorldCase]
) -> list[tuple[WorldCase, str, Graded]]:
    """Answer and grade the cases."""
    prompting = plain_prompting(prompt)
    answers = frame.ask_all([prompting(case) for case in cases])
    return [
        (case, text, frame.world.score(case, text))
        for case, text in zip(cases, answers, strict=True)
    ]


def mean(rows: Sequence[tuple[WorldCase, str, Graded]]) -> float:
    """The mean score of rows."""
    return sum(graded.score for _, _, graded in rows) / len(rows)


def shown(row: tuple[WorldCase, str, Graded]) -> str:
    """A failure as the request shows it."""
    case, text, graded = row
    return f"Input:\n{case.input}\nOutput: {text}\nFeedback: {graded.feedback}"


if __name__ == "__main__":
    main()
