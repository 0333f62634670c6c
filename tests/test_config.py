from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.config import (
    LimitsConfig,
    ModelsConfig,
    PriceConfig,
    ProjectConfig,
    TaskConfig,
    load_project_config,
    load_task_config,
)
from promptyard.config.load import ENVIRONMENT
from promptyard.config.shape import GatesConfig
from promptyard.errors import ConfigError
from promptyard.records.budget import Budget
from promptyard.records.cases import CheckSpec
from promptyard.records.rollouts import Guard, RolloutPlan
from promptyard.records.verdicts import GateSettings

MINIMAL = "prompt: prompt.md\ncases: cases.jsonl\nchecks: [exact_match]\n"

FULL = """\
name: tickets                                   # a comment
prompt: prompt.md
cases: [cases.jsonl, more.csv]
models: {task: openai/gpt-5-mini, optimizer: anthropic/claude-sonnet-5, judge: openai/gpt-5,
         base_url: "http://127.0.0.1:8123/v1", api_key_env: MY_KEY}
program: {workflow: chain, steps: {draft: draft.md, final: prompt.md}}
checks:
  - {type: json_schema, severity: hard}
  - {type: field_equals, field: status, severity: hard, critical: true}
  - {type: citation_span, field: citations, source: ticket, severity: hard, weight: 2}
  - type: llm_rubric
    after: hard
    tag: unsupported_fact
    dimension: judge
    rubric: "Every claim is stated in the ticket."
  - "not:contains"
splits: {seed: 3, train: 0.5, dev: 0.25, holdout: 0.25, cluster: thread}
optimize: {strategy: beam, seed: 1, budget: {task_calls: 600, usd: 2.00},
           generators: [reflect, demos], max_demos: 8}
gates: {primary: accuracy, alpha: 0.1, noninferiority: 0.05, critical_regressions: 1,
        min_coverage: 0.95}
release: {steps: [5, 50, 100], guard: [score, {helpful: 0.1}, cost], mode: shadow, max_age_s: 60}
pass_at: 0.8
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write task.yaml into a folder in which everything that it may name exists."""
    folder = tmp_path / "support"
    folder.mkdir()
    for name in ("prompt.md", "draft.md", "cases.jsonl", "more.csv"):
        (folder / name).touch()

    def write_task(text: str) -> Path:
        path = folder / "task.yaml"
        path.write_text(text, "utf-8")
        return path

    return write_task


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_task_config(path)
    message = str(caught.value)
    assert "\n" not in message
    assert all("\n" not in line for line in caught.value.lines)
    return message


def project(folder: Path, **environ: str) -> ProjectConfig:
    return load_project_config(folder, environ)


