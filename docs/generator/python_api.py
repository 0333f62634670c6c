"""The pages of the public Python names and of the errors."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from docs.generator.text import docstring, first, page, table


def python_api_page() -> str:
    """Describe every public name of the package."""
    import promptyard
    from promptyard import aio, testing

    out = [docstring(promptyard.__doc__), "\n\n"]
    out.append("Everything below is imported from `promptyard`. Records are frozen.\n\n")
    values = {name: getattr(promptyard, name) for name in promptyard.__all__}
    functions = {name: value for name, value in values.items() if inspect.isfunction(value)}
    classes = {name: value for name, value in values.items() if inspect.isclass(value)}
    for name, function in functions.items():
        out.append(f"## {name}\n\n{_signature(name, function)}{docstring(function.__doc__)}\n\n")
    out.append("## promptyard.aio\n\n" + docstring(aio.__doc__) + "\n\n")
    for name in aio.__all__:
        function = getattr(aio, name)
        out.append(_signature(f"await {name}", function) + docstring(function.__doc__) + "\n\n")
    for name, cls in classes.items():
        out.append(f"## {name}\n\n{docstring(cls.__doc__)}\n\n")
        out.append(_fields(cls))
        for member, function in _methods(cls):
            out.append(
                f"{_signature(f'{name}.{member}', function)}{docstring(function.__doc__)}\n\n"
            )
    for name in values.keys() - functions.keys() - classes.keys():
        out.append(f"## {name}\n\n{_union(values[name])}")
    out += _client()
    out.append("## promptyard.testing\n\n" + docstring(testing.__doc__) + "\n\n")
    suites = [(f"`{name}`", first(getattr(testing, name).__doc__)) for name in testing.__all__]
    out.append(table(("name", "what it is"), suites))
    return page("Python API", out)


def _client() -> Iterator[str]:
    """Describe what an application imports: the classes of `promptyard.client`."""
    from promptyard import client

    yield f"## promptyard.client\n\n{docstring(client.__doc__)}\n\n"
    for name in sorted(client.__all__):
        cls: Any = getattr(client, name)
        yield f"### {name}\n\n{docstring(cls.__doc__)}\n\n"
        yield _fields(cls)
        members = list(_methods(cls))
        if cls.__init__.__doc__:
            members.insert(0, ("__init__", cls.__init__))
        for member, function in members:
            is_async = inspect.iscoroutinefunction(function)
            shown = name if member == "__init__" else f"{name}.{member}"
            called = f"await {shown}" if is_async else shown
            yield f"{_signature(called, function)}{docstring(function.__doc__)}\n\n"


def _signature(name: str, function: Any) -> str:
    parameters: list[str] = []
    star = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in {"self", "cls"}:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parameters.append("*")
            star = True
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        text = f"{stars}{parameter.name}: {parameter.annotation}"
        if parameter.default is not parameter.empty:
            text += f" = {parameter.default!r}"
        parameters.append(text)
    returns = inspect.signature(function).return_annotation
    arrow = "" if returns is inspect.Signature.empty else f" -> {returns}"
    one_line = f"{name}({', '.join(parameters)}){arrow}"
    if len(one_line) > 96:
        one_line = f"{name}(\n" + "".join(f"    {item},\n" for item in parameters) + f"){arrow}"
    return f"```text\n{one_line}\n```\n\n"


def _fields(cls: Any) -> str:
    rows: list[tuple[str, str, str]] = []
    if hasattr(cls, "model_fields"):
        for name, field in cls.model_fields.items():
            hint = cls.__annotations__.get(name) or _inherited_annotation(cls, name)
            default = "required" if field.is_required() else _default_value(field)
            rows.append((f"`{name}`", f"`{hint}`", default))
    elif dataclasses.is_dataclass(cls) and cls.__init__.__doc__ is None:
        for field in dataclasses.fields(cls):
            has = field.default is not dataclasses.MISSING
            rows.append(
                (f"`{field.name}`", f"`{field.type}`", f"`{field.default}`" if has else "–")
            )
    for name, member in inspect.getmembers_static(cls):
        own = name in vars(cls) and not name.startswith("_")
        function = getattr(member, "fget", None) or getattr(member, "func", None)
        if own and function is not None and function.__doc__:
            hint = function.__annotations__.get("return", "")
            rows.append((f"`{name}`", f"`{hint}`", first(function.__doc__)))
    return table(("attribute", "type", "default or meaning"), rows) if rows else ""


def _union(alias: Any) -> str:
    """Describe a union of records that a field tells apart: one row a kind."""
    members = get_args(get_args(alias)[0])
    (tag,) = {item.discriminator for item in get_args(alias)[1:]}
    rows = [
        (
            f"`{member.model_fields[tag].default}`",
            ", ".join(f"`{name}`" for name in member.model_fields if name != tag),
            first(member.__doc__),
        )
        for member in members
    ]
    names = ", ".join(f"`{member.__name__}`" for member in members)
    source = f"`{members[0].__module__}`"
    said = f"One of {names}, all of {source}; `{tag}` tells which.\n\n"
    return said + table((f"`{tag}`", "other attributes", "what happened"), rows)


def _inherited_annotation(cls: Any, name: str) -> str:
    return str(get_type_hints(cls).get(name, ""))


def _default_value(field: Any) -> str:
    if field.default_factory is not None:
        return f"`{field.default_factory()!r}`"
    return f"`{field.default!r}`"


def _methods(cls: Any) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(cls) and cls.__init__.__doc__:
        yield "__init__", cls.__init__
    for name, member in vars(cls).items():
        function = member.__func__ if isinstance(member, classmethod) else member
        if not name.startswith("_") and inspect.isfunction(function) and function.__doc__:
            yield name, function


def errors_page() -> str:
    """Draw the error tree and describe each error."""
    from promptyard import errors
    from promptyard.errors import ModelError

    out = ["All errors are in `promptyard.errors`. "]
    out.append(
        "`str(error)` is one line: what, where, what to do. A problem of one case is no error but "
        "a `Failure` of its trial: it is counted and never enters a mean.\n\n"
    )
    tree = (errors.__doc__ or "").partition("::\n\n")[2].partition("\n\n")[0]
    out.append(f"```text\n{inspect.cleandoc(tree)}\n```\n\n")
    rows = [
        (
            f"`{name}`",
            f"`{cls.kind}`" if issubclass(cls, ModelError) else "–",
            ("yes" if cls.retryable else "no") if issubclass(cls, ModelError) else "–",
            first(cls.__doc__),
        )
        for name, cls in vars(errors).items()
        if inspect.isclass(cls) and issubclass(cls, Exception) and cls.__module__ == errors.__name__
    ]
    out.append(table(("error", "kind in counts", "tried again", "meaning"), rows))
    out.append("## ModelError\n\n" + docstring(ModelError.__doc__) + "\n\n")
    return page("Errors", out)
