"""Where the API lies, and how a slash inside of a name gets to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

API = "/api/v1"

PUBLIC = frozenset({"/", "/healthz", "/readyz", f"{API}/openapi.json"})
"""What is answered without a key: nothing that says anything of what is stored."""

_ESCAPED = re.compile(rb"%(25|2[fF])")
_SHELTERED = re.compile(r"%(25|2[fF])")


def sheltered(raw_path: bytes) -> str | None:
    """Decode a path, but for `%2F` and `%25`; None where it has neither.

    Names may have slashes (`team/support`). Routes are found by the decoded path, in which such a
    slash would part the name.
    """
    if _ESCAPED.search(raw_path) is None:
        return None
    return unquote(_ESCAPED.sub(rb"%25\1", raw_path).decode("ascii", "replace"))


def unsheltered(path_params: Mapping[str, Any]) -> dict[str, Any]:
    """Decode what `sheltered` left in the parameters of a path."""
    return {
        name: _SHELTERED.sub(_sign, value) if isinstance(value, str) else value
        for name, value in path_params.items()
    }


def _sign(match: re.Match[str]) -> str:
    return "%" if match[1] == "25" else "/"
