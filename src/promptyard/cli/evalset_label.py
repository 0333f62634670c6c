"""`promptyard evalset label`: a person answers case by case; every answer is durable at once."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json
from promptyard.cli.label_keys import Keys, keys
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.cli.person import present_user
from promptyard.errors import EvalSetError
from promptyard.reports.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from promptyard.line.label_session import Labelling, SavedLabels
    from promptyard.line.labelling import LabelItem, LabelSession
    from promptyard.records.base import Json

MAX_SHOWN = 4_000
"""Characters of one value that are shown."""

HELP = "p pass  f fail  g gold  t tags  s skip  b back  q quit and save"


def command(
    task: Annotated[
        Path, typer.Argument(help="The task's folder or its task.yaml.", show_default=False)
    ],
    run: Annotated[str, typer.Option(help="Show the outputs of this run.")] = "last",
    only: Annotated[
        list[str] | None,
        typer.Option(help="failing, unlabelled, train, dev or holdout; may be repeated."),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Judge this check, not the case; may be repeated.")
    ] = None,
    labeller: Annotated[str | None, typer.Option(help="Your name; default: the user's.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Labels file; default: labels.jsonl beside the task.")
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give golds, verdicts and tags, case by case.

    Keys on a terminal, lines of commands (`p`, `f`, `g GOLD`, `t TAG TAG`, `s`, `b`, `q`) from a
    pipe. Ctrl-C loses nothing: the next call goes on where this one stopped.
    """
    from promptyard.line.label_session import LabelPlan, open_labelling, save_labels
    from promptyard.line.sync import run_sync

    plan = LabelPlan(
        task=task,
        labeller=labeller or present_user(),
        run=run,
        only=tuple(only or ()),
        metrics=tuple(metric or ()),
        store=store,
        labels=labels,
    )

    with contextlib.closing(run_sync(open_labelling(plan))) as labelling:
        try:
            with keys() as answers:
                _Walk(labelling, answers, console(stderr=as_json)).go()
        except KeyboardInterrupt:
            typer.echo("\nstopped; your answers are kept, the same command goes on here", err=True)
            raise typer.Exit(130) from None
        saved = run_sync(save_labels(labelling, store))
    if as_json:
        print_json(saved.model_dump(mode="json"))
    else:
        _draw_saved(saved)


class _Walk:
    """Shows item after item and does what the keys say."""

    def __init__(self, labelling: Labelling, keys: Keys, out: Console) -> None:
        self._labelling = labelling
        self._session: LabelSession = labelling.session
        self._keys = keys
        self._out = out

    def go(self) -> None:
        """Walk until the last item is answered or the person quits."""
        session, run_id = self._session, self._labelling.run_id
        shown_outputs = f"outputs of run {run_id}" if run_id else "no run, so no outputs"
        self._say(
            f"{len(session.items):,} to label, {session.n_answered:,} answered, as "
            f"{session.labeller}; {shown_outputs}"
        )
        self._say(HELP)
        if session.n_stale:
            self._say(f"{session.n_stale:,} earlier answers are on inputs that have changed since")
        shown = -1
        while session.current is not None:
            if shown != session.position:
                self._show(session.current)
                shown = session.position
            if not self._obey():
                return
        self._say("That was the last one.")

    def _obey(self) -> bool:
        """Do what the next command says; False to quit."""
        key, argument = self._keys.command()
        session = self._session
        try:
            if key == "p":
                session.judge("pass")
            elif key == "f":
                session.judge("fail")
            elif key == "g":
                self._gold(argument)
            elif key == "t":
                self._tags(argument)
            elif key in ("s", "n"):
                session.skip()
            elif key == "b":
                session.back()
            elif key == "q":
                return False
            else:
                self._say(HELP)
        except EvalSetError as error:
            self._out.print(str(error), style="yellow", markup=False)
        return True

    def _show(self, item: LabelItem) -> None:
        session, case = self._session, item.case
        tags = f" · {', '.join(session.tags(case))}" if session.tags(case) else ""
        place = f"{session.position + 1}/{len(session.items)}"
        self._out.print()
        self._out.rule(f"{place} · {visible(case.id)} · {case.split} · {case.kind}{visible(tags)}")
        for name, value in case.input.items():
            self._value(name, value)
        self._value("expected", session.expected(case))
        if item.output is not None:
            self._value("output", item.output)
        for finding in item.findings:
            self._value("found", finding)
        if item.rubric is not None:
            self._value(f"rubric of {item.metric}" if item.metric else "rubric", item.rubric)
        before = session.verdict_on(item)
        if before is not None:
            self._say(f"you said: {before}")

    def _gold(self, argument: str | None) -> None:
        present = self._session.current
        if present is None:
            return
        shown = _written(self._session.expected(present.case))
        text = argument if argument is not None else self._keys.text(shown)
        if text is None:
            self._say("the gold stays as it was")
            return
        self._session.set_gold(text)
        self._value("expected", self._session.expected(present.case))

    def _tags(self, argument: str | None) -> None:
        item, known = self._session.current, self._labelling.known_tags
        if item is None:
            return
        if argument is None:
            listed = "  ".join(f"{number} {tag}" for number, tag in enumerate(known, 1))
            self._say(listed)
            argument = self._keys.line("tags (numbers or your own, by blanks): ")
        named = [_tag(word, known) for word in argument.split()]
        if named:
            self._session.toggle_tags(named)
        self._say(f"tags: {', '.join(self._session.tags(item.case)) or 'none'}")

    def _value(self, name: str, value: Json) -> None:
        text = visible(_written(value))
        more = len(text) - MAX_SHOWN
        cut = f"{text[:MAX_SHOWN]}… ({more:,} more characters)" if more > 0 else text
        self._out.print(f"{visible(name)}: {cut}", markup=False)

    def _say(self, text: str) -> None:
        self._out.print(visible(text), style="dim", markup=False)


def _written(value: Json) -> str:
    """Write a value as a person would type it: texts as they are, the rest as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _tag(word: str, known: Sequence[str]) -> str:
    """Return the known tag of a number, else the word."""
    if word.isdecimal() and 1 <= int(word) <= len(known):
        return known[int(word) - 1]
    return word


def _draw_saved(saved: SavedLabels) -> None:
    out = console()
    if saved.n_verdicts:
        out.print(f"{saved.n_verdicts:,} verdicts in {saved.labels}", markup=False)
    if saved.change is not None:
        out.print(
            f"{saved.change.task}: {visible(saved.change.change)}; now @{saved.change.number} "
            f"({saved.change.version[:8]})",
            markup=False,
        )
    if not saved.n_verdicts and saved.change is None:
        out.print("nothing to save")
