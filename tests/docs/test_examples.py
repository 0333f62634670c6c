"""Every block of the pages that can run does run, in order, as a reader would run it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from doc_blocks import EXECUTED, NOT_EXECUTED, ROOT, SHOWN, Block, blocks_of, pages

from promptyard.line.task import load_task
from promptyard.providers.embedded import answer
from support.chat_server import ChatServer
from support.messages_server import MessagesServer

SERVER_IN_PAGES = "http://127.0.0.1:8000/v1"
"""The address that pages use; a real server on a free port stands in its place here."""

MESSAGES_SERVER_IN_PAGES = "http://127.0.0.1:8001/v1"
MESSAGES_KEY_IN_PAGES = "key-of-my-gateway"

SERVICE_PORT_IN_PAGES = "8700"
"""The port of the service in pages; a free one stands in its place here."""
SERVICE_PID = "service.pid"

REASON = "not executed: "
PRINTED = "printed by the block above"
EXECUTED_PAGES = [page for page in pages() if any(b.language in EXECUTED for b in blocks_of(page))]


def lexical(body: Mapping[str, Any]) -> str:
    system = [("system", body["system"])] if "system" in body else []
    return answer([*system, *((turn["role"], turn["content"]) for turn in body["messages"])])


def served(body: Mapping[str, Any]) -> str:
    """What the server of the pages answers: a judge's verdict on apologies, else as lexical."""
    if '"verdict"' not in json.dumps(body.get("response_format", {})):
        return lexical(body)
    found = re.search(r"<answer-\w+>\n(.*)\n", str(body["messages"][-1]["content"]))
    sorry = found is not None and re.search("sorry|apolog", found[1], re.IGNORECASE)
    word = "pass" if sorry else "fail"
    return json.dumps({"reasons": "It looks like it.", "evidence_quote": "", "verdict": word})


@pytest.mark.parametrize("page", EXECUTED_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "examples", folder / "examples")
    with (
        ChatServer(served) as chat,
        MessagesServer(lexical, key=MESSAGES_KEY_IN_PAGES) as messages,
    ):
        addresses = {
            SERVER_IN_PAGES: chat.base_url,
            MESSAGES_SERVER_IN_PAGES: messages.base_url,
            SERVICE_PORT_IN_PAGES: str(free_port()),
        }
        reader = Reader(folder, fresh_environment(tmp_path / "home"), addresses)
        try:
            for block in blocks_of(page):
                reader.read(block)
            reader.run_python()
            reader.run_suites()
        finally:
            end_service(folder / SERVICE_PID)


def free_port() -> int:
    """A port that nobody listens at right now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def end_service(pid_file: Path) -> None:
    """End the service of a page that could not be read to its end."""
    if pid_file.is_file():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)


class Reader:
    """Runs the blocks of one page in a folder. `printed` is what the last ones printed.

    Python blocks that follow each other share an interpreter, each in a namespace of its own, and
    suites run together at the end: starting is what takes the time here.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], addresses: Mapping[str, str]
    ) -> None:
        self.printed = ""
        self._folder = folder
        self._environment = environment
        self._addresses = addresses
        self._scripts: list[str] = []
        self._suites: list[str] = []

    def read(self, block: Block) -> None:
        """Run a block, or note it down to be run with its neighbours."""
        text = block.text
        for written, real in self._addresses.items():
            text = text.replace(written, real)
        if block.language == "bash":
            self.run_python()
            self.printed = self._run(["bash", "-euo", "pipefail", "-c", text], block.name)
        elif block.language == "python":
            name = block.file_name or f"block_{block.line}.py"
            (self._folder / name).write_text(text, encoding="utf-8")
            if name.startswith("test_"):
                self._suites.append(name)
            elif not block.file_name:  # what names its file is a part, and has a suite
                self._scripts.append(name)
        elif block.comment == PRINTED:
            self.run_python()
            assert_printed(block, self.printed)

    def run_python(self) -> None:
        """Run the scripts that have gathered, in order."""
        if self._scripts:
            names, self._scripts = self._scripts, []
            all_of_them = (
                "import runpy, sys\nfor name in sys.argv[1:]: runpy.run_path(name, {}, '__main__')"
            )
            command = [sys.executable, "-W", "error", "-c", all_of_them, *names]
            self.printed = self._run(command, ", ".join(names))

    def run_suites(self) -> None:
        """Run the suites that have gathered."""
        if self._suites:
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            self.printed = self._run([*command, *self._suites], ", ".join(self._suites))

    def _run(self, command: list[str], name: str) -> str:
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        output = done.stdout + done.stderr
        assert done.returncode == 0, f"{name} ended with {done.returncode}:\n{output}"
        return output


def fresh_environment(home: Path) -> dict[str, str]:
    """An environment as after logging in: the commands of this installation, nothing of ours."""
    home.mkdir(exist_ok=True)
    binaries = str(Path(sys.executable).parent)
    return {
        "PATH": os.pathsep.join([binaries, os.environ["PATH"]]),
        "HOME": str(home),
        "USER": "reader",
        "LANG": "C.UTF-8",
        "COLUMNS": "100",
    }


def assert_printed(sample: Block, printed: str) -> None:
    """Hold every line of a sample against the output, however the terminal wrapped it."""
    everything = " ".join(printed.split())
    for line in sample.text.splitlines():
        wanted = " ".join(line.split())
        if wanted and wanted != "...":
            assert wanted in everything, f"{sample.name}: not printed: {wanted}\n{printed}"