def project_refusal(folder: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        project(folder, **environ)
    message = str(caught.value)
    assert "\n" not in message
    return message


# task.yaml: what can be said


def test_three_keys_are_enough(write: Callable[[str], Path]) -> None:
    config = load_task_config(write(MINIMAL))
    assert config == TaskConfig(
        name="support",
        prompt="prompt.md",
        cases=("cases.jsonl",),
        checks=config.checks,
    )
    assert config.check_specs == (CheckSpec(type="exact_match"),)
    assert config.models == ModelsConfig()
    assert (config.program.workflow, config.program.steps) == ("single", {})
    assert config.splits.model_dump() == {
        "seed": 7,
        "train": 0.4,
        "dev": 0.3,
        "holdout": 0.3,
        "cluster": None,
    }
    assert (config.optimize.strategy, config.optimize.seed) == ("auto", 0)
    assert config.optimize.generators is None
    assert config.optimize.max_demos is None
    assert config.release.steps == (2, 10, 25, 50, 100)
    assert config.release.plan == RolloutPlan()
    assert config.pass_at == 1.0


def test_everything_can_be_said(write: Callable[[str], Path]) -> None:
    config = load_task_config(write(FULL))
    assert config.name == "tickets"
    assert config.cases == ("cases.jsonl", "more.csv")
    assert config.models == ModelsConfig(
        task="openai/gpt-5-mini",
        optimizer="anthropic/claude-sonnet-5",
        judge="openai/gpt-5",
        base_url="http://127.0.0.1:8123/v1",
        api_key_env="MY_KEY",
    )
    assert dict(config.program.steps) == {"draft": "draft.md", "final": "prompt.md"}
    assert config.check_specs == (
        CheckSpec(type="json_schema", severity="hard"),
        CheckSpec(type="field_equals", severity="hard", critical=True, options={"field": "status"}),
        CheckSpec(
            type="citation_span",
            severity="hard",
            weight=2.0,
            options={"field": "citations", "source": "ticket"},
        ),
        CheckSpec(
            type="llm_rubric",
            tag="unsupported_fact",
            dimension="judge",
            after="hard",
            options={"rubric": "Every claim is stated in the ticket."},
        ),
        CheckSpec(type="not:contains"),
    )
    assert config.splits.cluster == "thread"
    assert config.optimize.budget == Budget(task_calls=600, usd=2.0)
    assert config.optimize.generators == ("reflect", "demos")
    assert config.optimize.max_demos == 8
    assert config.gates == GateSettings(
        primary="accuracy",
        alpha=0.1,
        noninferiority=0.05,
        critical_regressions=1,
        min_coverage=0.95,
    )
    assert config.release.plan == RolloutPlan(
        mode="shadow",
        steps=(5, 50, 100),
        max_age_s=60,
        guards=(
            Guard(dimension="score", margin=0.03),
            Guard(dimension="helpful", margin=0.1),
            Guard(dimension="cost", margin=0.0953),
        ),
    )
    assert config.pass_at == 0.8


def test_budget_and_gates_are_the_records_themselves(write: Callable[[str], Path]) -> None:
    config = load_task_config(write(MINIMAL))
    assert config.optimize.budget == Budget()
    assert config.gates == GateSettings()
    assert type(config.optimize.budget) is Budget
    assert type(config.gates) is GateSettings


def test_a_task_may_be_named_by_its_folder(write: Callable[[str], Path]) -> None:
    path = write(MINIMAL)
    assert load_task_config(path.parent) == load_task_config(path)


def test_a_task_in_the_current_folder_has_its_name(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(MINIMAL).parent)
    assert load_task_config(Path()).name == "support"
    assert load_task_config(Path("task.yaml")).name == "support"


def test_options_may_stand_under_options(write: Callable[[str], Path]) -> None:
    text = MINIMAL.replace("[exact_match]", "[{type: x, options: {value: 1}, field: a}]")
    config = load_task_config(write(text))
    assert config.check_specs[0].options == {"value": 1, "field": "a"}


def test_words_that_other_yaml_takes_for_booleans_are_text(write: Callable[[str], Path]) -> None:
    text = MINIMAL.replace("[exact_match]", "[{type: enum, values: [no, on, 12:30, ~]}]")
    values = load_task_config(write(text)).check_specs[0].options["values"]
    assert values == ["no", "on", "12:30", None]


def test_keys_without_a_value_are_not_given(write: Callable[[str], Path]) -> None:
    assert (
        load_task_config(write(MINIMAL + "models:\n  # task: x/y\nsplits:\n")).models.task is None
    )


def test_anchors_and_merges_work(write: Callable[[str], Path]) -> None:
    text = MINIMAL.replace(
        "[exact_match]", "\n  - &a {type: x, severity: hard}\n  - {<<: *a, type: y}\n  - *a"
    )
    specs = load_task_config(write(text)).check_specs
    assert [(spec.type, spec.severity) for spec in specs] == [
        ("x", "hard"),
        ("y", "hard"),
        ("x", "hard"),
    ]


def test_the_shares_of_thirds_may_be_rounded(write: Callable[[str], Path]) -> None:
    text = MINIMAL + "splits: {train: 0.33, dev: 0.33, holdout: 0.33}\n"
    assert load_task_config(write(text)).splits.train == 0.33


# task.yaml: what is wrong

BAD_LINES: list[tuple[str, str]] = [
    ("optimise: {}", "optimise: unknown key; did you mean 'optimize'?"),
    ("zzz: 1", "zzz: unknown key; known: name, prompt, cases, models"),
    ("models: {tsak: openai/x}", "models.tsak: unknown key; did you mean 'task'?"),
    ("models: {api_key: sk-secret}", "models.api_key: unknown key; did you mean 'api_key_env'?"),
    ("splits: {sede: 1}", "splits.sede: unknown key; did you mean 'seed'?"),
    ("splits: {seed: seven}", "splits.seed: expected a whole number, got 'seven'"),
    ("splits: {seed: 1.5}", "splits.seed: expected a whole number, got 1.5"),
    ("splits: {seed: true}", "splits.seed: expected a whole number, got true"),
    ("splits: {seed: }", "splits.seed: expected a whole number, got nothing"),
    ("splits: {train: much}", "splits.train: expected a number, got 'much'"),
    ("splits: {train: 40, dev: 30, holdout: 30}", "splits.train: must be at most 1, got 40"),
    ("splits: {train: 0.7}", "splits: train + dev + holdout must be 1, got 1.3"),
    ("splits: {cluster: 7}", "splits.cluster: expected text, got 7; put it in quotes"),
    ("splits: [1]", "splits: expected keys and values, got [1]"),
    ("splits: {train: .inf}", "splits.train: non-finite number .inf"),
    ("splits: {train: 1e999}", "splits.train: non-finite number 1e999"),
    ("models: {task: gpt-5}", "models.task: expected provider/model, got 'gpt-5'"),
    ("models: {task: 7}", "models.task: expected text, got 7"),
    ("models: {api_key_env: sk-live-abc}", "models.api_key_env: expected the name of an env"),
    ("models: {base_url: localhost}", "models.base_url: expected an address such as http://"),
    ("models: {base_url: 'http://me:pw@host/v1'}", "without user and password"),
    ("program: {workflow: [single]}", 'program.workflow: expected text, got ["single"]'),
    ("program: {step: {}}", "program.step: unknown key; did you mean 'steps'?"),
    ("program: {steps: {draft: 7}}", "program.steps.draft: expected text, got 7"),
    ("program: {steps: {draft: drfat.md}}", "program.steps.draft: there is no file 'drfat.md'"),
    ("optimize: {budget: {task_cals: 5}}", "task_cals: unknown key; did you mean 'task_calls'?"),
    ("optimize: {budget: {usd: -1}}", "optimize.budget.usd: must be at least 0, got -1"),
    ("optimize: {budget: {seconds: 0}}", "optimize.budget.seconds: must be more than 0, got 0"),
    ("optimize: {budget: 600}", "optimize.budget: expected keys and values, got 600"),
    ("optimize: {generators: reflect}", "optimize.generators: expected a list, got 'reflect'"),
    ("optimize: {generators: [1]}", "optimize.generators[0]: expected text, got 1"),
    ("optimize: {max_demos: -1}", "optimize.max_demos: must be at least 0, got -1"),
    ("gates: {alpha: 5}", "gates.alpha: must be less than 1, got 5"),
    ("gates: {noninferiority: 3}", "gates.noninferiority: must be at most 1, got 3"),
    ("gates: {noninferiorty: 3}", "noninferiorty: unknown key; did you mean 'noninferiority'?"),
    ("gates: {critical_regressions: none}", "critical_regressions: expected a whole number"),
    ("release: {steps: [50, 10]}", "release: steps must ascend"),
    ("release: {guard: [score, latancy]}", "did you mean 'latency'?"),
    ("release: {guard: [{hard_failure: 0.1}]}", "did you mean 'hard_failures'?"),
    ("release: {steps: [2, 101]}", "release.steps[1]: must be at most 100, got 101"),
    ("release: {steps: []}", "release.steps: must not be empty"),
    ("release: {guard: []}", "release.guard: must not be empty"),
    ("release: {guard: [score, {score: 0.1}]}", "release: guard names something twice"),
    ("release: {guard: [{score: 0}]}", "release.guard[0]: the margin of score is a number above 0"),
    ("release: {guard: [{score: '1'}]}", "release.guard[0]: the margin of score is a number"),
    ("release: {guard: [{a: 0.1, b: 0.1}]}", "release.guard[0]: write the name of what is guarded"),
    ("release: {guard: ['unscored:score']}", "unscored:score stands beside its guard by itself"),
    ("release: {guard: [7]}", "release.guard[0]: write the name of what is guarded"),
    ("release: {min_subject: 5}", "release.min_subject: unknown key; did you mean 'min_subjects'?"),
    ("pass_at: 0", "pass_at: must be more than 0, got 0"),
    ("name: 7", "name: expected text, got 7; put it in quotes"),
    ("when: 2024-01-01", "when: timestamp is no plain value; put it in quotes"),
    ("1: x", "the key 1 is no text; put it in quotes"),
    ("models: {task: !secret x}", "models.task: !secret is no plain value; put it in quotes"),
    ('"a\\nb": 1', r"a\nb: unknown key"),
    ("prompt: again.md", "prompt: the key stands twice; keep one"),
    ("splits: {seed: 1, seed: 2}", "splits.seed: the key stands twice; keep one"),
    ("models: {task: [x/y}", "not YAML: "),
    ("a: b: c", "not YAML: mapping values are not allowed here"),
    ("\tx: 1", "not YAML: "),
    ("{a: b}: 1", "the key that is no scalar is no text; put it in quotes"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_mistake_names_file_line_and_key(
    line: str, reason: str, write: Callable[[str], Path]
) -> None:
    path = write(f"{MINIMAL}# a comment\n\n{line}\n")
    message = refusal(path)
    assert f"{path}:6: " in message
    assert reason in message


def test_an_entry_that_is_wrong_leaves_no_empty_list_behind(write: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_task_config(write(f"{MINIMAL}release: {{guard: [latancy]}}\n"))
    assert len(caught.value.lines) == 1
    assert "did you mean 'latency'?" in str(caught.value)


def test_mistakes_in_checks_name_the_check(write: Callable[[str], Path]) -> None:
    def check_refusal(check: str) -> str:
        text = MINIMAL.replace("[exact_match]", f"\n  - is_json\n  - {check}")
        message = refusal(write(text))
        assert "task.yaml:5: checks[1]" in message
        return message

    assert "checks[1].sevrity: unknown key; did you mean 'severity'?" in check_refusal(
        "{type: json_schema, sevrity: hard}"
    )
    assert "checks[1].severity: expected 'hard' or 'soft', got 'hrad'; did you mean 'hard'?" in (
        check_refusal("{type: json_schema, severity: hrad}")
    )
    assert "dimension: expected 'accuracy', 'validity', 'safety' or 'judge', got 'sfety'; did" in (
        check_refusal("{type: x, dimension: sfety}")
    )
    assert "checks[1].type: required key is missing; is 'tpye' a slip of 'type'?" in check_refusal(
        "{tpye: json_schema}"
    )
    assert "checks[1].weight: must be more than 0, got -2" in check_refusal("{type: x, weight: -2}")
    assert "checks[1].critical: expected true or false, got 'yes'" in check_refusal(
        "{type: x, critical: yes}"
    )
    assert "checks[1]: expected keys and values, got 7" in check_refusal("7")
    assert "checks[1].type: must not be empty" in check_refusal('""')


@pytest.mark.parametrize("option", ["weights", "tags", "types", "critic", "value", "weighted"])
def test_an_option_that_is_like_a_common_key_is_an_option(
    option: str, write: Callable[[str], Path]
) -> None:
    text = MINIMAL.replace("exact_match", f"{{type: x, {option}: 1}}")
    assert load_task_config(write(text)).check_specs[0].options == {option: 1}


@pytest.mark.parametrize("key", ["prompt", "cases", "checks"])
def test_a_missing_key_is_named(key: str, write: Callable[[str], Path]) -> None:
    lines = [line for line in MINIMAL.splitlines() if not line.startswith(key)]
    path = write("# a task\n" + "\n".join(lines))
    assert refusal(path) == f"{path}:2: {key}: required key is missing; add it"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("prompt", "has no value; name a file"),
        ("cases", "has no value; name a file"),
        (
            "checks",
            "has no entries; write one, such as `- exact_match`, or `checks: []` where every case "
            "has its own",
        ),
    ],
)
def test_a_key_with_only_comments_under_it_is_empty_not_missing(
    key: str, said: str, write: Callable[[str], Path]
) -> None:
    lines = [line for line in MINIMAL.splitlines() if not line.startswith(key)]
    path = write("\n".join([*lines, f"{key}:", "  # - {type: exact_match}", ""]))
    assert refusal(path) == f"{path}:{len(lines) + 1}: {key}: {said}"


def test_an_empty_file_lacks_its_keys(write: Callable[[str], Path]) -> None:
    path = write("# nothing\n")
    assert refusal(path) == f"{path}:1: prompt: required key is missing; add it (and 2 more)"


def test_a_slip_is_named_rather_than_what_is_then_missing(write: Callable[[str], Path]) -> None:
    path = write(MINIMAL.replace("cases:", "case:"))
    assert refusal(path) == f"{path}:2: case: unknown key; did you mean 'cases'?"


def test_every_mistake_has_its_line_and_the_first_in_the_file_comes_first(
    write: Callable[[str], Path],
) -> None:
    path = write(MINIMAL + "pass_at: 7\nsplits: {seed: x}\nname: 7\n")
    with pytest.raises(ConfigError) as caught:
        load_task_config(path)
    assert str(caught.value) == f"{path}:4: pass_at: must be at most 1, got 7 (and 2 more)"
    assert caught.value.lines == (
        f"{path}:4: pass_at: must be at most 1, got 7",
        f"{path}:5: splits.seed: expected a whole number, got 'x'",
        f"{path}:6: name: expected text, got 7; put it in quotes",
    )


def test_a_file_that_is_no_mapping_is_refused(write: Callable[[str], Path]) -> None:
    path = write("# x\n- prompt.md\n")
    assert refusal(path) == f"{path}:2: expected keys and values (`key: value`), got list"


def test_bytes_that_are_no_text_are_refused(write: Callable[[str], Path]) -> None:
    path = write(MINIMAL)
    path.write_bytes(MINIMAL.encode() + b"name: \xff\n")
    assert refusal(path) == f"{path}:4: not UTF-8; save the file as UTF-8"


def test_a_byte_order_mark_is_no_part_of_the_first_key(write: Callable[[str], Path]) -> None:
    path = write(MINIMAL)
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load_task_config(path).prompt == "prompt.md"


@pytest.mark.parametrize(
    "text", ["a: &x [*x]", "[" * 1_500, "a: \x00", "b: " + "9" * 5_000, "a: &x {y: 1}\n<<: [*z]"]
)
def test_a_malicious_file_is_refused(text: str, write: Callable[[str], Path]) -> None:
    assert "task.yaml:" in refusal(write(text))


def test_aliases_cannot_blow_a_file_up(write: Callable[[str], Path]) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 10):
        lines.append(f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]")
    assert "or 20000 values; is an alias inside itself?" in refusal(write("\n".join(lines)))


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_is_read_or_refused_in_one_line(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "task.yaml"
    path.write_text(text, "utf-8", newline="")
    assert str(path) in refusal(path)


def test_a_missing_task_says_where_it_was_looked_for(tmp_path: Path) -> None:
    message = refusal(tmp_path)
    assert message == (
        f"{tmp_path}: there is no task.yaml (looked in {tmp_path}); "
        "write it beside prompt and cases"
    )
    (tmp_path / "task.yml").touch()
    assert "did you mean 'task.yml'?" in refusal(tmp_path)
    (tmp_path / "support").mkdir()
    assert refusal(tmp_path / "supprot").endswith(f"no such folder (looked in {tmp_path})")
    (tmp_path / "support/task.yaml").touch()
    assert refusal(tmp_path / "supprot").endswith("; did you mean 'support'?")
    message = refusal(tmp_path / "supprot" / "task.yaml")
    assert f"there is no such folder or file (looked in {tmp_path / 'supprot'})" in message


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (
            "prompt.md",
            "promt.md",
            "1: prompt: there is no file 'promt.md'; did you mean 'prompt.md'?",
        ),
        (
            "cases.jsonl",
            "cases.json",
            "2: cases: there is no file 'cases.json'; did you mean 'cases.jsonl'?",
        ),
        (
            "cases.jsonl",
            "\n- cases.jsonl\n- nothing.csv",
            "4: cases[1]: there is no file 'nothing.csv'; write it, or name another",
        ),
    ],
)
def test_a_file_that_does_not_exist_says_where_it_was_looked_for(
    old: str, new: str, where: str, write: Callable[[str], Path]
) -> None:
    path = write(MINIMAL.replace(old, new))
    assert refusal(path) == f"{path}:{where} (looked in {path.parent})"


