"""`promptyard judge` as a user meets it, against a real server."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from promptyard.cli.main import main
from support.chat_server import ChatServer

TASK = """prompt: prompt.md
cases: cases.jsonl
models: {task: openai/task, judge: openai/judge}
checks:
  - {type: llm_rubric, id: apology, rubric: The answer apologises.}
"""


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Shop:
    """A folder with a task of 60 complaints, a server for both models, and the command line."""

    def __init__(
        self,
        folder: Path,
        server: ChatServer,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self.server = server
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        (folder / "task.yaml").write_text(TASK)
        (folder / "prompt.md").write_text("user:\nAnswer: {{text}}\n")
        rows = [
            {"id": f"c{n}", "input": {"text": f"complaint {n}"}, "split": split}
            for n, split in enumerate(["train", "dev", "holdout"] * 20)
        ]
        (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        labels = "".join(f"c{n},{'pass' if n % 2 else 'fail'}\n" for n in range(4, 60, 3))
        (folder / "labels.csv").write_text("case_id,label\nc1,fail\n" + labels)

    def __call__(self, *arguments: str) -> Outcome:
        given = ["promptyard", *arguments]
        if arguments[0] == "eval" or arguments[1] in {"calibrate", "sentinel"}:
            given += ["--base-url", self.server.base_url]
        self._monkeypatch.setattr(sys, "argv", given)
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(str(ended.code or 0))
        out, err = self._capfd.readouterr()
        return Outcome(code, out, err)


@pytest.fixture
def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    with ChatServer(_answer) as server:
        yield Shop(tmp_path, server, monkeypatch, capfd)


def _answer(body: Mapping[str, Any]) -> str:
    text = str(body["messages"][-1]["content"])
    if "response_format" not in body:
        return "We are \u202esorry." if int(text.split()[-1]) % 2 else "Noted."
    found = re.search(r"<answer-\w+>\n(.*)\n", text)
    assert found is not None
    word = "pass" if "sorry" in found[1] else "fail"
    return json.dumps({"reasons": "It \x1b[2Jdoes.", "evidence_quote": "", "verdict": word})


def test_from_an_uncalibrated_judge_to_a_corrected_mean(shop: Shop) -> None:
    before = shop("eval", ".")
    assert "judge (uncalibrated judge)" in before.out
    found = shop("judge", "calibrate", ".", "--labels", "labels.csv")
    assert found.code == 0, found.err
    for words in ("TPR", "TNR", "kappa", "0.90", "Disagreements to read (1)", "Certificate "):
        assert words in found.out
    assert "c1: a person says fail, the judge pass" in found.out
    assert "output: We are <U+202E>sorry." in found.out
    assert "judge:  It <U+001B>[2Jdoes." in found.out
    assert "Warning: 20 labels are few" in found.out
    shown = shop("judge", "show")
    assert "apology" in shown.out
    assert "openai/judge" in shown.out
    after = shop("eval", ".")
    assert "uncalibrated judge" not in after.out
    assert "calibrated by certificate" in after.out
    assert "corrected" in after.out
    data = json.loads(shop("eval", ".", "--json").out)
    assert data["uncalibrated"] == []
    assert data["checks"][0]["judge"]["method"] == "rogan-gladen"


def test_json_holds_everything_for_other_programs(shop: Shop) -> None:
    shop("eval", ".")
    data = json.loads(shop("judge", "calibrate", "--labels", "labels.csv", "--json").out)
    assert data["metric"] == "apology"
    assert data["tpr"]["n"] + data["tnr"]["n"] == len(data["labels"]) == 20
    assert data["disagreements"][0]["case_id"] == "c1"
    assert len(data["warnings"]) == 1
    (listed,) = json.loads(shop("judge", "show", "--json").out)
    assert (listed["id"], listed["n_labels"]) == (data["id"], 20)
    assert "labels" not in listed
    assert json.loads(shop("judge", "show", "another", "--json").out) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--labels", "none.csv"), "error: none.csv: there is no such labels file"),
        (("--labels", "labels.csv"), "error: no labelled output is known"),
        (("--labels", "labels.csv", "--check", "tone"), "error: no check 'tone' asks a judge"),
        ((), "error: no labels of people were named"),
        (("--column", "human"), "error: no case has a label under 'human'"),
        (("--labels", "labels.csv", "--judge-model", "embedded/lexical"), "cannot be one"),
    ],
)
def test_a_mistake_is_one_line_and_costs_no_call(
    shop: Shop, arguments: tuple[str, ...], message: str
) -> None:
    found = shop("judge", "calibrate", ".", *arguments)
    assert found.code == 2
    assert message in found.err
    assert found.err.strip().count("\n") == 0
    assert shop.server.n_requests == 0


def test_check_speaks_of_the_judge(shop: Shop) -> None:
    assert "judges its own" not in shop("check", ".").out
    same = shop("check", ".", "--judge-model", "openai/task")
    assert "warning: openai/task judges its own answers" in " ".join(same.out.split())
    (shop.folder / "task.yaml").write_text(TASK.replace(", judge: openai/judge", ""))
    assert "no judge model is set" in " ".join(shop("check", ".").out.split())
    unfit = shop("check", ".", "--judge-model", "embedded/lexical")
    assert unfit.code == 2


def test_a_judge_is_tried_with_texts_that_tell_it_what_to_say(shop: Shop) -> None:
    assert shop("judge", "sentinel", ".").code == 2
    shop("eval", ".")
    found = shop("judge", "sentinel", ".")
    assert found.code == 0, found.err
    assert "0 of 82 texts moved the judge of 'apology' (openai/judge)" in found.out
    data = json.loads(shop("judge", "sentinel", ".", "--json").out)
    assert (data["n_attacks"], data["moved"]) == (82, [])
