"""Nothing heavy is imported before it is used: importing costs next to nothing, help is quick."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

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


def test_the_guard_sees_a_heavy_import() -> None:
    assert "sqlalchemy" in imported_by("import sqlalchemy")
