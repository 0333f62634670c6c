"""What the package exports is what it says, and each name comes from where it lives."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import promptyard
import promptyard.aio
import promptyard.testing

ROOT = Path(__file__).resolve().parents[2]
HOMES: dict[str, str] = vars(promptyard)["_HOMES"]
MOST_NAMES = 25


def test_the_exported_names_are_those_that_resolve() -> None:
    assert list(promptyard.__all__) == sorted(promptyard.__all__)
    assert set(promptyard.__all__) == set(HOMES)
    for name in promptyard.__all__:
        assert getattr(promptyard, name) is not None


def test_there_are_at_most_25_names() -> None:
    assert len(promptyard.__all__) <= MOST_NAMES


@pytest.mark.parametrize("name", sorted(HOMES))
def test_a_name_lives_where_its_home_says(name: str) -> None:
    found = getattr(promptyard, name)
    home = importlib.import_module(f"promptyard.{HOMES[name]}")
    assert getattr(home, name) is found
    if isinstance(found, type):  # a union of types has no home of its own
        assert found.__module__ == home.__name__


def test_type_checkers_see_the_same_names_from_the_same_homes() -> None:
    tree = ast.parse((ROOT / "src/promptyard/__init__.py").read_text(encoding="utf-8"))
    checked = next(
        node
        for node in tree.body
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )
    seen = {
        alias.name: item.module
        for item in checked.body
        if isinstance(item, ast.ImportFrom)
        for alias in item.names
    }
    assert seen.pop("aio") == "promptyard"  # the module of async verbs beside the names
    assert promptyard.aio.optimize is importlib.import_module("promptyard.aio").optimize
    assert seen == {name: f"promptyard.{home}" for name, home in HOMES.items()}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        _ = getattr(promptyard, "optimise")  # noqa: B009  (the name is unknown on purpose)


def test_dir_lists_the_public_names_only() -> None:
    assert {name for name in dir(promptyard) if not name.startswith("_")} == {
        *promptyard.__all__,
        "aio",
    }


def test_the_async_verbs_are_the_sync_ones() -> None:
    for name in promptyard.aio.__all__:
        awaited, sync = getattr(promptyard.aio, name), getattr(promptyard, name)
        assert inspect.iscoroutinefunction(awaited)
        assert list(inspect.signature(awaited).parameters) == list(
            inspect.signature(sync).parameters
        )


def test_the_testing_names_resolve() -> None:
    for name in promptyard.testing.__all__:
        assert inspect.isclass(getattr(promptyard.testing, name))


def test_the_module_runs_as_the_command_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "promptyard", "--version"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, f"promptyard {promptyard.__version__}\n")