def test_a_secret_by_mistake_is_never_repeated(write: Callable[[str], Path]) -> None:
    for line in (
        "models: {api_key_env: sk-live-abc}",
        "models: {api_key_env: [sk-live-abc]}",
        "models: {api_key: sk-live-abc}",
        "models: {base_url: 'http://sk-live-abc@host'}",
    ):
        assert "sk-live-abc" not in refusal(write(MINIMAL + line))


def test_the_yaml_library_is_imported_when_a_file_is_read() -> None:
    program = "import sys, promptyard.config; sys.exit('ruamel.yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# the JSON Schema


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        found = cast("dict[str, Any]", schema)
        yield found
        for value in found.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in cast("list[Any]", schema):
            yield from objects(value)


@pytest.mark.parametrize("model", [TaskConfig, ProjectConfig])
def test_every_key_has_a_description_for_editors(
    model: type[TaskConfig] | type[ProjectConfig],
) -> None:
    schema = model.model_json_schema()
    properties = {
        name: value
        for item in objects(schema)
        for name, value in item.get("properties", {}).items()
    }
    assert len(properties) > 10
    assert [name for name, value in properties.items() if not value.get("description")] == []


def test_the_schema_accepts_what_the_loader_accepts(write: Callable[[str], Path]) -> None:
    import jsonschema_rs
    from ruamel.yaml import YAML

    validator = jsonschema_rs.validator_for(TaskConfig.model_json_schema())
    for text in (MINIMAL, FULL):
        load_task_config(write(text))
        data: Any = YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType] (untyped library)
        validator.validate(data)
    wrong_tasks: list[Any] = [
        {"prompt": "p", "cases": "c"},
        {"prompt": "p", "cases": "c", "checks": ["x"], "optimise": {}},
        {"prompt": "p", "cases": 7, "checks": ["x"]},
        {"prompt": "p", "cases": "c", "checks": [{"severity": "hard"}]},
        {"prompt": "p", "cases": "c", "checks": [{"type": "x", "severity": "hrad"}]},
    ]
    for wrong in wrong_tasks:
        assert not validator.is_valid(wrong)
    assert validator.is_valid({"prompt": "p", "cases": "c", "checks": [{"type": "x", "any": [1]}]})


