"""Words what a command line got wrong: which option, which value, and what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typer.exceptions import TyperException

_EXPECTED: Mapping[str, str] = {
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
    "finite_number": "a finite number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
}
"""What is expected, by the type of pydantic's error; others keep its words."""


def misuse_text(error: TyperException) -> str:
    """Say in one line what is wrong with a command line, without the command's name."""
    from pydantic import ValidationError

    cause = error.__cause__
    option = _option(error)
    if not option or not isinstance(cause, ValidationError):
        return error.format_message().rstrip(".")
    first = cause.errors(include_url=False)[0]
    template = _EXPECTED.get(first["type"])
    if template is None:
        return f"{option}: {first['msg'].removeprefix('Value error, ').rstrip('.')}"
    limits: Mapping[str, Any] = first.get("ctx") or {}
    return f"{option} {first['input']}: expected {template.format(**limits)}"


def _option(error: TyperException) -> str:
    """Return the longest spelling of the option, or the name of the argument; else nothing."""
    parameter = getattr(error, "param", None)
    names: list[str] = list(getattr(parameter, "opts", ()))
    return max(names, key=len, default="")
