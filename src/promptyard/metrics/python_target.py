"""Finds the function that `module:function` or `file.py:function` names, and reports its errors."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

from promptyard.metrics.check import one_line
from promptyard.metrics.options import nearest


class LoadError(Exception):
    """The function cannot be loaded; `str(error)` says why in one line."""


def load(target: str) -> Callable[..., Any]:
    """Import the module, or run the file, and return the function. Raises LoadError.

    The folder of a file is put on the search path, so that it can import what lies beside it.
    """
    where, _, name = target.rpartition(":")
    try:
        module = (
            _from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
        )
        function = attrgetter(name)(module)
    except BaseException as error:  # noqa: BLE001 - a module may do anything, also exit
        raise LoadError(f"cannot load '{target}': {said(error)}") from None
    if not callable(function):
        raise LoadError(f"cannot load '{target}': it is no function")
    return function


def flaw_in(path: Path, name: str) -> str | None:
    """Say what is wrong with `name` in a file, as far as reading it tells; it is not run."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError) as error:
        return f"cannot be read: {said(error)}"
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Name):
            bound.add(node.id)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.partition(".")[0])
    first = name.partition(".")[0]
    if first in bound or "*" in bound:
        return None
    return f"has no '{first}'" + nearest(first, sorted(bound), sorted(bound))


def said(error: BaseException) -> str:
    """Write an exception of somebody else's code in one line of printable text."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - whatever its __str__ does
        text = "(no message)"
    line = one_line(f"{type(error).__name__}: {text}")
    return "".join(char if char.isprintable() else "\ufffd" for char in line)


def _from_file(path: Path) -> Any:
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(f"promptyard_scorer_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up
    spec.loader.exec_module(module)
    return module
