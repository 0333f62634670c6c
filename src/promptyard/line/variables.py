"""Holds the variables of a prompt against the inputs of the cases."""

from __future__ import annotations

import difflib

from promptyard.errors import EvalSetError, PromptError, as_one
from promptyard.line.source import TaskSource
from promptyard.records.cases import EvalSet
from promptyard.records.prompts import Program


def require_variables(program: Program, eval_set: EvalSet, source: TaskSource | None) -> None:
    """Refuse a prompt that asks for what a case lacks, or that shows nothing of the case.

    Raises PromptError or EvalSetError, one line a variable, with the line of the prompt, the first
    case that lacks it and the nearest variable that there is.
    """
    steps = {step.name for step in program.steps}
    earlier: set[str] = set()
    wanted: dict[str, str] = {}  # by variable, the step that asks for it first
    for step in program.steps:
        for name in step.prompt.variables:
            if name not in earlier:
                wanted.setdefault(name, step.name)
        earlier.add(step.name)
    if not wanted:
        file = f"{source.prompts[program.steps[0].name]}: " if source else ""
        known = ", ".join(sorted(eval_set.cases[0].input))
        raise PromptError(
            f"{file}the prompt has no variable, so it would be the same for every case; "
            f"use one of: {known} (as {{{{name}}}})"
        )
    mistakes = [
        EvalSetError(f"{_place(program, step, name, source)}: {reason}")
        for name, step in wanted.items()
        if (reason := _lack(name, eval_set, source, steps - {step}))
    ]
    if mistakes:
        raise as_one(mistakes)


def _lack(
    name: str, eval_set: EvalSet, source: TaskSource | None, other_steps: set[str]
) -> str | None:
    """Say which cases lack a variable, None where none does."""
    without = [case for case in eval_set.cases if name not in case.input]
    if not without:
        return None
    uses = f"the prompt uses {{{{{name}}}}}, which"
    if len(without) < len(eval_set.cases):
        first = without[0]
        place = source.case_place(first.id) if source else None
        which = f"the case at {place}" if place else f"case '{first.id}'"
        others = f" (nor do {len(without) - 1} others)" if len(without) > 1 else ""
        known = ", ".join(sorted(first.input)) or "nothing"
        return f"{uses} {which} does not have{others}; its input has: {known}"
    names = sorted({name for case in eval_set.cases for name in case.input})
    close = difflib.get_close_matches(name, names, n=1)
    known = ", ".join(names) or "nothing"
    # A name that is a step's as well can only be that of a step that has not run yet.
    hint = f"did you mean {{{{{close[0]}}}}}?" if close else f"their input has: {known}"
    later = " (the step of this name runs later);" if name in other_steps else ";"
    return f"{uses} no case has{later} {hint}"


def _place(program: Program, step: str, name: str, source: TaskSource | None) -> str:
    line = program.step(step).prompt.line_of(name)
    if source is not None:
        return f"{source.prompts[step]}:{line}"
    return (
        f"line {line} of the prompt" if len(program.steps) == 1 else f"step '{step}', line {line}"
    )
