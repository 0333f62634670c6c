"""Writes plain data as YAML that readers of YAML 1.1 and 1.2 read alike."""

from __future__ import annotations

import io
import re
from typing import Any

from promptyard.records.base import Json

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[ ./-][A-Za-z0-9_]+)*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan"})
_BLOCK = re.compile(r"(?:[^\x00-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff]|\n)*")


def yaml_text(value: Json) -> str:
    """Write a value in block style. Every text that is not a plain word stands in quotes.

    Texts of several lines stand as blocks where that gives them back unchanged.
    """
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)  # untyped library
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 4096
    yaml.sort_base_mapping_type_on_output = False
    yaml.representer.add_representer(str, _represent)
    yaml.representer.ignore_aliases = _no_aliases
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def _no_aliases(value: object) -> bool:
    del value
    return True


def _represent(representer: Any, text: str) -> Any:
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS:
        return representer.represent_scalar("tag:yaml.org,2002:str", text)
    style = "|" if _fits_block(text) else '"'
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _fits_block(text: str) -> bool:
    """Say whether a block gives a text back: no blanks at the ends of its lines, no odd signs."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and not text.startswith((" ", "\n"))
        and not text.endswith("\n\n")
        and all(line == line.rstrip() for line in lines)
        and _BLOCK.fullmatch(text) is not None
    )
