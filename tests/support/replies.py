"""Replies of an optimizer model, as tests script them."""

from __future__ import annotations

import json


def edits_reply(
    new: str,
    *,
    op: str = "append",
    section: str = "system",
    old: str = "",
    why: str = "It is vague.",
) -> str:
    """Return a reply of one edit."""
    edit = {"op": op, "section": section, "old": old, "new": new}
    return json.dumps({"hypothesis": why, "edits": [edit]})
