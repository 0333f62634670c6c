"""Every mistake that a user can make in a task's files, and the lines that each of them gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from support.shell import Run
from support.task_folder import cases, write_task
from support.tiny_task import PROMPT, TASK

ROWS = "".join(json.dumps(row) + "\n" for row in cases())
CHECK = "{type: exact_match, severity: hard}"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


class Mistake(NamedTuple):
    """Files that replace those of a good task, and of each line of the error what it begins with
    (`task.yaml:7: ` ...) and what it says."""

    files: Mapping[str, str | bytes]
    lines: tuple[tuple[str, ...], ...]


def task(old: str, new: str, *words: str) -> Mistake:
    """One thing changed in task.yaml."""
    assert old in TASK
    return Mistake({"task.yaml": TASK.replace(old, new)}, (words,))


def more(line: str, *words: str) -> Mistake:
    """A line, the seventh, at the end of task.yaml."""
    return Mistake({"task.yaml": f"{TASK}{line}\n"}, (words,))


def check(written: str, *words: str) -> Mistake:
    return task(CHECK, written, *words)


def row(text: str | bytes, *words: str) -> Mistake:
    """A second line in cases.jsonl, between good ones."""
    content = text if isinstance(text, bytes) else text.encode()
    first, rest = ROWS.encode().split(b"\n", 1)
    return Mistake({"cases.jsonl": first + b"\n" + content + b"\n" + rest}, (words,))


def prompt(text: str, *words: str) -> Mistake:
    return Mistake({"prompt.md": text}, (words,))


def project(text: str | bytes, *words: str) -> Mistake:
    return Mistake({"promptyard.yaml": text}, (words,))


MISTAKES: dict[str, Mistake] = {
    # task.yaml as YAML
    "broken yaml": more("  - {type: [", "task.yaml:8: not YAML", "brackets"),
    "a tab": more("splits:\n\tseed: 1", "task.yaml:8: not YAML", "check indentation"),
    "a key twice": more("name: again", "task.yaml:7: name: ", "stands twice; keep one"),
    "a list": Mistake(
        {"task.yaml": "- prompt.md\n"}, (("task.yaml:1: expected keys and values", "`key: value`"),)
    ),
    "an alias bomb": Mistake({"task.yaml": BOMB}, (("task.yaml:", "is an alias inside itself?"),)),
    "an alias in itself": more("release: &a {guard: [*a]}", "task.yaml:7: release", "alias"),
    "an empty file": Mistake(
        {"task.yaml": ""},
        tuple(
            (f"task.yaml:1: {key}: required key is missing", "add it")
            for key in ("prompt", "cases", "checks")
        ),
    ),
    "no utf-8": Mistake(
        {"task.yaml": TASK.encode() + b"# caf\xe9\n"}, (("task.yaml:7: not UTF-8", "save the"),)
    ),
    "utf-16": Mistake({"task.yaml": TASK.encode("utf-16")}, (("task.yaml:1: not UTF-8", "save"),)),
    "crlf and a byte order mark": Mistake(
        {"task.yaml": b"\xef\xbb\xbf" + (TASK + "pass_at: 7\n").replace("\n", "\r\n").encode()},
        (("task.yaml:7: pass_at: must be at most 1, got 7",),),
    ),
    "a date": more("optimize: {strategy: 2024-01-01}", "task.yaml:7: optimize.strategy", "quotes"),
    # task.yaml: keys and values
    "unknown key": task("checks:", "chekcs:", "task.yaml:5: chekcs: ", "did you mean 'checks'?"),
    "unknown key of models": task(
        "{task: ", "{tsak: ", "task.yaml:4: models.tsak: ", "did you mean 'task'?"
    ),
    "unknown key of a budget": more(
        "optimize: {budget: {task_cals: 5}}", "task.yaml:7: optimize.budget.task_cals", "task_calls"
    ),
    "unknown key in a check": check(
        "{type: exact_match, sevrity: hard}",
        "task.yaml:6: checks[0].sevrity: ",
        "did you mean 'severity'?",
    ),
    "wrong type": more("splits: {train: lots}", "task.yaml:7: splits.train: expected a number"),
    "text for a section": more("gates: strict", "task.yaml:7: gates: expected keys and values"),
    "number for text": task("name: tiny", "name: 7", "task.yaml:1: name: expected text", "quotes"),
    "wrong enum": check(
        "{type: exact_match, severity: hrad}",
        "task.yaml:6: checks[0].severity: expected 'hard' or 'soft'",
        "did you mean 'hard'?",
    ),
    "negative budget": more(
        "optimize: {budget: {usd: -1}}", "task.yaml:7: optimize.budget.usd: must be at least 0"
    ),
    "shares beyond one": more(
        "splits: {train: 0.9}", "task.yaml:7: splits: ", "must be 1, got 1.5"
    ),
    "checks that are no list": Mistake(
        {"task.yaml": TASK.replace(f"\n  - {CHECK}", " 7")},
        (("task.yaml:5: checks: expected a list",),),
    ),
    "missing prompt file": task(
        "prompt.md", "promt.md", "task.yaml:2: prompt: there is no file 'promt.md'", "'prompt.md'?"
    ),
    "missing files": Mistake(
        {"task.yaml": TASK.replace("prompt.md", "p.txt").replace("cases.jsonl", "case.jsonl")},
        (
            ("task.yaml:2: prompt: there is no file 'p.txt'", "write it"),
            ("task.yaml:3: cases: there is no file 'case.jsonl'", "did you mean 'cases.jsonl'?"),
        ),
    ),
    "a folder for the cases": task("cases.jsonl", ".", "task.yaml:3: cases: there is no file '.'"),
    "a file that no importer reads": task(
        "cases.jsonl", "prompt.md", "prompt.md: no importer reads '.md' files", ".jsonl"
    ),
    # task.yaml: names
    "unknown check": check(
        "exact_mach", "task.yaml:6: checks[0]: unknown check 'exact_mach'", "'exact_match'?"
    ),
    "unknown checks": Mistake(
        {"task.yaml": f"{TASK}  - not:contians\n  - {{type: contains, valeu: x}}\n"},
        (
            ("task.yaml:7: checks[1]: unknown check 'not:contians'", "'not:contains'?"),
            ("task.yaml:8: checks[2].valeu: ", "did you mean 'value'?"),
        ),
    ),
    "a name of two meanings": check(
        "match", "task.yaml:6: checks[0]: unknown check 'match'", "starts_with", "ends_with"
    ),
    "unknown option": check(
        "\n    type: contains\n    valeu: x",
        "task.yaml:8: checks[0].valeu: ",
        "did you mean 'value'?",
    ),
    "unknown option under options": check(
        "\n    type: contains\n    options:\n      valeu: x",
        "task.yaml:9: checks[0].options.valeu: ",
        "did you mean 'value'?",
    ),
    "missing option": check(
        "regex", "task.yaml:6: checks[0]: ", "option 'pattern' is missing; add it"
    ),
    "wrong option": check(
        "{type: length, max: many}", "task.yaml:6: checks[0].max: ", "must be", "got"
    ),
    "unknown check inside of one": check(
        "\n    type: all_of\n    checks:\n      - exact_match\n      - exact_mach",
        "task.yaml:10: checks[0].checks[1]: unknown check 'exact_mach'",
        "did you mean 'exact_match'?",
    ),
    "unknown option inside of one": check(
        "\n    type: any_of\n    checks:\n      - type: contains\n        valeu: x",
        "task.yaml:10: checks[0].checks[0].valeu: ",
        "did you mean 'value'?",
    ),
    "unknown provider": task(
        "embedded/lexical",
        "embeded/lexical",
        "task.yaml:4: models.task: unknown provider 'embeded'",
        "did you mean 'embedded/lexical'?",
    ),
    "unknown embedded model": task(
        "embedded/lexical", "embedded/lexcal", "task.yaml:4: models.task: ", "embedded/lexical"
    ),
    "no provider": task(
        "embedded/lexical", "gpt-5", "task.yaml:4: models.task: expected provider/model"
    ),
    "no key": task(
        "embedded/lexical", "openai/gpt-5", "task.yaml:4: models.task: ", "OPENAI_API_KEY"
    ),
    "unknown workflow": more(
        "program: {workflow: chian}", "task.yaml:7: program.workflow: ", "chain"
    ),
    # what only `optimize` reads
    "unknown strategy": more(
        "optimize: {strategy: atuo}", "task.yaml:7: optimize.strategy", "auto"
    ),
    "unknown generator": more(
        "optimize:\n  generators:\n    - demos\n    - reflct",
        "task.yaml:10: optimize.generators[1]: ",
        "did you mean 'reflect'?",
    ),
    # the prompt
    "unknown variable": prompt(
        PROMPT.replace("{{text}}", "{{txet}}"),
        "prompt.md:10: the prompt uses {{txet}}, which no case has",
        "did you mean {{text}}?",
    ),
    "unknown variables": Mistake(
        {"prompt.md": PROMPT.replace("{{text}}", "{{txet}}\n{{zzz}}")},
        (("prompt.md:10: ", "{{text}}?"), ("prompt.md:11: ", "{{zzz}}", "input has: text")),
    ),
    "a variable that a case lacks": row(
        '{"input": {"txt": "x"}, "split": "dev"}',
        "prompt.md:10: the prompt uses {{text}}, which the case at ",
        "cases.jsonl:2 does not have",
    ),
    "no variable": prompt(PROMPT.replace("{{text}}", "text"), "prompt.md: ", "use one of: text"),
    "unknown key in the front matter": prompt(
        f"---\nname: x\nparam: {{}}\n---\n{PROMPT}", "prompt.md:3: front matter: ", "'params'?"
    ),
    "front matter that is not YAML": prompt(
        f"---\nname: [\n---\n{PROMPT}", "prompt.md:3: ", "YAML"
    ),
    "front matter without an end": prompt(f"---\nname: x\n{PROMPT}", "prompt.md:1: ", "'---' line"),
    "an alias bomb in the front matter": prompt(
        "---\ntools:\n" + "".join(f"- {line}\n" for line in BOMB.splitlines()) + f"---\n{PROMPT}",
        "prompt.md:2: front matter: tools: ",
        "alias inside itself?",
    ),
    "a schema that is not there": prompt(
        f"---\noutput: {{schema: s.json}}\n---\n{PROMPT}", "prompt.md:2: front matter: ", "s.json"
    ),
    "a schema that is not JSON": Mistake(
        {"prompt.md": f"---\noutput: {{schema: s.json}}\n---\n{PROMPT}", "s.json": '{\n"a" 1}'},
        (("s.json:2: not JSON", "column 5", "check quotes"),),
    ),
    "a prompt that is not UTF-8": Mistake(
        {"prompt.md": PROMPT.encode() + b"caf\xe9"}, (("prompt.md:11: not UTF-8", "save the file"),)
    ),
    # the cases
    "zero cases": Mistake(
        {"cases.jsonl": "\n\n"}, (("cases.jsonl: no cases", "add at least one"),)
    ),
    "duplicate ids": Mistake(
        {"cases.jsonl": "".join(json.dumps({**item, "id": "x"}) + "\n" for item in cases(1))},
        tuple((f"cases.jsonl:{n}: id 'x'", "give each case its own id") for n in (2, 3)),
    ),
    "no json": row("{oops", "cases.jsonl:2: not JSON: ", "column 2", "near `{oops`"),
    "json that ends too early": row(
        '{"input": {"text": "a"}, "expected": ',
        "cases.jsonl:2: not JSON: ",
        'column 37, where the text ends, near `"text": "a"}, "expected":`',
        "check quotes",
    ),
    "a list for a case": row('["a"]', "cases.jsonl:2: expected an object with the key 'input'"),
    "unknown key in a case": row(
        '{"input": {"text": "a"}, "expcted": "b"}',
        "cases.jsonl:2: expcted: ",
        "did you mean 'expected'?",
    ),
    "wrong split": row(
        '{"input": {"text": "a"}, "split": "tets"}', "cases.jsonl:2: split: ", "dev"
    ),
    "unknown check of a case": row(
        '{"input": {"text": "a"}, "checks": ["is_json", "exact_mach"], "split": "dev"}',
        "cases.jsonl:2: checks[1]: unknown check 'exact_mach'",
        "did you mean 'exact_match'?",
    ),
    "unknown option of a check of a case": row(
        '{"input": {"text": "a"}, "checks": [{"type": "contains", "valeu": 1}], "split": "dev"}',
        "cases.jsonl:2: checks[0].valeu: ",
        "did you mean 'value'?",
    ),
    "a case that is not UTF-8": row(b'{"input": "caf\xe9"}', "cases.jsonl:2: byte 15 ", "save the"),
    # promptyard.yaml
    "unknown key of the project": project(
        "stroe: x\n", "promptyard.yaml:1: stroe: ", "did you mean 'store'?"
    ),
    "zero concurrency": project(
        "limits:\n  concurrency: 0\n", "promptyard.yaml:2: limits.concurrency: must be at least 1"
    ),
    "a project that is a list": project("- x\n", "promptyard.yaml:1: expected keys and values"),
    "unknown provider of the project": project(
        "models:\n  judge: opnai/x\n",
        "promptyard.yaml:2: models.judge: ",
        "did you mean 'openai/x'?",
    ),
    "nobody listens": task(
        "{task: embedded/lexical}",
        "{task: openai/m, base_url: 'http://127.0.0.1:9/v1'}",
        "",
        "127.0.0.1:9",
    ),
}
ONLY_OPTIMIZE = {"unknown strategy", "unknown generator"}
RUNS = [
    (name, command)
    for name in MISTAKES
    for command in ("eval", "optimize")
    if command == "optimize" or name not in ONLY_OPTIMIZE
]


@pytest.mark.parametrize(("name", "command"), RUNS)
def test_a_mistake_is_one_line_that_says_what_where_and_what_to_do(
    name: str, command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    files, expected = MISTAKES[name]
    folder = write_task(tmp_path / "t")
    for file, content in files.items():
        place = tmp_path if file == "promptyard.yaml" else folder
        (place / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = run(command, folder)
    assert (result.code, result.out) == (2, "")
    # What is indented is progress: warnings are said before anything is asked.
    lines = [line for line in result.err.splitlines() if not line.startswith("  ")]
    assert len(lines) == len(expected), result.err
    for line, (start, *words) in zip(lines, expected, strict=True):
        place = tmp_path if start.startswith("promptyard.yaml") else folder
        assert line.startswith(f"error: {place / start}" if start else "error: ")
        for word in words:
            assert word in line
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before.keys()
    assert {path.parent.name for path in made} <= {".promptyard"}  # the store, of the run as such
    assert {path: path.read_bytes() for path in before} == before
