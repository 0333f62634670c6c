"""Finds what a name stands for: in a built-in table first, then among installed plugins.

A plugin is an entry point in the group `promptyard.<table>` of any installed distribution, for
example `promptyard.metrics`; its value is what the built-in table would hold.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from promptyard.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ValueT = TypeVar("ValueT")


def resolve(table_name: str, name: str, table: Mapping[str, ValueT]) -> ValueT:
    """Return what `name` stands for in `table`, else in the entry points `promptyard.<table_name>`.

    Dashes and underscores are the same, and so are capitals and small letters. A built-in name
    cannot be taken by a plugin. Plugins are looked up only where the table has no such name, and
    only the one that is asked for is imported.

    Raises ConfigError naming the nearest known name for an unknown one, and naming the distribution
    for a plugin that cannot be imported or that another one shares its name with.
    """
    wanted = _plain(name)
    for known in table:
        if _plain(known) == wanted:
            return table[known]
    plugins = _entry_points(table_name)
    found = [plugin for plugin in plugins if _plain(plugin.name) == wanted]
    if not found:
        known_names = [*table, *plugin_names(table_name)]
        raise ConfigError(_unknown(table_name, name, known_names))
    if len({plugin.value for plugin in found}) > 1:
        owners = ", ".join(sorted({_distribution(plugin) for plugin in found}))
        raise ConfigError(
            f"{table_name}: '{name}' is the name of several plugins ({owners}); uninstall all but "
            "one"
        )
    return cast("ValueT", _load(found[0], table_name))


def plugin_names(table_name: str) -> tuple[str, ...]:
    """Return the names in the entry points `promptyard.<table_name>`; imports none of them."""
    return tuple(sorted({plugin.name for plugin in _entry_points(table_name)}))


def _plain(name: str) -> str:
    return name.strip().replace("-", "_").casefold()


def _entry_points(table_name: str) -> list[EntryPoint]:
    from importlib.metadata import entry_points

    return list(entry_points(group=f"promptyard.{table_name}"))


def _load(plugin: EntryPoint, table_name: str) -> object:
    try:
        return plugin.load()
    except Exception as error:  # a foreign module may raise anything when imported
        reason = " ".join(str(error).split()) or "no reason given"
        raise ConfigError(
            f"{table_name}: the plugin '{plugin.name}' of {_distribution(plugin)} cannot be "
            f"imported from '{plugin.value}': {type(error).__name__}: {reason}; repair or "
            "uninstall it"
        ) from error


def _distribution(plugin: EntryPoint) -> str:
    if plugin.dist is None:
        return "an unknown distribution"
    return f"{plugin.dist.name} {plugin.dist.version}"


def _unknown(table_name: str, name: str, known: list[str]) -> str:
    plain = {_plain(item): item for item in known}
    close = difflib.get_close_matches(_plain(name), list(plain), n=1)
    hint = f"did you mean '{plain[close[0]]}'?" if close else f"known: {', '.join(known) or 'none'}"
    return f"{table_name}: unknown name '{name}'; {hint}"
