"""Meta-prompts for a person: the package's templates to read, a task's own ones to use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from promptyard.errors import ConfigError
from promptyard.records.base import Record

FOLDER = "meta_prompts"
SUFFIX = ".md"


class MetaPrompt(Record):
    """A template of the package and the slots that it fills."""

    name: str
    slots: tuple[str, ...]
    text: str


def meta_prompts() -> tuple[MetaPrompt, ...]:
    """Return the templates of the package, by name."""
    from promptyard.candidates.meta_prompt import names

    return tuple(meta_prompt(name) for name in names())


def meta_prompt(name: str) -> MetaPrompt:
    """Return a template of the package. Raises ConfigError naming the nearest known name."""
    from promptyard.candidates.meta_prompt import known_name, text_of
    from promptyard.records.prompts import Prompt

    text = text_of(known_name(name))
    return MetaPrompt(name=name, slots=Prompt(text=text).variables, text=text)


def read_meta_prompts(folder: Path, named: str | None = None) -> Mapping[str, str]:
    """Read a task's own templates, `NAME.md` each: those of `named`, else of `meta_prompts`.

    Raises ConfigError in one line with the file: a name or a slot that there is not, no prompt
    file, not UTF-8, or a named folder that does not exist.
    """
    place = folder / (named or FOLDER)
    if not place.is_dir():
        if named is None:
            return {}
        raise ConfigError(
            f"{folder}: optimize.meta_prompts: there is no folder '{named}' "
            f"(looked in {folder.resolve()})"
        )
    from promptyard.candidates.meta_prompt import check_template

    found: dict[str, str] = {}
    for file in sorted(place.glob(f"*{SUFFIX}")):
        if file.stem == "README":
            continue
        try:
            text = file.read_bytes().decode("utf-8")
            check_template(file.stem, text)
        except OSError as error:
            raise ConfigError(f"{file}: cannot be read ({error.strerror})") from None
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{file}: byte {error.start} is not UTF-8; save it as UTF-8"
            ) from None
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
        found[file.stem] = text
    return found
