"""Edits, the candidates they make, and splicing: the one place where prompts are changed.

All edits of a candidate refer to the same parent text, so that patches which touch different
places can be joined. Bytes outside the edited spans stay as they are (DESIGN rule 7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from promptyard.errors import EditError
from promptyard.records.base import Json, Record
from promptyard.records.prompt_text import Layout, SectionSpan, demo_block
from promptyard.records.prompts import Demo, Program, Prompt, Step, WorkflowSpec


class Replace(Record):
    """Replace the characters [start, end) of a section's text; `old` is what must stand there.

    `start == end` inserts. Inserts at one place are applied in the order given.
    """

    kind: Literal["replace"] = "replace"
    step: str = "main"
    section: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    old: str
    text: str


class SetSection(Record):
    """Replace the whole text of a section; its heading stays."""

    kind: Literal["set_section"] = "set_section"
    step: str = "main"
    section: str
    text: str


class InsertSection(Record):
    """Add a section with a heading of its own behind section `after`."""

    kind: Literal["insert_section"] = "insert_section"
    step: str = "main"
    after: str
    id: str
    title: str
    text: str


class DropSection(Record):
    """Remove a section with its heading."""

    kind: Literal["drop_section"] = "drop_section"
    step: str = "main"
    section: str


class SetDemos(Record):
    """Replace all demonstrations; they stand before the last user message."""

    kind: Literal["set_demos"] = "set_demos"
    step: str = "main"
    demos: tuple[Demo, ...]


class PermuteDemos(Record):
    """Put the demonstrations in another order: `order[i]` is the old index of the new i-th."""

    kind: Literal["permute_demos"] = "permute_demos"
    step: str = "main"
    order: tuple[int, ...]


class SetParam(Record):
    """Set one model parameter (`temperature` ...); None removes it."""

    kind: Literal["set_param"] = "set_param"
    step: str = "main"
    name: str
    value: Json = None


class SetWorkflow(Record):
    """Run the steps in another way."""

    kind: Literal["set_workflow"] = "set_workflow"
    workflow: WorkflowSpec


Edit: TypeAlias = Annotated[
    Replace
    | SetSection
    | InsertSection
    | DropSection
    | SetDemos
    | PermuteDemos
    | SetParam
    | SetWorkflow,
    Field(discriminator="kind"),
]


class Proposal(Record):
    """What a generator suggests: edits of the parent, and why. Not yet checked.

    `evidence` names the buckets it answers, `raw` the reply it was read from, `parents` the ids of
    further programs that the edits draw on.
    """

    generator: str
    edits: tuple[Edit, ...]
    hypothesis: str
    evidence: tuple[str, ...] = ()
    raw: str = ""
    parents: tuple[str, ...] = ()


class Candidate(Record):
    """A program with its history: parents, edits, generator, evidence, hypothesis."""

    program: Program
    parents: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    generator: str = "seed"
    hypothesis: str = ""
    evidence: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id of its program."""
        return self.program.id


class Rejection(Record):
    """A proposal that was not evaluated, and the validator that refused it (`V1`..`V10`)."""

    generator: str
    code: str
    reason: str
    hypothesis: str = ""
    raw: str = ""


def apply_edits(program: Program, edits: Sequence[Edit]) -> Program:
    """Apply edits to a program; steps that no edit names stay the same objects.

    Raises EditError when a target is unknown, locked, outside the `<edit>` spans, stale, or when
    two edits want the same characters.
    """
    workflow = program.workflow
    by_step: dict[str, list[Edit]] = {}
    for edit in edits:
        if isinstance(edit, SetWorkflow):
            workflow = edit.workflow
        else:
            program.step(edit.step)
            by_step.setdefault(edit.step, []).append(edit)
    steps = tuple(
        Step(name=step.name, prompt=splice(step.prompt, by_step[step.name]))
        if step.name in by_step
        else step
        for step in program.steps
    )
    return Program(steps=steps, workflow=workflow)


def splice(prompt: Prompt, edits: Sequence[Edit]) -> Prompt:
    """Apply edits to one prompt. Raises EditError as `apply_edits` does."""
    layout = prompt.layout
    # A new header and demonstrations may both belong at the first character; the header is above.
    headers_first = sorted(edits, key=lambda edit: not isinstance(edit, SetParam))
    cuts = [cut for edit in headers_first for cut in _cuts(prompt, layout, edit)]
    ordered = sorted(enumerate(cuts), key=lambda item: (item[1][0], item[1][1], item[0]))
    text = prompt.text
    pieces: list[str] = []
    at = 0
    for _, (start, end, new) in ordered:
        if start < at:
            raise EditError(
                f"two edits change the same place (character {start}); apply one of them"
            )
        pieces.extend((text[at:start], new))
        at = end
    pieces.append(text[at:])
    return Prompt.from_text("".join(pieces), prompt.files)


_Cut: TypeAlias = tuple[int, int, str]


