"""Meta-prompts: every request of the package can be read, and a task can bring its own."""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from promptyard.candidates.meta_prompt import names, text_of
from promptyard.errors import ConfigError
from promptyard.line.check import check
from promptyard.line.meta_prompts import meta_prompt, meta_prompts
from promptyard.line.role_models import build_models
from promptyard.line.session import new_header
from promptyard.line.sync import optimize
from promptyard.line.task import Models, Task, load_task
from promptyard.line.wiring import build_generators, project_config
from promptyard.records.base import content_hash
from promptyard.records.budget import Budget
from promptyard.records.prompts import Prompt
from promptyard.signals.evidence import gather
from promptyard.testing import ReplyingBench
from support.stations import LABEL_PROMPT, graded, label_case, seed_candidate

TASK = "prompt: prompt.md\ncases: cases.jsonl\nchecks: [exact_match]\n"
OWN = "system:\nMend it my way.\n\nuser:\n{{prompt}}\n{{buckets}}\n"


def folder_of(path: Path, task: str = TASK, **templates: str) -> Path:
    rows = [
        {"input": {"text": f"text {n}"}, "expected": "ab"[n % 2], "split": split}
        for n, split in enumerate(["train", "dev", "holdout"] * 4)
    ]
    path.mkdir(exist_ok=True)
    (path / "task.yaml").write_text(task)
    (path / "prompt.md").write_text("user:\nSort: {{text}}\n")
    (path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if templates:
        (path / "meta_prompts").mkdir(exist_ok=True)
    for name, text in templates.items():
        (path / "meta_prompts" / f"{name}.md").write_text(text)
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "promptyard", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
    )


def request_of(task: Task, name: str) -> str:
    """What a generator of this task asks first."""
    base = seed_candidate(LABEL_PROMPT)
    rows = [graded(label_case("a", "my card is stolen", "lost_card"), "top_up")]
    bench = ReplyingBench(lambda messages: "")
    work = build_generators(task)[name].propose(
        base, gather(rows, base.program), bench, random.Random(0)
    )
    asyncio.run(work)
    return "\n".join(message.text for message in bench.requests[0])


@pytest.mark.parametrize("name", names())
def test_every_template_is_a_prompt_file_that_quotes_data(name: str) -> None:
    prompt = Prompt.from_text(text_of(name))
    assert prompt.sections[-1].role == "user"
    if not name.startswith("repair"):
        assert "nonce" in prompt.variables
        assert "never follow it" in prompt.text or name == "paraphrase"  # that one quotes no data
    assert not re.search(r"shorten|condense|compress", prompt.text, re.IGNORECASE)


def test_a_template_of_the_task_takes_the_place_of_the_package_s(tmp_path: Path) -> None:
    task = load_task(folder_of(tmp_path, reflect=OWN))
    assert "Mend it my way." in request_of(task, "reflect")
    assert "my card is stolen" in request_of(task, "reflect")
    assert "You find the places" in request_of(task, "local_edit")  # the others stay


def test_a_strategy_given_at_the_call_keeps_the_templates_of_the_task(tmp_path: Path) -> None:
    task = load_task(folder_of(tmp_path, reflect=OWN), models=Models(task="embedded/lexical"))
    run = optimize(task, strategy="opro", budget=Budget(optimizer_calls=0))
    assert run.header.strategy == "opro"
    assert run.header.settings["meta_prompts"] == content_hash({"reflect": OWN})


def test_the_folder_can_have_another_name(tmp_path: Path) -> None:
    folder_of(tmp_path, TASK + "optimize: {meta_prompts: requests}\n", reflect=OWN)
    (tmp_path / "meta_prompts").rename(tmp_path / "requests")
    assert "Mend it my way." in request_of(load_task(tmp_path), "reflect")


def test_a_task_in_code_can_bring_its_own() -> None:
    task = Task(
        name="t",
        prompt="user:\n{{text}}\n",
        cases=[
            {"input": {"text": split}, "expected": "a", "split": split}
            for split in ("train", "dev", "holdout")
        ],
        metrics=["exact_match"],
        meta_prompts={"reflect": OWN},
    )
    assert "Mend it my way." in request_of(task, "reflect")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("reflekt", OWN, "reflekt.md: there is no meta-prompt 'reflekt'; did you mean 'reflect'?"),
        ("reflect", OWN + "{{bukets}}", "there is no slot 'bukets'; did you mean 'buckets'?"),
        ("reflect", OWN + "{{zzz}}", "there is no slot 'zzz'; known: nonce, prompt,"),
        ("reflect", "---\nname: x\n", "line 1: the front matter is opened"),
        ("reflect", "system:\n{{prompt}}\n", "it has no user message"),
        ("reflect", "", "it has no slot"),
    ],
)
def test_a_template_that_cannot_be_filled_is_one_line_with_its_file(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    folder_of(tmp_path, **{name: text})
    with pytest.raises(ConfigError) as error:
        load_task(tmp_path)
    assert str(error.value).startswith(str(tmp_path / "meta_prompts" / f"{name}.md"))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_template_of_other_bytes_is_one_line_with_its_file(tmp_path: Path) -> None:
    folder_of(tmp_path, reflect=OWN)
    (tmp_path / "meta_prompts" / "reflect.md").write_bytes(b"user:\n\xff{{prompt}}")
    with pytest.raises(ConfigError, match=r"reflect\.md: byte 6 is not UTF-8"):
        load_task(tmp_path)


def test_a_named_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    folder_of(tmp_path, TASK + "optimize: {meta_prompts: requests}\n")
    with pytest.raises(ConfigError, match="there is no folder 'requests'"):
        load_task(tmp_path)


def test_a_note_beside_the_templates_is_no_template(tmp_path: Path) -> None:
    task = load_task(folder_of(tmp_path, reflect=OWN, README="Why we changed these."))
    assert set(task.meta_prompts) == {"reflect"}


def test_check_reads_them(tmp_path: Path) -> None:
    assert check(load_task(folder_of(tmp_path / "good", reflect=OWN))).ok
    found = run("check", folder_of(tmp_path / "bad", reflect=OWN + "{{bukets}}"))
    assert found.returncode == 2
    assert "did you mean 'buckets'?" in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_run_is_only_resumed_with_the_templates_it_was_started_with(tmp_path: Path) -> None:
    def settings(**templates: str) -> Mapping[str, object]:
        models = Models(task="embedded/lexical")
        task = load_task(folder_of(tmp_path, **templates), models=models)
        made = build_models(models, project_config(tmp_path))
        return new_header(task, made, budget=None, seed=None, kind="optimize").settings

    plain = settings()
    one, other = settings(reflect=OWN), settings(reflect=OWN + "Please.\n")
    assert "meta_prompts" not in plain
    assert len({str(plain), str(one), str(other)}) == 3


def test_the_command_lists_and_prints_them() -> None:
    listed = json.loads(run("prompts", "meta", "--json").stdout)
    assert [item["name"] for item in listed] == list(names()) == [m.name for m in meta_prompts()]
    assert run("prompts", "meta", "identify").stdout == text_of("identify")
    assert "buckets" in run("prompts", "meta").stdout
    wrong = run("prompts", "meta", "identfy")
    assert wrong.returncode == 2
    assert "did you mean 'identify'?" in wrong.stderr
    assert set(meta_prompt("repair").slots) == {"problem"}
