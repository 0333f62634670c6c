"""What changed between two programs, line by line, short enough to be read.

Long unchanged parts are folded, and demonstrations are written as `input → output` with a count
of those that are not shown: a prompt may bring in hundreds.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from promptyard.records.base import Json
from promptyard.records.prompts import Program, Prompt, WorkflowSpec
from promptyard.reports.prompt_lines import PromptLine, prompt_lines
from promptyard.reports.visible import visible

LineKind: TypeAlias = Literal["step", "same", "folded", "added", "removed", "note"]

CONTEXT_LINES = 3
SHOWN_DEMOS = 3
MIN_COMMON_SHARE = 0.4
"""A changed line shows what changed within it where at least this share of it stayed."""


@dataclass(frozen=True)
class DiffLine:
    """One line of a diff; hidden characters in `text` are written out.

    `kind` is `step` (a step begins; only in programs of several), `same`, `added`, `removed`,
    `folded` (unchanged lines left out) or `note` (a change outside the lines). `count` is the
    number of lines it stands for. `changed` are the offsets [start, end) of what changed within a
    line that has a counterpart. `why` says where a changed line comes from, if it is known.
    """

    kind: LineKind
    text: str
    old_number: int | None = None
    new_number: int | None = None
    count: int = 1
    changed: tuple[int, int] | None = None
    demo: bool = False
    why: str = ""


def prompt_diff(
    old: Program,
    new: Program,
    *,
    context_lines: int = CONTEXT_LINES,
    shown_demos: int = SHOWN_DEMOS,
) -> tuple[DiffLine, ...]:
    """Compare two programs step by step. Empty when they are equal.

    `context_lines` unchanged lines are kept around a change; of the demonstrations that a place
    gains or loses, `shown_demos` are shown.
    """
    if old == new:
        return ()
    before = {step.name: step.prompt for step in old.steps}
    after = {step.name: step.prompt for step in new.steps}
    names = list(dict.fromkeys((*before, *after)))
    lines: list[DiffLine] = []
    if old.workflow != new.workflow:
        lines.append(_note(f"workflow: {_plain(old.workflow)} → {_plain(new.workflow)}"))
    for name in names:
        step_lines = _step_diff(before.get(name), after.get(name), context_lines, shown_demos)
        if len(names) > 1:
            state = "" if step_lines else ": unchanged"
            lines.append(DiffLine("step", visible(f"step {name}{state}")))
        lines += step_lines
    if [name for name in before if name in after] != [name for name in after if name in before]:
        lines.append(_note(f"the order of the steps: {', '.join(before)} → {', '.join(after)}"))
    return tuple(lines)


def _step_diff(
    old: Prompt | None, new: Prompt | None, context_lines: int, shown_demos: int
) -> list[DiffLine]:
    first = () if old is None else prompt_lines(old)
    second = () if new is None else prompt_lines(new)
    groups = list(_groups(first, second))
    lines: list[DiffLine] = []
    if any(kind != "same" for kind, _ in groups):
        for index, (kind, group) in enumerate(groups):
            if kind == "same":
                before = context_lines if index > 0 else 0
                after = context_lines if index < len(groups) - 1 else 0
                lines += _folded(group, before, after)
            else:
                lines += _counted_demos(group, shown_demos)
    elif old is not None and new is not None and old.text != new.text:
        lines.append(_note("only line ends differ"))
    return lines + _file_notes(old, new)


def _groups(
    first: Sequence[PromptLine], second: Sequence[PromptLine]
) -> Iterator[tuple[LineKind, list[DiffLine]]]:
    """Yield runs of unchanged, removed and added lines in order; removed ones before added ones.

    Two versions of one line follow each other directly.
    """
    for tag, i1, i2, j1, j2 in _opcodes([x.raw for x in first], [x.raw for x in second]):
        if tag == "equal":
            yield (
                "same",
                [
                    DiffLine("same", line.shown, i1 + k + 1, j1 + k + 1, demo=line.demo)
                    for k, line in enumerate(first[i1:i2])
                ],
            )
            continue
        gone = [
            DiffLine("removed", line.shown, old_number=i1 + k + 1, demo=line.demo)
            for k, line in enumerate(first[i1:i2])
        ]
        come = [
            DiffLine("added", line.shown, new_number=j1 + k + 1, demo=line.demo)
            for k, line in enumerate(second[j1:j2])
        ]
        while gone and come and (pair := _marked(gone[0], come[0])) is not None:
            yield "removed", [pair[0]]
            yield "added", [pair[1]]
            del gone[0], come[0]
        if gone:
            yield "removed", gone
        if come:
            yield "added", come


def _opcodes(
    first: Sequence[str], second: Sequence[str]
) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield the opcodes of difflib; the common start and end of both sides are cut off before.

    Blank lines are no anchors (nor, from 200 lines on, any line that is frequent): a prompt of
    2,000 lines, half of them blank, took 33 s otherwise.
    """
    shorter = min(len(first), len(second))
    start = 0
    while start < shorter and first[start] == second[start]:
        start += 1
    end = 0
    while end < shorter - start and first[-1 - end] == second[-1 - end]:
        end += 1
    if start:
        yield "equal", 0, start, 0, start
    last = len(first) - end, len(second) - end
    matcher = difflib.SequenceMatcher(_is_blank, first[start : last[0]], second[start : last[1]])
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        yield tag, start + i1, start + i2, start + j1, start + j2
    if end:
        yield "equal", last[0], len(first), last[1], len(second)