def test_the_defaults_are_those_of_the_records() -> None:
    schema = TaskConfig.model_json_schema()["$defs"]
    assert schema["GatesConfig"]["properties"].keys() == GateSettings.model_fields.keys()
    assert GatesConfig().model_dump() == GateSettings().model_dump()
    assert schema["BudgetConfig"]["properties"].keys() == Budget.model_fields.keys()
    check = schema["CheckEntry"]
    assert check["additionalProperties"] is True
    assert check["properties"].keys() == CheckSpec.model_fields.keys() - {"options"}


# promptyard.yaml and the environment


PROJECT = """\
store: runs.db
models: {task: openai/a, judge: openai/b}
limits: {concurrency: 4, timeout_s: 30, retries: 2}
prices:
  openai/a: {input_usd_per_mtok: 1, output_usd_per_mtok: 2.5, cached_input_usd_per_mtok: 0.1}
"""


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    config = project(tmp_path)
    assert config == ProjectConfig()
    assert config.store == ".promptyard/store.db"
    assert config.limits == LimitsConfig(concurrency=16, timeout_s=120, retries=5)


def test_the_file_is_found_in_the_folders_above(tmp_path: Path) -> None:
    (tmp_path / "promptyard.yaml").write_text(PROJECT)
    folder = tmp_path / "tasks" / "support"
    folder.mkdir(parents=True)
    config = project(folder)
    assert config == project(tmp_path) == project(folder / "not" / "there")
    assert config.models == ModelsConfig(task="openai/a", judge="openai/b")
    assert config.limits == LimitsConfig(concurrency=4, timeout_s=30, retries=2)
    assert config.prices == {
        "openai/a": PriceConfig(
            input_usd_per_mtok=1, output_usd_per_mtok=2.5, cached_input_usd_per_mtok=0.1
        )
    }


