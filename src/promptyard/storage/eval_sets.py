"""Versions of eval sets: the cases, kept whole, and apart from them what is known of a version."""

from __future__ import annotations

import json
from collections import Counter

from sqlalchemy import Connection, func, select

from promptyard.errors import NotFound
from promptyard.records.cases import SPLITS, EvalSet, EvalSetVersion
from promptyard.storage.statements import insert_once
from promptyard.storage.stored_text import from_text, json_text, shown_text, to_text
from promptyard.storage.tables import eval_set_versions, eval_sets

MIN_PREFIX = 4
"""Signs of a version that must be given at least."""


def insert_eval_set(
    connection: Connection, eval_set: EvalSet, parent: str | None, change: str, at: str
) -> None:
    """Store a version unless it is there: what was said of it first stays."""
    known = select(eval_sets.c.version).where(
        eval_sets.c.name == eval_set.name, eval_sets.c.version == eval_set.version
    )
    if connection.execute(known).first() is not None:
        return  # looked up first, since writing 20,000 cases as text takes half a second
    row = {
        "name": eval_set.name,
        "version": eval_set.version,
        "eval_set": to_text(eval_set),
        "saved_at": at,
    }
    connection.execute(insert_once(connection, eval_sets).values(row))
    sizes = Counter(case.split for case in eval_set.cases)
    about = {
        "name": eval_set.name,
        "version": eval_set.version,
        "parent": parent,
        "change": shown_text(change),
        "n_cases": len(eval_set.cases),
        "n_by_split": json_text({name: sizes[name] for name in SPLITS if sizes[name]}),
        "created_at": at,
    }
    connection.execute(insert_once(connection, eval_set_versions).values(about))


def read_eval_set(connection: Connection, version: str) -> EvalSet:
    """Return the version that is called so or, alone, begins so. Raises NotFound."""
    found = _full_version(connection, version)
    query = select(eval_sets.c.eval_set).where(eval_sets.c.version == found)
    query = query.order_by(eval_sets.c.saved_at, eval_sets.c.name).limit(1)
    return from_text(EvalSet, connection.execute(query).scalar_one())


def list_eval_set_names(connection: Connection) -> list[str]:
    """Names of all eval sets with versions, sorted."""
    names = select(eval_set_versions.c.name).distinct()
    return sorted(connection.execute(names).scalars())


def list_eval_set_versions(connection: Connection, name: str) -> list[EvalSetVersion]:
    """What is known of the versions of an eval set, oldest first."""
    query = select(eval_set_versions).where(eval_set_versions.c.name == name)
    rows = connection.execute(query.order_by(eval_set_versions.c.seq)).mappings()
    return [
        EvalSetVersion(
            name=row["name"],
            version=row["version"],
            parent=row["parent"],
            change=row["change"],
            n_cases=row["n_cases"],
            n_by_split=json.loads(row["n_by_split"]),
            created_at=row["created_at"],
        )
        for row in rows
    ]


def _full_version(connection: Connection, version: str) -> str:
    column = eval_sets.c.version
    exact = select(column).where(column == version).limit(1)
    if connection.execute(exact).first() is not None:
        return version
    if len(version) < MIN_PREFIX:
        raise NotFound(
            f"There is no eval set version '{version}'; give at least its first {MIN_PREFIX} signs."
        )
    begins = func.substr(column, 1, len(version)) == version
    found = sorted(connection.execute(select(column).where(begins).distinct()).scalars())
    if not found:
        raise NotFound(
            f"There is no eval set version '{version}'; `promptyard evalset log` names them."
        )
    if len(found) > 1:
        raise NotFound(
            f"{len(found)} eval set versions begin with '{version}' "
            f"({', '.join(found[:3])}); give more signs."
        )
    return found[0]