def test_a_block_that_shows_a_file_is_tested_by_the_next_one() -> None:
    for page in pages():
        names = [block.file_name for block in blocks_of(page) if block.file_name]
        parts = [name for name in names if not name.startswith("test_")]
        assert names == [name for part in parts for name in (part, f"test_{part}")], page


def test_every_block_has_a_known_language_and_unexecuted_ones_a_reason() -> None:
    for page in pages():
        for block in blocks_of(page):
            assert block.language in (*EXECUTED, *SHOWN, NOT_EXECUTED), block.name
            reason = block.comment.startswith(REASON) and len(block.comment) > len(REASON) + 10
            assert reason == (block.language == NOT_EXECUTED), block.name


def test_a_sample_of_output_stands_behind_an_executed_block() -> None:
    n_samples = 0
    for page in pages():
        executed = False
        for block in blocks_of(page):
            executed = executed or block.language in EXECUTED
            if block.comment == PRINTED:
                n_samples += 1
                assert executed, block.name
    assert n_samples >= 4


def test_the_task_of_the_readme_is_the_one_in_examples(tmp_path: Path) -> None:
    block = next(b for b in blocks_of(ROOT / "README.md") if "mkdir support" in b.text)
    only_files = block.text.partition("promptyard ")[0]
    subprocess.run(["bash", "-euc", only_files], cwd=tmp_path, check=True)
    for name in ("task.yaml", "prompt.md", "cases.jsonl"):
        ours = (ROOT / "examples" / "support" / name).read_text(encoding="utf-8")
        assert (tmp_path / "support" / name).read_text(encoding="utf-8") == ours


def test_the_yaml_of_pages_is_configuration_that_loads(tmp_path: Path) -> None:
    from promptyard.config import load_project_config, load_task_config

    n_blocks = 0
    for page in pages():
        for block in blocks_of(page):
            first = block.text.partition("\n")[0]
            folder = tmp_path / f"{page.stem}-{block.line}"
            folder.mkdir(exist_ok=True)
            for name in ("prompt.md", "cases.jsonl", "outline.md", "answer.md"):
                (folder / name).write_text("{{input}}")
            if first == "# task.yaml":
                (folder / "task.yaml").write_text(block.text)
                assert load_task_config(folder).prompt
                n_blocks += 1
            elif first == "# promptyard.yaml":
                (folder / "promptyard.yaml").write_text(block.text)
                assert load_project_config(folder, {}).store
                n_blocks += 1
    assert n_blocks >= 3


@pytest.mark.parametrize("name", ["01_python_api.py", "02_own_metric.py"])
def test_an_example_runs_without_key_and_network(name: str, tmp_path: Path) -> None:
    done = run_example([name], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "verdict: " in done.stdout
    assert not done.stderr


def test_the_server_example_runs_against_a_real_server(tmp_path: Path) -> None:
    with ChatServer(lexical) as server:
        done = run_example(["03_any_server.py", server.base_url, "my-model"], tmp_path)
        assert done.returncode == 0, done.stderr
        assert "verdict: pass" in done.stdout
        assert server.requests[0].body["model"] == "my-model"


def test_the_server_example_says_what_is_missing(tmp_path: Path) -> None:
    assert run_example(["03_any_server.py"], tmp_path).returncode == 2
    done = run_example(["03_any_server.py", "http://127.0.0.1:9/v1"], tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def run_example(arguments: list[str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    script, *rest = arguments
    return subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / script), *rest],
        cwd=tmp_path,
        env=fresh_environment(tmp_path / "home"),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_example_task_loads_with_the_splits_that_pages_speak_of() -> None:
    task = load_task(ROOT / "examples" / "support")
    sizes = [len(task.eval_set.split(name)) for name in ("train", "dev", "holdout")]
    assert sum(sizes) == 30
    assert sizes[2] == 13


def test_the_picture_names_the_stations() -> None:
    from xml.etree import ElementTree

    source = (ROOT / "docs" / "line.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(source)
    texts = {"".join(item.itertext()) for item in root.iter("{http://www.w3.org/2000/svg}text")}
    stations = {"Eval set", "Signals", "Candidates", "Funnel", "Gate", "Registry"}
    assert stations | {"Release", "Live traces"} <= texts


def test_the_readme_shows_what_the_demo_printed() -> None:
    block = next(
        b for b in blocks_of(ROOT / "README.md") if b.comment == "printed by: promptyard demo"
    )
    assert "The sealed holdout" in block.text
    assert "Verdict: " in block.text
    task = ROOT / "src" / "promptyard" / "line" / "demo_task" / "cases.jsonl"
    rows = [json.loads(line) for line in task.read_text(encoding="utf-8").splitlines()]
    n_holdout = sum(row["split"] == "holdout" for row in rows)
    assert f"{len(rows):,} real messages" in block.text
    assert f"{n_holdout:,} of them sealed" in block.text


def test_the_readme_shows_a_release_that_ends_both_ways() -> None:
    comment = "printed by: promptyard demo --release"
    block = next(b for b in blocks_of(ROOT / "README.md") if b.comment == comment)
    assert "promoted v2" in block.text
    assert "rolled v3 back" in block.text
    n_all, n_equal = re.findall(r"of ([\d,]+) decisions, ([\d,]+) came out", block.text)[0]
    assert n_all == n_equal
