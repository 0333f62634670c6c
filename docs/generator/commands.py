"""The page of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docs.generator.text import page, sentences, table


def cli_page() -> str:
    """Describe every command with its arguments and options."""
    import typer

    from promptyard.cli import main as cli

    root: Any = typer.main.get_command(cli.app)
    out = [sentences(root.help), "\n\n"]
    codes = (cli.__doc__ or "").partition("Exit codes: ")[2]
    out.append(f"Exit codes: {sentences(codes)}\n\n")
    out.append(
        "Results go to standard output, progress and errors to standard error. Each mistake is one "
        "line that begins with `error:`. Commands that read or write a store take the project's "
        "own (see [configuration](configuration.md)) unless `--store` names another.\n\n"
    )
    for name, command in _commands(root, "promptyard"):
        out.append(_command(name, command))
    return page("Command line", out)


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        full = f"{prefix} {name}"
        if hasattr(command, "commands"):
            yield from _commands(command, full)
        else:
            yield full, command


def _command(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join([name, "[OPTIONS]", *(_argument_usage(item) for item in arguments)])
    out = [f"## {name}\n\n{sentences(command.help)}\n\n```text\n{usage}\n```\n\n"]
    if arguments:
        rows = [(f"`{p.name.upper()}`", _default(p), sentences(p.help)) for p in arguments]
        out.append(table(("argument", "default", "meaning"), rows))
    if options:
        rows = [
            (f"`{', '.join(p.opts)}`", _option_type(p), _default(p), sentences(p.help))
            for p in options
        ]
        out.append(table(("option", "value", "default", "meaning"), rows))
    return "".join(out)


def _argument_usage(argument: Any) -> str:
    name = argument.name.upper()
    return name if argument.required else f"[{name}]"


def _option_type(option: Any) -> str:
    names = {"int": "whole number", "float": "number", "str": "text", "Path": "path"}
    if option.is_flag:
        return "–"
    annotation = option.type_descriptor.annotation
    least, most = getattr(option, "min", None), getattr(option, "max", None)
    text = names.get(annotation.__name__) or str(annotation.__name__)
    if least is None:
        return text
    return f"{text}, {least} or more" if most is None else f"{text}, {least} to {most:,}"


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if value is None or value is False:
        return "–"
    return f"`{value}`"
