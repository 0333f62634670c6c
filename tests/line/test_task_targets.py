"""`optimize.targets`: a user says where failures are mended, and is told what is wrong with it."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest

from promptyard.candidates.reflect import Reflect
from promptyard.errors import ConfigError
from promptyard.line.role_models import build_models
from promptyard.line.schema import task_json_schema
from promptyard.line.session import new_header
from promptyard.line.task import Models, Task, load_task
from promptyard.line.wiring import project_config
from promptyard.records.edits import Replace
from promptyard.signals.evidence import gather
from promptyard.testing import ReplyingBench
from support.replies import edits_reply
from support.stations import LABEL_PROMPT, graded, label_case, seed_candidate

CASES = [
    {"input": {"text": f"text {n}"}, "expected": "lost_card", "split": split}
    for n, split in enumerate(["train", "dev", "holdout"] * 2)
]


def task(targets: dict[str, str], prompt: str = LABEL_PROMPT) -> Task:
    return Task(name="t", prompt=prompt, cases=CASES, metrics=["exact_match"], targets=targets)


def folder(path: Path, targets: str) -> Path:
    (path / "prompt.md").write_text(LABEL_PROMPT)
    (path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CASES))
    text = "prompt: prompt.md\ncases: cases.jsonl\nchecks: [exact_match]\n"
    (path / "task.yaml").write_text(f"{text}optimize: {{targets: {targets}}}\n")
    return path


def test_targets_of_a_task_file_reach_the_task(tmp_path: Path) -> None:
    loaded = load_task(folder(tmp_path, "{wrong_value: system, 'rubric:facts': demos}"))
    assert loaded.targets == {"wrong_value": "system", "rubric:facts": "demos"}


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (
            "{wrong_value: lables}",
            "'wrong_value': there is no section 'lables'; did you mean 'labels'?",
        ),
        ("{wrong_value: demo}", "did you mean 'demos'?"),
        ("{wrong_value: zzz}", "there is no section 'zzz'; known: system, labels, user, demos"),
        ("{wrong_value: safety}", "section 'safety' is locked; name another section"),
        ("{wrong_value: other/labels}", "there is no section 'other/labels'"),
        ("{' ': labels}", "a tag is empty"),
        ("{wrong_value: 3}", "optimize.targets.wrong_value: expected text, got 3"),
        ("[labels]", "optimize.targets: expected keys and values"),
    ],
)
def test_a_wrong_target_is_said_in_one_line_with_the_file(
    tmp_path: Path, targets: str, said: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load_task(folder(tmp_path, targets))
    assert said in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'task.yaml'}:4: optimize.targets")
    assert "\n" not in str(error.value)


def test_a_section_without_a_marked_span_is_no_target() -> None:
    marked = "system:\nA.\n\n## B\n<edit>x</edit>\n\nuser:\n{{text}}\n"
    assert task({"wrong_value": "b"}, marked).targets == {"wrong_value": "b"}
    with pytest.raises(ConfigError, match="section 'system' has no span marked"):
        task({"wrong_value": "system"}, marked)


def test_a_run_is_resumed_only_with_its_targets() -> None:
    def settings(targets: dict[str, str]) -> object:
        given = task(targets)
        models = build_models(Models(task="embedded/lexical"), project_config(None))
        return new_header(given, models, budget=None, seed=None, kind="optimize").settings

    assert settings({}) != settings({"wrong_value": "labels"})
    assert "targets" not in json.loads(json.dumps(settings({})))  # those of the gates stand there


def test_editors_are_told_of_targets() -> None:
    schema = task_json_schema()
    shape = schema["$defs"]["OptimizeConfig"]["properties"]["targets"]  # type: ignore[index]
    assert shape["additionalProperties"] == {"minLength": 1, "type": "string"}


def test_the_request_names_the_users_section_and_what_is_added_goes_there() -> None:
    base = seed_candidate()
    rows = [graded(label_case(str(n), "t", "lost_card"), "top_up") for n in range(3)]

    def asked(targets: dict[str, str]) -> tuple[str, str]:
        bench = ReplyingBench(lambda _: edits_reply("Be exact.", section="labels"))
        evidence = gather(rows, base.program, targets=targets)
        (proposal,) = asyncio.run(Reflect().propose(base, evidence, bench, random.Random(0)))
        (edit,) = proposal.edits
        assert isinstance(edit, Replace)
        return bench.requests[0][-1].text, edit.section

    request, section = asked({})
    assert ' section="labels"' in request
    assert section == "labels"
    request, section = asked({"wrong_value": "system"})
    assert ' section="system"' in request
    assert section == "system"


def test_where_the_rules_see_no_target_the_request_names_none_and_the_model_chooses() -> None:
    text = "system:\nHello.\n\n## Cabins\nA.\n\n## Ropes\nB.\n\nuser:\n{{text}}\n"
    base = seed_candidate(text)
    rows = [graded(label_case(str(n), "t", "lost_card"), "top_up") for n in range(3)]
    evidence = gather(rows, base.program)
    bench = ReplyingBench(lambda _: edits_reply("Be exact.", section="ropes"))
    (proposal,) = asyncio.run(Reflect().propose(base, evidence, bench, random.Random(0)))
    assert 'section="' not in bench.requests[0][-1].text.partition("<bucket")[2]
    (edit,) = proposal.edits
    assert isinstance(edit, Replace)
    assert edit.section == "ropes"
