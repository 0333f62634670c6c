"""Says in which language a text is, with py3langid (the extra `promptyard[language]`)."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

HEAD_CHARS = 20_000
"""How much of a text is looked at; more does not change the answer."""

TOO_SHORT = 20
"""Letters, below which a text does not tell its language for sure."""

MUCH_LESS = 0.1

LANGUAGES = (  # noqa: SIM905 - words are read more easily than a list of 85 lines
    "af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu he hi hr hu hy id "
    "is it ja ka kk km kn ko ky la lb lo lt lv mk ml mn mr ms mt my ne nl no or pa pl ps pt ro ru "
    "sa si sk sl so sq sr sv sw ta te tg th tl tr uk ur uz vi yo zh zu"
).split()
"""The languages among which one is chosen: rarer ones would be mistaken for them in short texts."""

_SAME = {"nb": "no", "nn": "no", "iw": "he", "in": "id", "fil": "tl", "cmn": "zh"}


class NoDetector(Exception):
    """The library is not installed."""


def language_code(code: str) -> str | None:
    """Bring an ISO 639-1 code (`pt-BR`, `zh_CN`) to one of `LANGUAGES`; None for any other."""
    plain = code.strip().replace("_", "-").partition("-")[0].lower()
    plain = _SAME.get(plain, plain)
    return plain if plain in LANGUAGES else None


def is_language(text: str, code: str) -> bool:
    """Whether a text is in a language, by its code in `LANGUAGES`. Deterministic.

    It is where no language is likelier. A text of fewer than `TOO_SHORT` letters does not tell:
    it is in a language unless another one is ten times as likely. Raises NoDetector. The first
    call loads a model, which takes about a second.
    """
    head = text[:HEAD_CHARS]
    ranked: list[tuple[str, float]] = _identifier().rank(head)
    chances = dict(ranked)
    best = max(chances.values())
    n_letters = sum(char.isalpha() for char in head[: 10 * TOO_SHORT])
    return chances[code] >= (best * MUCH_LESS if n_letters < TOO_SHORT else best)


@lru_cache(maxsize=1)
def _identifier() -> Any:
    try:
        library: Any = import_module("py3langid.langid")  # it has no types
    except ImportError:
        raise NoDetector(
            "to tell languages, install py3langid: pip install 'promptyard[language]'"
        ) from None
    identifier = library.LanguageIdentifier.from_model_file(library.MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