def test_the_nearest_file_counts_alone(tmp_path: Path) -> None:
    (tmp_path / "promptyard.yaml").write_text(PROJECT)
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "promptyard.yaml").write_text("limits: {retries: 0}\n")
    assert project(inner).limits.retries == 0
    assert project(inner).models.task is None


def test_a_relative_store_lies_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "promptyard.yaml"
    for written, expected in {
        "store: runs.db": str(tmp_path / "runs.db"),
        "": str(tmp_path / ".promptyard" / "store.db"),
        "store: /var/x.db": "/var/x.db",
        "store: ':memory:'": ":memory:",
        "store: postgresql://host/db": "postgresql://host/db",
        "store: postgresql://me@host/db": "postgresql://me@host/db",
    }.items():
        file.write_text(written + "\n")
        assert project(tmp_path).store == expected


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / "promptyard.yaml").write_text(PROJECT)
    config = project(
        tmp_path,
        PROMPTYARD_STORE="postgresql://me:pw@host/db",
        PROMPTYARD_BASE_URL="http://127.0.0.1:1/v1",
        PROMPTYARD_TASK_MODEL="x/task",
        PROMPTYARD_OPTIMIZER_MODEL="x/optimizer",
        PROMPTYARD_JUDGE_MODEL="x/judge",
        PROMPTYARD_CONCURRENCY="64",
        PROMPTYARD_TIMEOUT_S="2.5",
        PROMPTYARD_API_KEY="secret",
        HOME="/root",
    )
    assert config.store == "postgresql://me:pw@host/db"
    assert config.models == ModelsConfig(
        task="x/task",
        optimizer="x/optimizer",
        judge="x/judge",
        base_url="http://127.0.0.1:1/v1",
    )
    assert (config.limits.concurrency, config.limits.timeout_s) == (64, 2.5)
    assert config.limits.retries == 2
    assert "secret" not in repr(config)


