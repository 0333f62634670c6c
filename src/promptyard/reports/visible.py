"""Makes texts fit to be shown: hidden characters become visible, long texts become short.

Prompts, labels and hypotheses may come from models and strangers. A terminal escape sequence, or
a mark that reverses the direction of writing, must not change what a reader believes to read.
"""

from __future__ import annotations

import re

HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff]"
)
"""Controls, marks that change the direction of writing, lone surrogates; tabs, line ends and the
joiners that emoji and some scripts need are none."""


def visible(text: str) -> str:
    r"""Write hidden characters as their code points (`<U+001B>`); \r\n becomes \n."""
    return HIDDEN.sub(lambda match: f"<U+{ord(match[0]):04X}>", text.replace("\r\n", "\n"))


def one_line(text: str, max_chars: int) -> str:
    """Fold white space and cut the text to `max_chars` characters, an ellipsis included."""
    folded = " ".join(text.split())
    if len(folded) <= max_chars:
        return folded
    return folded[: max_chars - 1].rstrip() + "…"
