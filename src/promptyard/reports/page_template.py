"""Loads the templates of the pages: everything filled in is escaped, hidden characters shown."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from promptyard.reports.visible import visible

if TYPE_CHECKING:
    from jinja2 import Template


@lru_cache(maxsize=8)
def page_template(name: str) -> Template:
    """Return the template of a page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("promptyard.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    return environment.get_template(name)


def _shown(value: Any) -> Any:
    """Write out the hidden characters of every text that the page is filled with."""
    return visible(value) if type(value) is str else value
