"""The page of the tables: everything but metrics that has a name."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from docs.generator.text import first, page, table


def names_page() -> str:
    """List the other tables: what may be named in task.yaml, and what runs by itself."""
    from promptyard.candidates import GENERATORS, GeneratorOptions
    from promptyard.candidates.validators import VALIDATORS
    from promptyard.evalset import IMPORTERS
    from promptyard.funnel import STAGES
    from promptyard.providers import ENDPOINTS, PROVIDERS
    from promptyard.release import GATES
    from promptyard.search import POLICIES
    from promptyard.workflows import WORKFLOWS

    made = {name: type(make(GeneratorOptions())) for name, make in GENERATORS.items()}
    out = ["Every table of the line and what is in it. "]
    out.append("Metrics have [a page of their own](metrics.md).\n\n")
    out.append("## Providers (`provider/model`)\n\n")
    rows = [(f"`{name}`", *_endpoint(ENDPOINTS.get(name))) for name in PROVIDERS]
    out.append(table(("provider", "address", "key in"), rows))
    for title, entries in (
        ("Generators (`optimize.generators`)", made),
        ("Policies (`optimize.strategy`)", POLICIES),
        ("Workflows (`program.workflow`)", WORKFLOWS),
        ("Stages of the funnel", STAGES),
        ("Gates", GATES),
    ):
        out.append(f"## {title}\n\n" + table(("name", "what it does"), list(_described(entries))))
    out.append("## Importers\n\n")
    by_class: dict[Any, list[str]] = {}
    for suffix, importer in IMPORTERS.items():
        by_class.setdefault(importer, []).append(f"`{suffix}`")
    rows2 = [(", ".join(names), first(cls.__doc__)) for cls, names in by_class.items()]
    out.append(table(("files", "what it reads"), rows2))
    out.append("## Validators of candidates\n\nIn this order; the first that objects refuses. ")
    out.append("`no_edit` and `splice` stand for replies without a usable edit and edits that ")
    out.append("cannot be applied.\n\n")
    rows3 = [
        (f"`{code}`", first(check.__doc__).partition(": ")[2]) for code, check in VALIDATORS.items()
    ]
    out.append(table(("code", "what it holds"), rows3))
    return page("Names", out)


def _endpoint(endpoint: Any) -> tuple[str, str]:
    if endpoint is None:
        return "in the process", "–"
    if endpoint.finds_its_own:
        return "the service's own, or your `base_url`", "the service's own variables"
    address = f"`{endpoint.base_url}`" if endpoint.base_url else "your `base_url`"
    return address, f"`{endpoint.key_variable}`" if endpoint.key_variable else "–"


def _described(entries: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, cls in entries.items():
        module = sys.modules[cls.__module__].__doc__
        yield f"`{name}`", f"{first(module)} {first(cls.__doc__)}"
