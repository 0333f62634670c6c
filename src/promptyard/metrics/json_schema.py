"""The check `json_schema`: a JSON answer meets a schema, with one finding a path."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from promptyard.errors import ConfigError
from promptyard.metrics.check import JsonCheck, one_line, shared_weight
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import (
    ABSENT,
    PathPart,
    field_name,
    lookup,
    pointer,
    shorten,
)
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

TAGS: dict[str, str] = {
    "required": "missing_required_field",
    "dependentRequired": "missing_required_field",
    "type": "wrong_type",
    "enum": "invalid_enum",
    "const": "invalid_enum",
    "additionalProperties": "extra_field",
    "unevaluatedProperties": "extra_field",
}
"""Failure tag of each schema keyword; all others are `constraint_violation`."""

TAG_ORDER = (
    "missing_required_field",
    "wrong_type",
    "invalid_enum",
    "extra_field",
    "constraint_violation",
)
"""Which of several violations at one path gives it its tag: the most basic one."""

_OTHER = "constraint_violation"
_ENGINE_GAVE_UP = "engine_gave_up"

MAX_VIOLATIONS = 1000
MAX_FINDINGS = 50


class Violation(NamedTuple):
    """One broken keyword: where, which tag it has, and what a person is told."""

    parts: tuple[PathPart, ...]
    tag: str
    message: str


class EngineGaveUp(ValueError):
    """A pattern of the schema is too costly on some value; `str(error)` says what to do."""


class JsonSchema(JsonCheck):
    """Check a JSON answer against a JSON Schema (Draft 2020-12, `format` is asserted).

    References outside the schema are refused: nothing is fetched.

    Options:
        schema: the schema; default: the schema of the prompt's output contract.
        allow_fence: as in `is_json`.

    One finding a path, at most 50, with the tag of the broken keyword: `required` gives
    `missing_required_field`, `enum` and `const` `invalid_enum`, `type` `wrong_type`,
    `additionalProperties` `extra_field`, all others `constraint_violation`. Of several violations
    at one path the most basic gives the tag and all are in the reason. In `anyOf` and `oneOf` the
    branch that fits best is reported. `path` is a JSON Pointer; `field` is the same path dotted
    and without indexes, so that the entries of an array fall into one bucket. Not JSON:
    `invalid_json`. Hard, validity.
    """

    name = "json_schema"
    severity = "hard"
    dimension = "validity"
    option_names = ("schema", "allow_fence")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        schema = context.output.schema_
        if self.options.has("schema"):
            schema = self.options.mapping("schema")
        if schema is None:
            raise ConfigError(
                f"check '{spec.type}': no schema; give option 'schema' or a schema in the prompt's "
                "output contract"
            )
        self.validator = schema_validator(spec.type, schema)

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Validate and write one finding for each path."""
        if self.validator.is_valid(value):
            return self.passed()
        try:
            found = violations_by_path(self.validator, value)
        except EngineGaveUp as error:
            raise self.ungradable(case, str(error)) from None
        if not found:
            return self.passed()
        findings = [self._finding(completion, value, group) for group in found[:MAX_FINDINGS]]
        if len(found) > MAX_FINDINGS:
            more = f"{findings[-1].reason} (and {len(found) - MAX_FINDINGS} more paths)"
            findings[-1] = findings[-1].model_copy(update={"reason": more})
        return shared_weight(findings)

    def _finding(self, completion: Completion, value: Json, group: list[Violation]) -> Score:
        parts = group[0].parts
        ordered = sorted(group, key=lambda violation: TAG_ORDER.index(violation.tag))
        got = lookup(value, parts)
        where = f"the field '{'.'.join(map(str, parts))}'" if parts else "the output"
        reason = f"{where} {' and '.join(dict.fromkeys(item.message for item in ordered))}"
        return self.failed(
            completion,
            reason if got is ABSENT else f"{reason}; got {shorten(got)}",
            tags=(self.tag_override or ordered[0].tag,),
            field=field_name(parts),
            path=pointer(parts),
        )