def test_a_store_from_the_environment_is_relative_to_where_the_program_runs(
    tmp_path: Path,
) -> None:
    (tmp_path / "promptyard.yaml").write_text(PROJECT)
    assert project(tmp_path, PROMPTYARD_STORE="other.db").store == "other.db"


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    environ = dict.fromkeys(ENVIRONMENT, " ")
    assert load_project_config(tmp_path, environ) == ProjectConfig()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("PROMPTYARD_CONCURENCY", "4", "unknown variable; did you mean 'PROMPTYARD_CONCURRENCY'?"),
        ("PROMPTYARD_ZZZ", "4", "unknown variable; known: PROMPTYARD_STORE, PROMPTYARD_BASE_URL"),
        ("PROMPTYARD_CONCURRENCY", "many", "expected a whole number, got 'many'"),
        ("PROMPTYARD_TIMEOUT", "9", "unknown variable; did you mean 'PROMPTYARD_TIMEOUT_S'?"),
        ("PROMPTYARD_CONCURRENCY", "2.5", "expected a whole number, got 2.5"),
        ("PROMPTYARD_CONCURRENCY", "0", "must be at least 1, got 0"),
        ("PROMPTYARD_TIMEOUT_S", "soon", "expected a number, got 'soon'"),
        ("PROMPTYARD_TIMEOUT_S", "nan", "expected a number"),
        ("PROMPTYARD_TIMEOUT_S", "inf", "expected a number"),
        ("PROMPTYARD_TASK_MODEL", "gpt-5", "expected provider/model, got 'gpt-5'"),
        ("PROMPTYARD_BASE_URL", "host:8000", "expected an address such as http://"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    name: str, value: str, reason: str, tmp_path: Path
) -> None:
    message = project_refusal(tmp_path, **{name: value})
    assert message.startswith(f"environment: {name}: ")
    assert reason in message


