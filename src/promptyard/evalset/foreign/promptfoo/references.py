"""Follows `$ref: '#/assertionTemplates/polite'` within one configuration."""

from __future__ import annotations

from promptyard.errors import EvalSetError
from promptyard.evalset.tree_file import Tree
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_list, as_object

REFERENCE = "$ref"
MAX_FOLLOWED = 20_000
MAX_CHAIN = 20


def without_references(tree: Tree) -> Json:
    """Return the data of a document with every reference into itself replaced.

    Raises EvalSetError for a reference to elsewhere, to nothing, or into itself.
    """
    return _Resolver(tree).resolved(tree.data, 0)


class _Resolver:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._n_followed = 0

    def resolved(self, value: Json, chain: int) -> Json:
        items = as_list(value)
        if items is not None:
            return [self.resolved(item, chain) for item in items]
        found = as_object(value)
        if found is None:
            return value
        pointer = found.get(REFERENCE)
        if isinstance(pointer, str) and pointer.startswith("#/"):
            self._n_followed += 1
            if chain >= MAX_CHAIN or self._n_followed > MAX_FOLLOWED:
                raise EvalSetError(
                    f"{self._tree.path}: {one_line(pointer)}: references lead in a circle, or "
                    "there are too many"
                )
            beside = {key: item for key, item in found.items() if key != REFERENCE}
            target = self.resolved(self._target(pointer), chain + 1)
            own = as_object(target)
            return target if own is None else {**own, **beside}
        return {key: self.resolved(item, chain) for key, item in found.items()}

    def _target(self, pointer: str) -> Json:
        value: Json = self._tree.data
        for part in pointer.removeprefix("#/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            items, found = as_list(value), as_object(value)
            if found is not None and name in found:
                value = found[name]
            elif items is not None and name.isdecimal() and int(name) < len(items):
                value = items[int(name)]
            else:
                raise EvalSetError(f"{self._tree.path}: {one_line(pointer)}: nothing stands there")
        return value