def violations_by_path(validator: Draft202012Validator, value: Json) -> list[list[Violation]]:
    """Validate a value and group what it violates by path, at most `MAX_VIOLATIONS` in all.

    Raises EngineGaveUp where a pattern of the schema is too costly.
    """
    by_path: dict[tuple[PathPart, ...], list[Violation]] = {}
    errors = islice(validator.iter_errors(value), MAX_VIOLATIONS)
    for violation in (found for error in errors for found in _violations(error)):
        if violation.tag == _ENGINE_GAVE_UP:
            raise EngineGaveUp(f"{violation.message}; make the pattern simpler")
        by_path.setdefault(violation.parts, []).append(violation)
    return list(by_path.values())


def schema_validator(check: str, schema: Mapping[str, Json]) -> Draft202012Validator:
    """Compile a schema, which is done once a check. Raises ConfigError where it is not valid."""
    from jsonschema_rs import Draft202012Validator, ReferencingError, ValidationError

    try:
        plain = json.loads(json.dumps(dict(schema), allow_nan=False))
        return Draft202012Validator(plain, validate_formats=True, offline=True, mask="it")
    except (ValidationError, ReferencingError, TypeError, ValueError) as error:
        first_line = str(error).partition("\n")[0]
        raise ConfigError(
            f"check '{check}': the schema is not valid: {one_line(first_line)}"
        ) from None


def _violations(error: ValidationError) -> Iterator[Violation]:
    """Take one error of the validator apart into violations with a path and a tag each."""
    from jsonschema_rs import ValidationErrorKind as Kind

    kind = error.kind
    parts = tuple(error.instance_path)
    match kind:
        case Kind.Required(missing):
            yield Violation((*parts, missing), TAGS["required"], "is missing")
        case Kind.AdditionalProperties(names) | Kind.UnevaluatedProperties(names):
            for name in names:
                yield Violation(
                    (*parts, name), TAGS["additionalProperties"], "is not in the schema"
                )
        case Kind.AnyOf(branches) | Kind.OneOfNotValid(branches):
            yield from _best_branch(parts, [_flat(branch) for branch in branches])
        case Kind.Enum(options):
            yield Violation(parts, TAGS["enum"], f"must be one of {shorten(options, 120)}")
        case Kind.Constant(value):
            yield Violation(parts, TAGS["const"], f"must be {shorten(value)}")
        case Kind.Type(types):
            yield Violation(parts, TAGS["type"], f"must be of type {' or '.join(types)}")
        case Kind.BacktrackLimitExceeded() | Kind.RegexEngineFailure():
            yield Violation(parts, _ENGINE_GAVE_UP, one_line(error.message))
        case _:
            yield Violation(parts, TAGS.get(kind.name, _OTHER), _sentence(error))


def _sentence(error: ValidationError) -> str:
    """Continue "the field ..." with the validator's words, which call the value "it"."""
    words = error.message.removeprefix("it ")
    return one_line(words if words != error.message else f"breaks '{error.kind.name}': {words}")


def _flat(errors: Sequence[ValidationError]) -> list[Violation]:
    return [violation for error in errors for violation in _violations(error)]


def _best_branch(
    parts: tuple[PathPart, ...], branches: Sequence[list[Violation]]
) -> Iterator[Violation]:
    """Choose among the branches of `anyOf`: of the right type first, then fewest violations."""

    def misfit(branch: list[Violation]) -> tuple[bool, int]:
        return any(item.parts == parts and item.tag == TAGS["type"] for item in branch), len(branch)

    if all(len(branch) == 1 and branch[0].parts == parts for branch in branches):
        tags = {branch[0].tag for branch in branches}
        if len(tags) == 1:
            messages = dict.fromkeys(branch[0].message for branch in branches)
            yield Violation(parts, tags.pop(), " or ".join(messages))
            return
    yield from min(branches, key=misfit)
