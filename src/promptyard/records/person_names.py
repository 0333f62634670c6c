"""Whether two names are one person's: a second name must be seen to be another one.

Letters that only look alike (a Cyrillic a) are other letters: who writes names is not proven here.
"""

from __future__ import annotations

import re
import unicodedata

# Letters and marks that show nothing: fillers, variation selectors, the grapheme joiner.
_BLANK = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def seen_name(name: str) -> str:
    """Return a name as it is compared: NFKC, caseless, single blanks, nothing that is not seen."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    spaced = " ".join(_BLANK.sub("", folded).split())
    return "".join(
        sign for sign in spaced if not unicodedata.category(sign).startswith("C")
    ).strip()


def is_same_person(one: str, other: str) -> bool:
    """Say whether two names are the same as far as one sees."""
    return seen_name(one) == seen_name(other)
