"""Nothing heavy is imported before it is used: importing costs next to nothing, help is quick."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from support.manifests import ROLLOUT, manifest_of, write_manifest

HEAVY = {
    "aiohttp",
    "alembic",
    "genai_prices",
    "jinja2",
    "jsonschema_rs",
    "numpy",
    "psycopg",
    "pyarrow",
    "ruamel",
    "sqlalchemy",
}
"""What a part of the line needs, and only that part imports."""

FOR_DRAWING = {"click", "pydantic", "pydantic_core", "rich", "typer"}
"""What the command line needs, and a bare import of the package does not."""


def imported_by(code: str) -> set[str]:
    """Run `code` in a new interpreter; return the top-level packages that it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    names = re.findall(r"^import time:[^|]*\|[^|]*\|\s*(\S+)$", done.stderr, re.M)
    assert "encodings" in names
    return {name.partition(".")[0] for name in names}


def test_a_bare_import_brings_in_nothing_but_the_package() -> None:
    assert not imported_by("import promptyard") & (HEAVY | FOR_DRAWING)


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["optimize", "--help"], ["evalset", "import", "--help"]],
    ids=" ".join,
)
def test_the_command_line_starts_without_heavy_imports(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['promptyard', *{arguments!r}]\n"
        "from promptyard.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
    )
    assert not imported_by(code) & HEAVY


def test_the_commands_are_known_without_a_record() -> None:
    assert "pydantic" not in imported_by("import promptyard.cli.main")


def test_each_public_name_brings_in_no_database_and_no_web_library() -> None:
    names = "import promptyard\nfor name in promptyard.__all__: getattr(promptyard, name)"
    assert not imported_by(names) & {"aiohttp", "alembic", "jinja2", "psycopg", "sqlalchemy"}


def test_the_client_is_imported_without_a_record_and_without_a_library() -> None:
    names = "import promptyard.client as c\nfor name in c.__all__: getattr(c, name)"
    assert not imported_by(names) & (HEAVY | FOR_DRAWING | {"typing_extensions"})


def test_the_client_serves_and_records_with_nothing_but_pydantic(tmp_path: Path) -> None:
    source = tmp_path / "manifest.json"
    write_manifest(source, manifest_of(rollouts=[ROLLOUT]))
    code = (
        "from promptyard.client import Promptyard\n"
        f"with Promptyard({str(source)!r}, record_to={str(tmp_path / 'spool')!r}) as client:\n"
        "    prompt = client.prompt('support', subject='ann')\n"
        "    client.record(prompt, output=prompt.messages(question='How?')[0]['content'])\n"
    )
    imported = imported_by(code)
    assert "pydantic" in imported
    assert not imported & (HEAVY | {"click", "rich", "typer"})


def test_the_client_is_imported_in_less_than_150_ms() -> None:
    code = "from promptyard.client import Promptyard"
    taken_s = [cpu_s(code) - cpu_s("pass") for _ in range(3)]
    assert min(taken_s) < 0.150  # of processor time: machines are shared


def cpu_s(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_guard_sees_a_heavy_import() -> None:
    assert "sqlalchemy" in imported_by("import sqlalchemy")