def _cuts(prompt: Prompt, layout: Layout, edit: Edit) -> list[_Cut]:
    match edit:
        case Replace():
            return [_replace_cut(prompt, layout, edit)]
        case SetSection():
            section = _editable(layout, edit.section)
            _refuse_outside_spans(layout, section.body, section.end, edit.section)
            return [(section.body, section.end, edit.text)]
        case InsertSection():
            after = _section(layout, edit.after)
            _refuse_outside_spans(layout, after.end, after.end, edit.after)
            return [(after.end, after.end, _section_text(prompt.text, layout, after, edit))]
        case DropSection():
            section = _editable(layout, edit.section)
            _refuse_outside_spans(layout, section.start, section.end, edit.section)
            return [(section.start if section.title else section.body, section.end, "")]
        case SetDemos():
            return _demo_cuts(prompt, layout, edit.demos)
        case PermuteDemos():
            if sorted(edit.order) != list(range(len(prompt.demos))):
                raise EditError("the order is no permutation of the demonstrations")
            return _demo_cuts(prompt, layout, [prompt.demos[index] for index in edit.order])
        case SetParam():
            return [_param_cut(prompt, layout, edit)]
        case SetWorkflow():
            return []


def _section(layout: Layout, section_id: str) -> SectionSpan:
    section = layout.section(section_id)
    if section is None:
        known = ", ".join(item.id for item in layout.sections)
        raise EditError(f"the prompt has no section '{section_id}'; its sections: {known}")
    return section


def _editable(layout: Layout, section_id: str) -> SectionSpan:
    section = _section(layout, section_id)
    if section.locked:
        raise EditError(f"section '{section_id}' is locked")
    return section


def _refuse_outside_spans(layout: Layout, start: int, end: int, section_id: str) -> None:
    if layout.edit_spans and not any(
        span.start <= start and end <= span.end for span in layout.edit_spans
    ):
        raise EditError(
            f"section '{section_id}': only the spans marked <edit>...</edit> may change"
        )


def _replace_cut(prompt: Prompt, layout: Layout, edit: Replace) -> _Cut:
    section = _editable(layout, edit.section)
    start, end = section.body + edit.start, section.body + edit.end
    if edit.end < edit.start or end > section.end or prompt.text[start:end] != edit.old:
        raise EditError(f"section '{edit.section}': the text to replace does not stand there")
    _refuse_outside_spans(layout, start, end, edit.section)
    return (start, end, edit.text)


def _section_text(text: str, layout: Layout, after: SectionSpan, edit: InsertSection) -> str:
    newline = layout.newline
    lead = "" if text[: after.end].endswith(newline) else newline
    body = edit.text.replace("\r\n", "\n").replace("\n", newline).rstrip("\r\n")
    return f"{lead}{newline}## {edit.title} {{#{edit.id}}}{newline}{body}{newline}{newline}"


def _demo_cuts(prompt: Prompt, layout: Layout, demos: Sequence[Demo]) -> list[_Cut]:
    newline = layout.newline
    lines = "".join(demo.line() + newline for demo in demos)
    blocks = [block for block in layout.blocks if block.role == "demos"]
    if blocks:
        # The block ends where the next role line begins; all its lines are demonstrations.
        first, *rest = blocks
        lead = "" if prompt.text[: first.body].endswith("\n") else newline
        cuts = [(first.body, first.end, lead + lines)]
        return cuts + [(block.body, block.end, "") for block in rest]
    if not demos:
        return []
    if layout.edit_spans:
        raise EditError(
            "only the spans marked <edit>...</edit> may change; add an empty 'demos:' line to the "
            "prompt where demonstrations may stand"
        )
    user = demo_block(prompt.text)
    if user is None:
        raise EditError("no user message shows a variable that a demonstration could fill in")
    at = user.start
    role_line = "" if user.body > user.start else f"user:{newline}"
    return [(at, at, f"demos:{newline}{lines}{role_line}")]


def _param_cut(prompt: Prompt, layout: Layout, edit: SetParam) -> _Cut:
    from io import StringIO

    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    loaded: Json = yaml.load(layout.front_yaml)  # pyright: ignore[reportUnknownMemberType] (untyped library)
    values: dict[str, Json] = loaded or {}
    params: dict[str, Json] = values.setdefault("params", {})
    if edit.value is None:
        params.pop(edit.name, None)
    else:
        params[edit.name] = edit.value
    out = StringIO()
    yaml.dump(values, out)  # pyright: ignore[reportUnknownMemberType] (untyped library)
    newline = layout.newline
    body = out.getvalue().replace("\n", newline)
    if layout.front:
        start = prompt.text.index(layout.front_yaml, 3) if layout.front_yaml else layout.front
        return (start, start + len(layout.front_yaml), body)
    return (0, 0, f"---{newline}{body}---{newline}")


def demo_case_ids(program: Program) -> frozenset[str]:
    """Ids of the train cases that a program shows as demonstrations; they must not score it."""
    return frozenset(
        demo.case_id for step in program.steps for demo in step.prompt.demos if demo.case_id
    )


def edit_targets(edits: Sequence[Edit]) -> Mapping[str, tuple[str, ...]]:
    """Map each step to the section ids that the edits touch (demos count as `demos`)."""
    targets: dict[str, dict[str, None]] = {}
    for edit in edits:
        match edit:
            case Replace() | SetSection() | DropSection():
                targets.setdefault(edit.step, {})[edit.section] = None
            case InsertSection():
                targets.setdefault(edit.step, {})[edit.after] = None
            case SetDemos() | PermuteDemos():
                targets.setdefault(edit.step, {})["demos"] = None
            case SetParam() | SetWorkflow():
                continue
    return {step: tuple(names) for step, names in targets.items()}