def test_a_variable_that_holds_the_key_may_have_our_prefix(tmp_path: Path) -> None:
    (tmp_path / "promptyard.yaml").write_text("models: {api_key_env: PROMPTYARD_PROD_KEY}\n")
    assert project(tmp_path, PROMPTYARD_PROD_KEY="k").models.api_key_env == "PROMPTYARD_PROD_KEY"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("stroe: x", "stroe: unknown key; did you mean 'store'?"),
        ("limits: {concurency: 4}", "limits.concurency: unknown key; did you mean 'concurrency'?"),
        ("limits: {timeout_s: 0}", "limits.timeout_s: must be more than 0, got 0"),
        ("limits: {retries: -1}", "limits.retries: must be at least 0, got -1"),
        ("limits: 7", "limits: expected keys and values, got 7"),
        ("prices: {a/b: {input_usd_per_mtok: 1}}", "a/b.output_usd_per_mtok: required key is mis"),
        (
            "prices: {a/b: {input_usd: 1, output_usd_per_mtok: 1}}",
            "prices.a/b.input_usd: unknown key; did you mean 'input_usd_per_mtok'?",
        ),
        ("store: postgresql://me:pw@host/db", "holds a password; set PROMPTYARD_STORE in the env"),
    ],
)
def test_a_mistake_in_the_project_names_file_line_and_key(
    line: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "promptyard.yaml"
    path.write_text(f"# project\n{line}\n")
    for environ in ({}, {"PROMPTYARD_CONCURRENCY": "4"}):
        message = project_refusal(tmp_path, **environ)
        assert f"{path}:2: " in message
        assert reason in message
        assert "pw" not in message