def _is_blank(line: str) -> bool:
    return not line.strip()


def _marked(one: DiffLine, two: DiffLine) -> tuple[DiffLine, DiffLine] | None:
    """Mark what changed between two versions of a line: all but their common start and end.

    None where they have too little in common to be versions of one line.
    """
    if one.demo or two.demo:
        return None
    a, b = one.text, two.text
    shorter = min(len(a), len(b))
    start = 0
    while start < shorter and a[start] == b[start]:
        start += 1
    end = 0
    while end < shorter - start and a[-1 - end] == b[-1 - end]:
        end += 1
    if start + end < MIN_COMMON_SHARE * shorter or start + end == 0:
        return None
    return (
        replace(one, changed=(start, len(a) - end)),
        replace(two, changed=(start, len(b) - end)),
    )


def _folded(group: list[DiffLine], n_before: int, n_after: int) -> list[DiffLine]:
    """Keep the lines next to a change and fold the others; one line is not worth folding."""
    end = len(group) - n_after
    hidden = group[n_before:end]
    if len(hidden) < 2:
        return group
    n_demos = sum(line.demo for line in hidden)
    what = f"{len(hidden)} unchanged lines" + (f" ({n_demos} demonstrations)" if n_demos else "")
    return [*group[:n_before], DiffLine("folded", what, count=len(hidden)), *group[end:]]


def _counted_demos(group: list[DiffLine], shown_demos: int) -> list[DiffLine]:
    """Keep the first demonstrations of each unbroken row of them and count the others."""
    lines: list[DiffLine] = []
    row: list[DiffLine] = []
    for line in [*group, None]:
        if line is not None and line.demo:
            row.append(line)
            continue
        if len(row) > shown_demos + 1:
            rest = len(row) - shown_demos
            lines += row[:shown_demos]
            lines.append(
                DiffLine(
                    row[0].kind,
                    f"… {rest} more demonstrations ({len(row)} {row[0].kind} here)",
                    count=rest,
                    demo=True,
                )
            )
        else:
            lines += row
        row = []
        if line is not None:
            lines.append(line)
    return lines


def _file_notes(old: Prompt | None, new: Prompt | None) -> list[DiffLine]:
    before: Mapping[str, Json] = {} if old is None else old.files
    after: Mapping[str, Json] = {} if new is None else new.files
    return [
        _note(f"the file {name} differs")
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _note(text: str) -> DiffLine:
    return DiffLine("note", visible(text), count=0)


def _plain(workflow: WorkflowSpec) -> str:
    options = json.dumps(dict(workflow.options), sort_keys=True) if workflow.options else ""
    return f"{workflow.name} {options}".rstrip()
